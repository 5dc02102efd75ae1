#include "chunk.h"

#include <algorithm>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// The first pixel of a row of a box (batch n, d and h fixed, w at the box's first).
/// @param tap the first that is summed, of each axis
Place row_place(const Call& call, const Box& box, const Index (&taps)[3], const Index (&tap)[3],
                Index n, const Index (&at)[3]) {
  Place place = call.image(n);
  for (int axis = 0; axis < 3; ++axis) {
    const Phase& phase = box.phase[axis];
    const Segment& segment = box.segment[axis];
    const AxisPhases& phases = *call.axes[axis].phases;
    const Index q = segment.begin + at[axis];
    const Index j = q * phases.stride() + phase.residue - call.axes[axis].window.offset;
    place.y += j * call.y_strides[axis];
    place.residual += j * call.residual_strides[axis];
    // A box without taps reads nothing; its q may be outside x.
    if (taps[axis] == 0) continue;
    const Index input = q - phase.origin - tap[axis] * phases.input_step();
    place.x += input * call.x_strides[axis];
  }
  return place;
}

/// Offsets first, first + step ... that are known to fit. (In 32 bits the compiler vectorises it.)
void fill_run(std::int32_t* offsets, Index count, Index first, Index step) {
  auto value = static_cast<std::uint32_t>(first);
  const auto by = static_cast<std::uint32_t>(step);
  for (Index p = 0; p < count; ++p, value += by) offsets[p] = static_cast<std::int32_t>(value);
}

}  // namespace

Index Box::pixels() const {
  Index count = batch_end - batch_begin;
  for (const Segment& s : segment) count *= s.end - s.begin;
  return count;
}

void Box::taps(Index (&out)[3]) const {
  bool any = true;
  for (int axis = 0; axis < 3; ++axis) {
    out[axis] = segment[axis].tap_end - segment[axis].tap_begin;
    any = any && out[axis] > 0;
  }
  if (!any) std::fill(std::begin(out), std::end(out), 0);
}

Scratch::Scratch(std::span<std::byte> memory) {
  std::byte* at = memory.data();
  for (std::int32_t** table : {&pixel_x, &pixel_y, &pixel_residual, &pixel_tile}) {
    *table = reinterpret_cast<std::int32_t*>(at);
    at += kTableBytes;
  }
  tile = at;
}

Chunk fill_chunk(const Call& call, const Box& box, Index first, Index most, const Scratch& scratch,
                 bool last_first) {
  const Index size = static_cast<Index>(size_of(call.dtype));
  Chunk chunk;
  box.taps(chunk.taps);

  // Taps walk x downwards, but for those that come last first; offsets must not be negative, so the
  // base is at the lowest tap.
  Index lowest_tap = 0, tap[3];
  for (int axis = 0; axis < 3; ++axis) {
    const bool upwards = last_first && axis == 2;
    tap[axis] = upwards ? box.segment[axis].tap_end - 1 : box.segment[axis].tap_begin;
    if (chunk.taps[axis] < 2) continue;
    const Index down = -call.axes[axis].phases->input_step() * call.x_strides[axis];
    const Index step = upwards ? -down : down;
    chunk.tap_x[axis] = static_cast<std::int32_t>(step);
    lowest_tap += std::min<Index>(0, (chunk.taps[axis] - 1) * step);
  }

  const Index extents[3] = {box.segment[0].end - box.segment[0].begin,
                            box.segment[1].end - box.segment[1].begin,
                            box.segment[2].end - box.segment[2].begin};
  Index at[3] = {}, n = box.batch_begin;
  if (first > 0) {
    const Index row = first / extents[2], plane = row / extents[1];
    at[2] = first % extents[2];
    at[1] = row % extents[1];
    at[0] = plane % extents[0];
    n += plane / extents[0];
  }
  // With one pixel per row there is no step, and the products may not fit.
  const Index step_x = chunk.taps[2] > 0 && extents[2] > 1 ? call.x_strides[2] : 0;
  const Index stride_w = extents[2] > 1 ? call.axes[2].phases->stride() : 0;
  const Index step_y = call.y_strides[2] * stride_w;
  const Index step_r = call.residual != nullptr ? call.residual_strides[2] * stride_w : 0;

  Place base;
  Index lowest_x = 0;
  const bool residual = call.residual != nullptr;
  const Index count = std::min(most, box.pixels() - first);
  while (chunk.count < count) {
    const Place place = row_place(call, box, chunk.taps, tap, n, at);
    if (chunk.count == 0) base = place;
    const Index x = place.x - base.x, y = place.y - base.y;
    const Index r = residual ? place.residual - base.residual : 0;
    const auto fits = [&](Index w) {
      const Index x_w = x + w * step_x, y_w = y + w * step_y, r_w = r + w * step_r;
      return std::max({x_w, -x_w, y_w, -y_w, r_w, -r_w}) <= kLargestOffset;
    };
    // Offsets are evenly spaced along w: where both ends fit, all do.
    const Index row = std::min(extents[2] - at[2], count - chunk.count);
    Index run = fits(0) ? row : 0;
    while (run > 1 && !fits(run - 1)) --run;
    fill_run(scratch.pixel_x + chunk.count, run, x, step_x);
    fill_run(scratch.pixel_y + chunk.count, run, y, step_y);
    if (residual) fill_run(scratch.pixel_residual + chunk.count, run, r, step_r);
    chunk.count += run;
    if (run > 0) lowest_x = std::min({lowest_x, x, x + (run - 1) * step_x});
    if (run < row) break;
    at[2] = 0;
    if (++at[1] == extents[1]) {
      at[1] = 0;
      if (++at[0] == extents[0]) {
        at[0] = 0;
        ++n;
      }
    }
  }

  const Index shift = lowest_x + lowest_tap;
  if (shift != 0) {
    const auto by = static_cast<std::int32_t>(shift);
    for (Index p = 0; p < chunk.count; ++p) scratch.pixel_x[p] -= by;
  }
  chunk.x = call.x + (chunk.taps[0] > 0 ? (base.x + shift) * size : 0);
  chunk.y = call.y + base.y * size;
  if (call.residual != nullptr) chunk.residual = call.residual + base.residual * size;
  return chunk;
}

}  // namespace upconv::UPCONV_ABI::internal
