// Phases and segments of one axis: which taps reach which outputs. Pure arithmetic, docs/design.md.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "upconv/shape.h"

namespace upconv::UPCONV_ABI::internal {

/// Quotient rounded down, for any sign of a; b > 0.
constexpr Index floor_div(Index a, Index b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
/// Quotient rounded up, for any sign of a; b > 0.
constexpr Index ceil_div(Index a, Index b) { return -floor_div(-a, b); }

/// Outputs z = stride * q + residue of the full result, for all q.
struct Phase {
  Index residue = 0;
  Index taps = 0;         ///< filter taps first_tap + j * tap_step, 0 <= j < taps
  Index first_tap = 0;    ///< t0
  Index origin = 0;       ///< o0: tap j reads input q - origin - j * input_step
  Index taps_before = 0;  ///< taps of all phases with a smaller residue
};

/// Outputs [begin, end) of one phase that all reach taps [tap_begin, tap_end) and no others.
struct Segment {
  Index begin = 0;
  Index end = 0;
  Index tap_begin = 0;
  Index tap_end = 0;
};

/// The phases of one axis. Those that have taps are listed; the others (where the stride exceeds
/// the filter, or shares a factor with the dilation) only see the bias.
class AxisPhases {
 public:
  AxisPhases() : AxisPhases(1, 1, 1) {}
  AxisPhases(Index filter, Index stride, Index dilation)
      : filter_(filter), stride_(stride), dilation_(dilation), gcd_(std::gcd(stride, dilation)) {
    // Tap t < tap_step() is the first of its phase: t*d and (t + s/g)*d are equal modulo s.
    const Index count = std::min(filter, tap_step());
    std::vector<Phase> list;
    list.reserve(static_cast<std::size_t>(count));
    for (Index tap = 0; tap < count; ++tap) {
      const Index residue = tap * dilation % stride;
      list.push_back({.residue = residue,
                      .taps = (filter - tap + tap_step() - 1) / tap_step(),
                      .first_tap = tap,
                      .origin = (tap * dilation - residue) / stride});
    }
    std::sort(list.begin(), list.end(),
              [](const Phase& a, const Phase& b) { return a.residue < b.residue; });
    Index taps = 0;
    for (Phase& phase : list) {
      phase.taps_before = taps;
      taps += phase.taps;
    }
    with_taps_ = std::make_shared<const std::vector<Phase>>(std::move(list));
  }

  Index filter() const { return filter_; }
  Index stride() const { return stride_; }
  Index dilation() const { return dilation_; }
  /// Filter taps from one tap of a phase to its next: s / g.
  Index tap_step() const { return stride_ / gcd_; }
  /// Input elements from one tap of a phase to its next: d / g.
  Index input_step() const { return dilation_ / gcd_; }

  /// The phases that have taps, smallest residue first.
  const std::vector<Phase>& with_taps() const { return *with_taps_; }
  /// Of one phase; the first has as many.
  Index most_taps() const { return with_taps_->front().taps; }

  /// The phase of a residue, 0 <= residue < stride.
  Phase phase(Index residue) const {
    const auto at =
        std::lower_bound(with_taps_->begin(), with_taps_->end(), residue,
                         [](const Phase& phase, Index wanted) { return phase.residue < wanted; });
    if (at != with_taps_->end() && at->residue == residue) return *at;
    return {.residue = residue};
  }

 private:
  Index filter_, stride_, dilation_, gcd_;
  std::shared_ptr<const std::vector<Phase>> with_taps_;  // shared by all copies
};

/// One axis of a call: the phases, the input and the window onto the full result.
struct CallAxis {
  const AxisPhases* phases = nullptr;
  Index input = 1;
  Window window{.output = 1, .offset = 0};

  /// All q that some phase has inside the window: [q_begin(), q_end()).
  Index q_begin() const { return floor_div(window.offset, phases->stride()); }
  Index q_end() const { return floor_div(window.offset + window.output - 1, phases->stride()) + 1; }
  /// These q as the window of a layer of stride 1.
  Window positions() const { return {.output = q_end() - q_begin(), .offset = q_begin()}; }

  /// Pairs of an input and a tap that meet in an output inside the window.
  Index pairs() const {
    const Index stride = phases->stride(), dilation = phases->dilation();
    // Other taps of a long filter reach no output of a short window.
    const Index first_tap =
        std::max<Index>(ceil_div(window.offset - (input - 1) * stride, dilation), 0);
    const Index last_tap =
        std::min(floor_div(window.offset + window.output - 1, dilation), phases->filter() - 1);
    Index count = 0;
    for (Index tap = first_tap; tap <= last_tap; ++tap) {
      const Index offset = window.offset - tap * dilation;
      const Index begin = std::max<Index>(ceil_div(offset, stride), 0);
      const Index end = std::min(floor_div(offset + window.output - 1, stride) + 1, input);
      count += std::max<Index>(end - begin, 0);
    }
    return count;
  }

  /// Calls visit(phase) for every phase that has an output in the window.
  template <typename Visit>
  void for_each_phase(Visit visit) const {
    // A window shorter than the stride holds only some residues; never walk the others.
    const Index stride = phases->stride();
    const Index count = std::min(stride, window.output);
    const Index first =
        window.output < stride ? window.offset - floor_div(window.offset, stride) * stride : 0;
    for (Index n = 0; n < count; ++n) visit(phases->phase((first + n) % stride));
  }
};

/// Outputs of `phase` inside the window and inside [q_begin, q_end), with no taps.
inline Segment outputs_of(const CallAxis& axis, const Phase& phase, Index q_begin, Index q_end) {
  const Index stride = axis.phases->stride();
  const Index offset = axis.window.offset - phase.residue;
  const Index begin = std::max(q_begin, ceil_div(offset, stride));
  const Index end = std::min(q_end, floor_div(offset + axis.window.output - 1, stride) + 1);
  return {.begin = begin, .end = std::max(begin, end)};
}

/// Calls visit(segment) for the outputs of `phase` inside the window and inside [q_begin, q_end),
/// in order. Outputs that reach no tap come as segments with no taps.
template <typename Visit>
void for_each_segment(const CallAxis& axis, const Phase& phase, Index q_begin, Index q_end,
                      Visit visit) {
  const Index step = axis.phases->input_step();
  const Segment outputs = outputs_of(axis, phase, q_begin, q_end);
  const Index end = outputs.end;
  if (phase.taps == 0) {
    if (outputs.begin < end) visit(outputs);
    return;
  }
  for (Index q = outputs.begin; q < end;) {
    // Tap j reaches the input when 0 <= q - origin - j*step < input: j in [low, high).
    const Index high = floor_div(q - phase.origin, step) + 1;
    const Index low = floor_div(q - phase.origin - axis.input, step) + 1;
    Segment segment{.begin = q, .end = end};
    segment.tap_begin = std::clamp<Index>(low, 0, phase.taps);
    segment.tap_end = std::clamp<Index>(high, segment.tap_begin, phase.taps);
    // The next q at which `high` (while below taps) or `low` (likewise) grows by one.
    if (high < phase.taps) {
      segment.end = std::min(segment.end, phase.origin + std::max<Index>(high, 0) * step);
    }
    if (low < phase.taps) {
      segment.end =
          std::min(segment.end, phase.origin + axis.input + std::max<Index>(low, 0) * step);
    }
    visit(segment);
    q = segment.end;
  }
}

/// Outputs inside the window that some tap reaches.
inline Index reached_outputs(const CallAxis& axis) {
  Index count = 0;
  for (const Phase& phase : axis.phases->with_taps()) {
    for_each_segment(axis, phase, axis.q_begin(), axis.q_end(), [&](const Segment& segment) {
      if (segment.tap_begin < segment.tap_end) count += segment.end - segment.begin;
    });
  }
  return count;
}

/// Outputs of `phase` inside the window and inside [q_begin, q_end) that reach tap j; taps [j, j +
/// 1).
inline Segment reach_of_tap(const CallAxis& axis, const Phase& phase, Index j, Index q_begin,
                            Index q_end) {
  const Segment outputs = outputs_of(axis, phase, q_begin, q_end);
  const Index first = phase.origin + j * axis.phases->input_step();
  Segment segment{.begin = std::max(outputs.begin, first),
                  .end = std::min(outputs.end, first + axis.input),
                  .tap_begin = j,
                  .tap_end = j + 1};
  segment.end = std::max(segment.begin, segment.end);
  return segment;
}

}  // namespace upconv::UPCONV_ABI::internal
