#include "boxes_along.h"

#include <algorithm>

#include "bill.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Of first, first + step ..., `count` of them, those between low and high, both not included.
Index inside(Index first, Index step, Index count, Index low, Index high) {
  const Index begin = std::clamp<Index>(floor_div(low - first, step) + 1, 0, count);
  const Index end = std::clamp<Index>(ceil_div(high - first, step), begin, count);
  return end - begin;
}

/// Of a phase with taps: tap j reaches outputs [first + j * step, first + j * step + inputs).
struct Reach {
  Index first, step, taps, inputs;

  Index last() const { return first + (taps - 1) * step; }  ///< first output of the last tap
  Index beyond() const { return first + inputs; }           ///< of the first tap
  /// Gaps are between the outputs of one tap and of the next.
  bool apart() const { return step > inputs; }

  /// Outputs below q that some tap reaches.
  Index below(Index q) const {
    if (!apart()) return std::clamp<Index>(q - first, 0, last() + inputs - first);
    const Index tap = std::clamp<Index>(floor_div(q - first, step), 0, taps);
    const Index within = tap < taps ? q - first - tap * step : 0;
    return tap * inputs + std::clamp<Index>(within, 0, inputs);
  }
  /// Gaps with an output in [begin, end): before, behind and between the outputs of taps.
  Index gaps(Index begin, Index end) const {
    Index count = (begin < first ? 1 : 0) + (end > last() + inputs ? 1 : 0);
    if (apart()) {
      const Index from = std::max<Index>(0, floor_div(begin - first, step));
      const Index to = std::min(taps - 1, ceil_div(end - beyond(), step));
      count += std::max<Index>(0, to - from);
    }
    return count;
  }
};

}  // namespace

BoxesAlong::BoxesAlong(const CallAxis& axis, bool slide) {
  const Index q_begin = axis.q_begin(), q_end = axis.q_end();
  // Phases without taps are one gap each: those in the window that are not listed. A stride may be
  // 2^31, so they are not walked.
  gaps = real(std::min(axis.phases->stride(), axis.window.output));
  for (const Phase& phase : axis.phases->with_taps()) {
    const Segment outputs = outputs_of(axis, phase, q_begin, q_end);
    const Index begin = outputs.begin, end = outputs.end;
    if (begin >= end) continue;
    gaps -= 1;
    const Reach reach{phase.origin, axis.phases->input_step(), phase.taps, axis.input};
    // There is a cut where a tap begins and one where it ends; they may be the same.
    const Index both =
        reach.inputs % reach.step == 0
            ? inside(reach.beyond(), reach.step,
                     std::max<Index>(0, reach.taps - reach.inputs / reach.step), begin, end)
            : 0;
    const Index cuts = inside(reach.first, reach.step, reach.taps, begin, end) +
                       inside(reach.beyond(), reach.step, reach.taps, begin, end) - both;
    // With more taps than inputs, outputs that see all inputs slide.
    const Index see_all =
        std::min(end, reach.last() + 1) - std::max(begin, reach.beyond() - reach.step);
    const bool slides = slide && reach.step == 1 && reach.taps > reach.inputs;
    const Index slid = slides ? std::max<Index>(see_all - 1, 0) : 0;
    const Index of_gaps = reach.gaps(begin, end);
    gaps += real(of_gaps);
    reached += real(cuts + 1 - slid - of_gaps);
    const Index of_taps = reach.below(end) - reach.below(begin);
    const Index whole =
        std::max<Index>(std::min(end, reach.beyond()) - std::max(begin, reach.last()), 0);
    inner.outputs += real(whole);
    inner.pairs += real(whole * phase.taps);
    inner.extent = std::max(inner.extent, whole);
    edge.outputs += real(of_taps - whole);
    edge.extent = std::max<Index>(1, std::min(reach.step, reach.inputs));
  }
  edge.pairs = real(axis.pairs()) - inner.pairs;
}

}  // namespace upconv::UPCONV_ABI::internal
