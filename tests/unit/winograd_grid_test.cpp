// Tiles of the winograd strategy: every output of a window is some tile's, once.
#include "winograd_grid.h"

#include <gtest/gtest.h>

#include <map>

#include "layers.h"
#include "winograd_layout.h"

namespace upconv::internal {
namespace {

using test::draw;
using test::Random;

/// A random axis whose phases all have taps, a transform for each, and a random call.
struct RandomAxis {
  explicit RandomAxis(Random& random) {
    const Index stride = draw(random, 1, 5);
    Index dilation = draw(random, 1, 4);
    while (std::gcd(stride, dilation) != 1) ++dilation;
    phases = AxisPhases(draw(random, stride, 4 * stride), stride, dilation);
    for (const Phase& phase : phases.with_taps()) {
      const AxisTransform transform{phase.taps == 1 ? 1 : static_cast<int>(2 + phase.taps % 3),
                                    static_cast<int>(phase.taps)};
      int kind = 0;
      while (kind < axis.kinds && !(axis.transforms[kind] == transform)) ++kind;
      if (kind == axis.kinds) axis.transforms[axis.kinds++] = transform;
      axis.add(phase, kind);
    }
    call = {&phases,
            draw(random, 1, 40),
            {.output = draw(random, 1, 90), .offset = draw(random, -20, 20)}};
  }
  AxisPhases phases;
  WinogradAxis axis;
  CallAxis call;
};

TEST(WinogradGrid, HoldsEveryOutputOfTheWindowOnce) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    const RandomAxis of(random);
    std::map<Index, int> times;
    const Index step = of.phases.input_step();
    const AxisGrids grids(of.axis, of.call);
    for (const Grid& grid : grids.grids()) {
      ASSERT_GT(grid.phases, 0U);
      for (const WinogradPhase* phase : grids.phases_of(grid)) {
        ASSERT_EQ(of.axis.transforms[phase->kind], grid.transform);
        for (Index tile = 0; tile < grid.tiles; ++tile) {
          for (Index i = 0; i < grid.transform.outputs; ++i) {
            const Index q = grid.begin(tile, step) + i * step + phase->phase.origin;
            const Index o = q * of.phases.stride() + phase->phase.residue - of.call.window.offset;
            if (o >= 0 && o < of.call.window.output) ++times[o];
          }
        }
      }
    }
    ASSERT_EQ(static_cast<Index>(times.size()), of.call.window.output) << "seed " << seed;
    for (const auto& [output, count] : times) {
      ASSERT_EQ(count, 1) << "output " << output << " seed " << seed;
    }
  }
}

TEST(WinogradGrid, SharesTilesWherePhasesDifferByOnePosition) {
  // Filter 4, stride 2, cropped by 1: phase 0 has outputs q = 1 ... 32, phase 1 q = 0 ... 31.
  const AxisPhases phases(4, 2, 1);
  WinogradAxis axis;
  axis.transforms[axis.kinds++] = {3, 2};
  for (const Phase& phase : phases.with_taps()) axis.add(phase, 0);
  const CallAxis call{&phases, 32, {.output = 64, .offset = 1}};
  const AxisGrids shared(axis, call);
  ASSERT_EQ(shared.grids().size(), 1U);
  EXPECT_EQ(shared.grids()[0].phases, 2U);
  EXPECT_EQ(shared.grids()[0].tiles, 11);  // of 33 positions, and of 32

  // Where one position more is a tile more, products count for more than shared points.
  const CallAxis call_24{&phases, 24, {.output = 48, .offset = 1}};
  const AxisGrids apart(axis, call_24);
  ASSERT_EQ(apart.grids().size(), 2U);
  EXPECT_EQ(apart.grids()[0].tiles, 8);
  EXPECT_EQ(apart.grids()[1].tiles, 8);
}

}  // namespace
}  // namespace upconv::internal
