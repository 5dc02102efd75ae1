// Boxes along an axis are counted as a walk over its segments finds them.
#include "boxes_along.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "layers.h"
#include "walk.h"

namespace upconv::internal {
namespace {

/// What a walk over all segments of all phases finds.
struct Walked {
  double reached = 0, gaps = 0, gap_outputs = 0;
  double inner_outputs = 0, inner_pairs = 0, edge_outputs = 0, edge_pairs = 0;
};

Walked walk(const CallAxis& axis, bool slide) {
  Walked found;
  axis.for_each_phase([&](const Phase& phase) {
    const auto add = [&](const Segment& segment) {
      const auto outputs = static_cast<double>(segment.end - segment.begin);
      const Index taps = segment.tap_end - segment.tap_begin;
      const double pairs = outputs * static_cast<double>(taps);
      if (taps == 0) {
        found.gap_outputs += outputs;
      } else if (taps == phase.taps) {
        found.inner_outputs += outputs;
        found.inner_pairs += pairs;
      } else {
        found.edge_outputs += outputs;
        found.edge_pairs += pairs;
      }
    };
    const auto count = [&](const Segment& segment) {
      (segment.tap_end > segment.tap_begin ? found.reached : found.gaps) += 1;
    };
    for_each_segment(axis, phase, axis.q_begin(), axis.q_end(), add);
    if (slide) {
      for_each_slide(axis, phase, axis.q_begin(), axis.q_end(),
                     [&](const Segment& segment, Index /*slides*/) { count(segment); });
    } else {
      for_each_segment(axis, phase, axis.q_begin(), axis.q_end(), count);
    }
  });
  return found;
}

TEST(BoxesAlong, AreThoseThatAWalkFinds) {
  for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
    test::Random random(seed);
    const AxisPhases phases(test::draw(random, 1, 9), test::draw(random, 1, 5),
                            test::draw(random, 1, 4));
    CallAxis axis{.phases = &phases, .input = test::draw(random, 1, 12), .window = {}};
    const Index full =
        (axis.input - 1) * phases.stride() + (phases.filter() - 1) * phases.dilation();
    axis.window.offset = test::draw(random, -3, std::max<Index>(full, 0));
    axis.window.output = test::draw(random, 1, full + 4);
    const bool slide = seed % 2 == 0;
    const Walked expected = walk(axis, slide);
    const BoxesAlong found(axis, slide);
    const std::string text =
        "seed " + std::to_string(seed) + ": filter " + std::to_string(phases.filter()) +
        ", stride " + std::to_string(phases.stride()) + ", dilation " +
        std::to_string(phases.dilation()) + ", input " + std::to_string(axis.input) + ", window " +
        std::to_string(axis.window.output) + " from " + std::to_string(axis.window.offset);
    EXPECT_EQ(found.inner.outputs, expected.inner_outputs) << text;
    EXPECT_EQ(found.inner.pairs, expected.inner_pairs) << text;
    EXPECT_EQ(found.edge.outputs, expected.edge_outputs) << text;
    EXPECT_EQ(found.edge.pairs, expected.edge_pairs) << text;
    const double reached = found.inner.outputs + found.edge.outputs;
    EXPECT_EQ(static_cast<double>(axis.window.output) - reached, expected.gap_outputs) << text;
    EXPECT_EQ(found.reached, expected.reached) << text;
    EXPECT_EQ(found.gaps, expected.gaps) << text;
    if (HasFailure()) return;
  }
}

TEST(BoxesAlong, OfAHugeStrideAreNotWalked) {
  const Index stride = Index{1} << 40;  // A walk over the phases would take hours.
  const AxisPhases phases(3, stride, 5);
  const CallAxis axis{&phases, 10, {.output = 10 * stride, .offset = 0}};
  const BoxesAlong found(axis, false);
  EXPECT_EQ(found.reached, 3);
  EXPECT_EQ(found.gaps, static_cast<double>(stride - 3));
}

}  // namespace
}  // namespace upconv::internal
