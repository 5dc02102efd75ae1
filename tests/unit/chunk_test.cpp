// Chunks: the tables say where every pixel of a box reads and writes, and stop where an offset
// would not fit them.
#include "chunk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "layers.h"

namespace upconv::internal {
namespace {

using test::draw;
using test::Random;

/// Arrays that are never read: views of them only have addresses.
std::byte* somewhere(int n) { return std::bit_cast<std::byte*>(std::uintptr_t{1} << (44 + n)); }
std::uintptr_t address(const std::byte* at) { return reinterpret_cast<std::uintptr_t>(at); }

struct Drawn {
  AxisPhases phases[3];
  Call call;
  Box box;
};

/// @param furthest step from one image, row or pixel to the next
Drawn draw_call(Random& random, Index furthest, bool residual) {
  Drawn made;
  Call& call = made.call;
  call.x = somewhere(0);
  call.y = somewhere(1);
  if (residual) call.residual = somewhere(2);
  const auto step = [&] { return draw(random, 0, 1) == 0 ? 1 : draw(random, -furthest, furthest); };
  for (int axis = 0; axis < 3; ++axis) {
    made.phases[axis] = AxisPhases(draw(random, 1, 5), draw(random, 1, 3), draw(random, 1, 2));
    CallAxis& a = call.axes[axis];
    a = {.phases = &made.phases[axis],
         .input = draw(random, 1, draw(random, 0, 1) == 0 ? 1 : 40),
         .window = {.output = draw(random, 1, 60), .offset = draw(random, -3, 3)}};
    call.x_strides[axis] = step();
    call.y_strides[axis] = step();
    call.residual_strides[axis] = residual ? step() : 0;
  }
  call.batch_axes = static_cast<std::size_t>(draw(random, 0, 2));
  for (std::size_t axis = 0; axis < call.batch_axes; ++axis) {
    call.batch[axis] = {draw(random, 1, 3), step(), step(), residual ? step() : 0};
  }
  made.box.batch_begin = draw(random, 0, call.batch_count() - 1);
  made.box.batch_end = draw(random, made.box.batch_begin + 1, call.batch_count());
  for (int axis = 0; axis < 3; ++axis) {
    const CallAxis& a = call.axes[axis];
    std::vector<std::pair<Phase, Segment>> all;
    a.for_each_phase([&](const Phase& phase) {
      for_each_segment(a, phase, a.q_begin(), a.q_end(),
                       [&](const Segment& segment) { all.emplace_back(phase, segment); });
    });
    const auto& one =
        all[static_cast<std::size_t>(draw(random, 0, static_cast<Index>(all.size()) - 1))];
    made.box.phase[axis] = one.first;
    made.box.segment[axis] = one.second;
  }
  return made;
}

/// Where pixel `pixel` of the box writes, and where its first tap reads.
Place place_of(const Drawn& drawn, Index pixel) {
  const Call& call = drawn.call;
  Index taps[3], n = pixel;
  drawn.box.taps(taps);
  Index at[3];
  for (int axis = 2; axis >= 0; --axis) {
    const Segment& segment = drawn.box.segment[axis];
    at[axis] = segment.begin + n % (segment.end - segment.begin);
    n /= segment.end - segment.begin;
  }
  Place place = call.image(drawn.box.batch_begin + n);
  for (int axis = 0; axis < 3; ++axis) {
    const AxisPhases& phases = *call.axes[axis].phases;
    const Phase& phase = drawn.box.phase[axis];
    const Segment& segment = drawn.box.segment[axis];
    const Index j = at[axis] * phases.stride() + phase.residue - call.axes[axis].window.offset;
    place.y += j * call.y_strides[axis];
    place.residual += j * call.residual_strides[axis];
    if (taps[axis] == 0) continue;
    place.x +=
        (at[axis] - phase.origin - segment.tap_begin * phases.input_step()) * call.x_strides[axis];
  }
  return place;
}

/// Fills chunk after chunk of a box and checks all of them. @return the shortest but the last
Index check_box(const Drawn& drawn, Index most) {
  std::vector<std::byte> memory(Scratch::kTableBytes);
  const Scratch scratch(memory);
  const Call& call = drawn.call;
  const Index size = static_cast<Index>(size_of(call.dtype)), pixels = drawn.box.pixels();
  Index shortest = most;
  for (Index first = 0; first < pixels;) {
    const Index wanted = std::min(most, pixels - first);
    const Chunk chunk = fill_chunk(call, drawn.box, first, wanted, scratch);
    EXPECT_GE(chunk.count, 1);
    EXPECT_LE(chunk.count, wanted);
    if (chunk.count < 1 || chunk.count > wanted) return 0;
    if (chunk.count < wanted) shortest = std::min(shortest, chunk.count);
    Index reach = 0;  // of the lowest tap, from the first
    for (int axis = 0; axis < 3; ++axis) {
      reach += std::min<Index>(0, (chunk.taps[axis] - 1) * chunk.tap_x[axis]);
    }
    for (Index p = 0; p < chunk.count; ++p) {
      const Place place = place_of(drawn, first + p);
      EXPECT_EQ(address(chunk.y + scratch.pixel_y[p] * size), address(call.y + place.y * size));
      if (call.residual != nullptr) {
        EXPECT_EQ(address(chunk.residual + scratch.pixel_residual[p] * size),
                  address(call.residual + place.residual * size));
      }
      if (chunk.taps[0] == 0) continue;
      EXPECT_EQ(address(chunk.x + scratch.pixel_x[p] * size), address(call.x + place.x * size));
      EXPECT_GE(scratch.pixel_x[p] + reach, 0);
      if (testing::Test::HasFailure()) return 0;
    }
    first += chunk.count;
  }
  return shortest;
}

TEST(Chunk, TablesSayWhereEveryPixelReadsAndWrites) {
  int several_rows = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    const Drawn drawn = draw_call(random, 10000, seed % 2 == 0);
    const Index most = seed % 5 == 0 ? draw(random, 1, kChunkPixels) : kChunkPixels;
    // Nothing is so far away that a chunk would have to stop.
    EXPECT_EQ(check_box(drawn, most), most) << "seed " << seed;
    several_rows += drawn.box.pixels() > drawn.box.segment[2].end - drawn.box.segment[2].begin;
    if (HasFailure()) return;
  }
  EXPECT_GT(several_rows, 1000);
}

TEST(Chunk, StopsWhereAnOffsetDoesNotFit) {
  int stopped = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    // Views of up to 2^42 bytes: only those whose taps reach as far as offsets can are refused.
    Drawn drawn = draw_call(random, Index{1} << 27, seed % 2 == 0);
    Index taps[3];
    drawn.box.taps(taps);
    Index reach = 0;
    for (int axis = 0; axis < 3; ++axis) {
      reach += std::max<Index>(taps[axis] - 1, 0) * drawn.phases[axis].input_step() *
               std::abs(drawn.call.x_strides[axis]);
    }
    if (reach > kLargestOffset) continue;
    stopped += check_box(drawn, kChunkPixels) < kChunkPixels;
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed;
      return;
    }
  }
  EXPECT_GT(stopped, 300);
}

}  // namespace
}  // namespace upconv::internal
