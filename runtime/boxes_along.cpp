#include "boxes_along.h"

#include <algorithm>

namespace upconv::UPCONV_ABI::internal {

namespace {

double real(Index value) { return static_cast<double>(value); }

/// Of first, first + step ..., `count` of them, those between low and high, both not included.
Index inside(Index first, Index step, Index count, Index low, Index high) {
  const Index begin = std::clamp<Index>(floor_div(low - first, step) + 1, 0, count);
  const Index end = std::clamp<Index>(ceil_div(high - first, step), begin, count);
  return end - begin;
}

}  // namespace

BoxesAlong::BoxesAlong(const CallAxis& axis, bool slide) {
  const Index step = axis.phases->input_step(), inputs = axis.input;
  const Index q_begin = axis.q_begin(), q_end = axis.q_end();
  axis.for_each_phase([&](const Phase& phase) {
    const Segment outputs = outputs_of(axis, phase, q_begin, q_end);
    const Index begin = outputs.begin, end = outputs.end;
    if (begin >= end) return;
    if (phase.taps == 0) {
      gaps += 1;
      gap_outputs += real(end - begin);
      return;
    }
    // Tap j reaches outputs [origin + j * step, origin + j * step + inputs).
    const Index first = phase.origin, beyond = first + inputs;
    const Index last = (phase.taps - 1) * step;
    const Index cuts =
        inside(first, step, phase.taps, begin, end) + inside(beyond, step, phase.taps, begin, end);
    // Where one tap begins as another ends there is one cut; these segments are one that slides.
    const Index both =
        inputs % step == 0 ? inside(beyond, step, phase.taps - inputs / step, begin, end) : 0;
    const Index slid = slide && step == 1 ? std::max<Index>(both - 1, 0) : 0;
    const Index reach_begin = std::max(begin, first), reach_end = std::min(end, beyond + last);
    const Index between = step > inputs ? phase.taps - 1 : 0;  // gaps between taps
    const Index lone = (begin < first ? 1 : 0) + (end > beyond + last ? 1 : 0) + between;
    const Index segments = std::max<Index>(cuts + 1 - both - slid, 1);
    const Index alone = std::min(lone, segments);
    gaps += real(alone);
    reached += real(segments - alone);
    Index outputs_reached = std::max<Index>(reach_end - reach_begin, 0);
    if (between > 0) outputs_reached = std::min(outputs_reached, inputs * phase.taps);
    gap_outputs += real(end - begin - outputs_reached);
    const Index whole = std::max<Index>(std::min(end, beyond) - std::max(begin, first + last), 0);
    inner.outputs += real(whole);
    inner.pairs += real(whole * phase.taps);
    inner.extent = std::max(inner.extent, whole);
    edge.outputs += real(outputs_reached - whole);
  });
  edge.pairs = std::max(0.0, real(axis.pairs()) - inner.pairs);
  edge.extent = std::max<Index>(1, std::min(step, inputs));
}

}  // namespace upconv::UPCONV_ABI::internal
