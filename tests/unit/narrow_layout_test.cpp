// The narrow strategy's geometry on layers and calls of any size: what is touched fits the scratch,
// and deciding costs little.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "layers.h"
#include "narrow_strip.h"

namespace upconv::internal {
namespace {

using test::draw;
using test::Random;

LayerFacts facts_of(const AxisPhases& d, const AxisPhases& h, const AxisPhases& w, Index input_size,
                    Index output_size, DType dtype = DType::kFloat32, Isa isa = Isa::kSse41) {
  return {.axes = {d, h, w},
          .input_size = input_size,
          .output_size = output_size,
          .dtype = dtype,
          .isa = isa,
          .label = "layer"};
}

/// An extent or option that is small, large, or near a limit of the strategy.
Index draw_size(Random& random, Index most) {
  const Index sizes[] = {1, 2, 3, draw(random, 1, 20), draw(random, 1, most), most};
  return std::min(sizes[draw(random, 0, 5)], most);
}

TEST(NarrowLayout, StripsOfAnyCallFitTheScratch) {
  int usable = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Random random(seed);
    const auto axis = [&](bool used) {
      if (!used) return AxisPhases();
      return AxisPhases(draw_size(random, 300), draw_size(random, 64), draw_size(random, 70000));
    };
    const Index rank = draw(random, 1, 3);
    const AxisPhases d = axis(rank > 2), h = axis(rank > 1), w = axis(true);
    const Isa isa =
        built_isas()[static_cast<std::size_t>(draw(random, 0, 100)) % built_isas().size()];
    const LayerFacts facts = facts_of(d, h, w, draw_size(random, 4000), draw_size(random, 40),
                                      seed % 2 ? DType::kFloat32 : DType::kFloat64, isa);
    const std::optional<NarrowLayout> layout = narrow_layout(facts);
    if (!layout) continue;
    ++usable;
    const Index size = static_cast<Index>(size_of(facts.dtype));
    EXPECT_LE(planar_elements(*layout) * size, 2 * target_sizes(isa).strip_bytes) << seed;
    EXPECT_LE(sum_elements(*layout) * size, 1 << 20) << seed;
    for (int call = 0; call < 5; ++call) {
      CallAxis axes[3];
      for (int a = 0; a < 3; ++a) {
        const Index output = draw_size(random, Index{1} << 40), offset = draw(random, -50, 50);
        axes[a] = {&layout->axes[a], draw_size(random, 5000), Window{output, offset}};
        if (a < 3 - rank) axes[a] = {&layout->axes[a], 1, Window{1, 0}};
      }
      const Index batches = draw_size(random, 1000);
      const StripShape shape = choose_strips(*layout, axes, batches, draw_size(random, 64));
      for (const Index q : shape.q) ASSERT_GE(q, 1) << seed;
      Bill bill;
      charge_strips(bill, *layout, axes, batches);
      ASSERT_GT(bill.total, 0) << seed;
      const Index columns = (shape.q[1] - 1) * shape.pitch[2] + shape.q[2];
      ASSERT_LE(columns + layout->widest_tile, sum_step(*layout)) << seed;
      ASSERT_LE(layout->input_size * shape.plane, planar_elements(*layout)) << seed;
      ASSERT_LE(shape.pitch[0] * shape.pitch[1] * shape.pitch[2] + layout->widest_tile, shape.plane)
          << seed;
    }
  }
  EXPECT_GT(usable, 500);
}

TEST(NarrowLayout, RefusesReachesWhoseProductOverflows) {
  for (const Index dilation : {Index{2097151}, Index{4194303}}) {
    const AxisPhases axis(2, 1, dilation);
    EXPECT_FALSE(narrow_layout(facts_of(axis, axis, axis, 1, 1))) << dilation;
    ConvolutionTransposeOptions options{
        .input_size = 1, .output_size = 1, .filter_shape = 2, .rank = 3};
    options.dilations = dilation;
    EXPECT_NO_THROW(ConvolutionTranspose{options});
  }
}

TEST(NarrowLayout, RefusesManyPiecesBeforeMakingThem) {
  // 22 million pieces, were they made: 4096 x 2730 rows of taps in two pieces each.
  const AxisPhases d(4096, 1, 1), h(2730, 1, 1), w(3, 2, 1);
  EXPECT_FALSE(narrow_layout(facts_of(d, h, w, 1, 1)));
}

TEST(NarrowLayout, IsNotChosenForStripsOfAFewPositions) {
  // 2048 channels: what fits the cache is less than a tile is wide.
  const ConvolutionTranspose layer({.input_size = 2048,
                                    .output_size = 1,
                                    .filter_shape = 9,
                                    .rank = 1,
                                    .padding = "SAME",
                                    .arithmetic = Arithmetic::kDirect});
  EXPECT_EQ(layer.kernel_choice({1, 64, 2048}).strategy, "wide");
}

}  // namespace
}  // namespace upconv::internal
