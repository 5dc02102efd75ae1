#include "wide_fold.h"

#include <cstring>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Phases beyond this fill vectors as they are, and the ends of rows would be mostly in vain.
constexpr Index kMostFactor = 16;

}  // namespace

CallAxis Fold::axis(const CallAxis& w) const {
  if (factor == 1) return w;
  return {&facts.axes[2], w.input, w.positions()};
}

Fold fold(const LayerFacts& facts) {
  const AxisPhases& w = facts.axes[2];
  Fold folded{.facts = facts};
  if (w.stride() == 1 || w.stride() > kMostFactor || w.dilation() != 1 ||
      w.filter() % w.stride() != 0) {
    return folded;
  }
  folded.factor = w.stride();
  folded.facts.axes[2] = AxisPhases(w.filter() / w.stride(), 1, 1);
  folded.facts.output_size *= folded.factor;
  return folded;
}

std::optional<Tensor> fold_bias(Index phases, const Tensor* bias) {
  if (bias == nullptr) return std::nullopt;
  Tensor folded(bias->dtype(), {phases * bias->size()});
  const std::size_t run = static_cast<std::size_t>(bias->size()) * size_of(bias->dtype());
  auto* to = static_cast<std::byte*>(folded.data());
  for (Index phase = 0; phase < phases; ++phase, to += run) {
    std::memcpy(to, bias->data(), run);
  }
  return folded;
}

FoldedCall::FoldedCall(const Fold& fold, const Call& from)
    : call(from),
      run(fold.facts.output_size),
      last(fold.facts.output_size),
      channels(fold.facts.output_size) {
  if (fold.factor == 1) return;
  const CallAxis& w = from.axes[2];
  const Index size = static_cast<Index>(size_of(from.dtype));
  const Index own = channels / fold.factor;
  // Outputs of the first position that lie before the window.
  const Index before = w.window.offset - w.q_begin() * fold.factor;
  first = before * own;
  last = (w.window.offset + w.window.output - (w.q_end() - 1) * fold.factor) * own;

  y_step = from.y_strides[2];
  residual_step = from.residual != nullptr ? from.residual_strides[2] : y_step;
  if (y_step != own || residual_step != own) run = own;
  call.axes[2] = fold.axis(w);
  // With one position there is no step, and the product may not fit.
  const Index factor = call.axes[2].window.output > 1 ? fold.factor : 0;
  call.y_strides[2] *= factor;
  call.residual_strides[2] *= factor;
  // Channel 0 of the first position; what lies before the window is neither read nor written.
  call.y -= before * y_step * size;
  if (call.residual != nullptr) call.residual -= before * residual_step * size;
}

}  // namespace upconv::UPCONV_ABI::internal
