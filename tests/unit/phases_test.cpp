// Phases and segments of one axis, against the definition z == n * s + t * d, exhaustively.
#include "phases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace upconv::internal {
namespace {

constexpr Index kFilters = 8, kStrides = 7, kDilations = 6;

/// Calls body(filter, stride, dilation) for all of them.
template <typename Body>
void for_each_axis(Body body) {
  for (Index k = 1; k <= kFilters; ++k) {
    for (Index s = 1; s <= kStrides; ++s) {
      for (Index d = 1; d <= kDilations; ++d) body(k, s, d);
    }
  }
}

std::string text(Index k, Index s, Index d) {
  return "filter " + std::to_string(k) + ", stride " + std::to_string(s) + ", dilation " +
         std::to_string(d);
}

TEST(Phases, DivisionRoundsDownAndUpForEverySign) {
  for (Index a = -20; a <= 20; ++a) {
    for (Index b = 1; b <= 7; ++b) {
      const double quotient = static_cast<double>(a) / static_cast<double>(b);
      EXPECT_EQ(static_cast<double>(floor_div(a, b)), std::floor(quotient)) << a << " / " << b;
      EXPECT_EQ(static_cast<double>(ceil_div(a, b)), std::ceil(quotient)) << a << " / " << b;
    }
  }
}

TEST(Phases, HoldEveryTapOnceAtItsResidue) {
  for_each_axis([](Index k, Index s, Index d) {
    const AxisPhases phases(k, s, d);
    std::vector<int> seen(static_cast<std::size_t>(k), 0);
    Index before = 0, last_residue = -1;
    for (const Phase& phase : phases.with_taps()) {
      EXPECT_GT(phase.residue, last_residue) << text(k, s, d);
      EXPECT_EQ(phase.taps_before, before) << text(k, s, d);
      EXPECT_GE(phase.taps, 1) << text(k, s, d);
      for (Index j = 0; j < phase.taps; ++j) {
        const Index tap = phase.first_tap + j * phases.tap_step();
        ASSERT_LT(tap, k) << text(k, s, d);
        ++seen[static_cast<std::size_t>(tap)];
        // Output s * q + residue sees, by tap t, input (s * q + residue - t * d) / s.
        EXPECT_EQ(phase.residue - tap * d, -s * (phase.origin + j * phases.input_step()))
            << text(k, s, d) << ", tap " << tap;
      }
      last_residue = phase.residue;
      before += phase.taps;
    }
    EXPECT_LT(last_residue, s) << text(k, s, d);
    EXPECT_EQ(seen, std::vector<int>(static_cast<std::size_t>(k), 1)) << text(k, s, d);
  });
}

TEST(Phases, OfEveryResidueHaveTheTapsThatFallOnIt) {
  for_each_axis([](Index k, Index s, Index d) {
    const AxisPhases phases(k, s, d);
    for (Index residue = 0; residue < s; ++residue) {
      Index taps = 0;
      for (Index t = 0; t < k; ++t) taps += t * d % s == residue;
      EXPECT_EQ(phases.phase(residue).residue, residue) << text(k, s, d);
      EXPECT_EQ(phases.phase(residue).taps, taps) << text(k, s, d) << ", residue " << residue;
    }
  });
}

TEST(Phases, AreVisitedOnceForEveryResidueInTheWindow) {
  for (Index s = 1; s <= kStrides; ++s) {
    const AxisPhases phases(3, s, 2);
    for (Index offset = -9; offset <= 9; ++offset) {
      for (Index output = 0; output <= 2 * s + 1; ++output) {
        const CallAxis axis{&phases, 4, {.output = output, .offset = offset}};
        std::vector<Index> expected, visited;
        for (Index j = 0; j < output; ++j) {
          expected.push_back(offset + j - floor_div(offset + j, s) * s);
        }
        std::sort(expected.begin(), expected.end());
        expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
        axis.for_each_phase([&](const Phase& phase) { visited.push_back(phase.residue); });
        std::sort(visited.begin(), visited.end());
        EXPECT_EQ(visited, expected)
            << "stride " << s << ", offset " << offset << ", output " << output;
      }
    }
  }
}

TEST(Phases, PairsOfAnInputAndATapAreCounted) {
  for_each_axis([](Index k, Index s, Index d) {
    const AxisPhases phases(k, s, d);
    for (const Index input : {1, 2, 5}) {
      for (const Window window :
           {Window{.output = 1, .offset = 0}, Window{.output = 9, .offset = -4},
            Window{.output = 6, .offset = 3}, Window{.output = 80, .offset = -2}}) {
        Index pairs = 0;
        for (Index n = 0; n < input; ++n) {
          for (Index tap = 0; tap < k; ++tap) {
            const Index o = n * s + tap * d - window.offset;
            pairs += o >= 0 && o < window.output ? 1 : 0;
          }
        }
        EXPECT_EQ((CallAxis{&phases, input, window}.pairs()), pairs)
            << text(k, s, d) << ", input " << input << ", window from " << window.offset;
      }
    }
  });
}

TEST(Phases, OfAHugeStrideAreNotWalkedForAShortWindow) {
  const Index stride = 2147483647;
  const AxisPhases phases(3, stride, 5);
  EXPECT_EQ(phases.with_taps().size(), 3U);
  const CallAxis axis{&phases, 10, {.output = 7, .offset = 3 * stride - 2}};
  std::vector<Index> residues;
  axis.for_each_phase([&](const Phase& phase) { residues.push_back(phase.residue); });
  EXPECT_EQ(residues, (std::vector<Index>{stride - 2, stride - 1, 0, 1, 2, 3, 4}));
}

/// Checks the segments of one call axis against brute force: every output of the window once, with
/// exactly the taps that reach it.
void check_segments(const CallAxis& axis, Index k, Index d, const std::string& what) {
  const Index s = axis.phases->stride(), offset = axis.window.offset;
  std::vector<int> seen(static_cast<std::size_t>(axis.window.output), 0);
  axis.for_each_phase([&](const Phase& phase) {
    Segment last;
    for_each_segment(axis, phase, axis.q_begin(), axis.q_end(), [&](const Segment& segment) {
      ASSERT_LT(segment.begin, segment.end) << what;
      if (last.begin < last.end) {
        EXPECT_EQ(segment.begin, last.end) << what;
        // As long as can be, where there are taps at all.
        EXPECT_FALSE(phase.taps > 0 && segment.tap_begin == last.tap_begin &&
                     segment.tap_end == last.tap_end)
            << what;
      }
      last = segment;
      for (Index q = segment.begin; q < segment.end; ++q) {
        const Index z = s * q + phase.residue;
        ASSERT_GE(z, offset) << what;
        ASSERT_LT(z, offset + axis.window.output) << what;
        ++seen[static_cast<std::size_t>(z - offset)];
        Index reaching = 0;
        for (Index t = 0; t < k; ++t) {
          const Index from = z - t * d;
          reaching += from >= 0 && from % s == 0 && from / s < axis.input;
        }
        ASSERT_EQ(segment.tap_end - segment.tap_begin, reaching) << what << ", output " << z;
        for (Index j = segment.tap_begin; j < segment.tap_end; ++j) {
          const Index tap = phase.first_tap + j * axis.phases->tap_step();
          const Index n = q - phase.origin - j * axis.phases->input_step();
          ASSERT_TRUE(tap < k && n >= 0 && n < axis.input && n * s + tap * d == z) << what;
        }
      }
    });
  });
  EXPECT_EQ(seen, std::vector<int>(seen.size(), 1)) << what;
}

TEST(Segments, CoverEveryOutputOnceWithExactlyTheTapsThatReachIt) {
  for_each_axis([](Index k, Index s, Index d) {
    const AxisPhases phases(k, s, d);
    for (Index input = 0; input <= 5; ++input) {
      const Index full = std::max<Index>((input - 1) * s + (k - 1) * d + 1, 0);
      for (Index offset = -3; offset <= 5; offset += 2) {
        for (const Index output : {full + 2, std::max<Index>(1, full / 5), Index{1}}) {
          const CallAxis axis{&phases, input, {.output = output, .offset = offset}};
          check_segments(axis, k, d,
                         text(k, s, d) + ", input " + std::to_string(input) + ", output " +
                             std::to_string(output) + ", offset " + std::to_string(offset));
        }
      }
    }
  });
}

TEST(Segments, AreTheSameOutputsWhenTheRangeOfQIsCut) {
  for_each_axis([](Index k, Index s, Index d) {
    const AxisPhases phases(k, s, d);
    const CallAxis axis{&phases, 5, {.output = 4 * s + (k - 1) * d, .offset = 1}};
    axis.for_each_phase([&](const Phase& phase) {
      const auto list = [&](Index step) {
        std::vector<std::vector<Index>> outputs;  // q, first tap, end of taps
        for (Index q = axis.q_begin(); q < axis.q_end(); q += step) {
          for_each_segment(axis, phase, q, std::min(q + step, axis.q_end()),
                           [&](const Segment& segment) {
                             for (Index at = segment.begin; at < segment.end; ++at) {
                               outputs.push_back({at, segment.tap_begin, segment.tap_end});
                             }
                           });
        }
        return outputs;
      };
      const auto whole = list(axis.q_end() - axis.q_begin());
      for (const Index step : {1, 2, 3}) EXPECT_EQ(list(step), whole) << text(k, s, d);
    });
  });
}

}  // namespace
}  // namespace upconv::internal
