// The wide strategy's fold: the phases of axis w as output channels.
//
// Where the filter is a multiple of the stride along w, with no dilation, the stride's phases all
// have as many taps and read the same inputs, and their outputs at a position q are neighbours in
// memory. Such a layer is also one of stride 1 along w with stride * output_size channels:
//
//   [position q][residue r of w][channel]
//
// 21 channels at stride 2 are then 42, which fill vectors of 8 or 16 better; x is read half as
// often, and y is written in longer runs. A window may begin or end within a position: there, only
// some of the channels exist. Values are the same bit by bit: a sum has the same taps in the same
// order.
#pragma once

#include <optional>
#include <utility>

#include "call.h"
#include "chunk.h"
#include "strategy.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// A layer as the wide strategy computes it.
struct Fold {
  LayerFacts facts;  ///< of the layer to pack and run
  Index factor = 1;  ///< phases of w that are one; 1: the layer as it is

  /// Axis w of a call of `facts`, from that of the layer itself.
  CallAxis axis(const CallAxis& w) const;
};

/// The layer with its phases along w folded; with a factor of 1 where it has no such form.
Fold fold(const LayerFacts& facts);

/// The bias (null: none) of a layer of which so many phases are channels, from the layer's own.
std::optional<Tensor> fold_bias(Index phases, const Tensor* bias);

/// A call of the folded layer, and where its channels are.
struct FoldedCall {
  FoldedCall(const Fold& fold, const Call& from);

  Call call;
  /// Channels that are neighbours in y and in the residual: all, or those of one residue where
  /// positions do not follow one another there.
  Index run = 1;
  Index y_step = 0, residual_step = 0;  ///< from run to run, in elements
  /// Channels that the window has of the first position along w and of the last: from `first` on,
  /// below `last`. All of the others'.
  Index first = 0, last = 0;
  Index channels = 0;  ///< of a whole position

  /// True where every position has all channels, in one run.
  bool whole() const { return run == channels && first == 0 && last == channels; }

  /// Calls visit(part, begin, end) for the parts of a box whose positions all have channels [begin,
  /// end).
  template <typename Visit>
  void for_each_part(const Box& box, Visit visit) const;
};

template <typename Visit>
void FoldedCall::for_each_part(const Box& box, Visit visit) const {
  const Segment& whole = box.segment[2];
  const Index q_first = call.axes[2].window.offset;
  const Index q_last = q_first + call.axes[2].window.output - 1;
  const bool cut_first = first > 0 && whole.begin == q_first;
  const bool cut_last = last < channels && whole.end == q_last + 1;
  if (!cut_first && !cut_last) {
    visit(box, Index{0}, channels);
    return;
  }
  Box part = box;
  for (Index q = whole.begin; q < whole.end; q = part.segment[2].end) {
    const bool at_first = cut_first && q == q_first, at_last = cut_last && q == q_last;
    part.segment[2].begin = q;
    part.segment[2].end = at_first || at_last ? q + 1 : whole.end - (cut_last ? 1 : 0);
    visit(std::as_const(part), at_first ? first : 0, at_last ? last : channels);
  }
}

}  // namespace upconv::UPCONV_ABI::internal
