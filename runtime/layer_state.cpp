#include "layer_state.h"

#include <string>
#include <utility>

#include "upconv/error.h"

namespace upconv {

using internal::LayerFacts;
using internal::Plan;

ConvolutionTranspose::State::State(const State& from)
    : checked(from.checked),
      kernel_variable(from.kernel_variable),
      bias_variable(from.bias_variable),
      packed(from.packed) {
  const std::lock_guard guard(from.other_lock_);
  other_ = from.other_;
}

LayerFacts ConvolutionTranspose::State::facts_for(Isa isa) const {
  internal::require_runnable(checked.label, isa);
  LayerFacts facts = packed->facts();
  facts.isa = isa;
  return facts;
}

std::shared_ptr<const Plan> ConvolutionTranspose::State::packed_for(std::optional<Isa> isa) const {
  if (!isa || *isa == packed->facts().isa) return packed;
  const LayerFacts facts = facts_for(*isa);
  const std::lock_guard guard(other_lock_);
  if (other_ == nullptr || other_->facts().isa != *isa) {
    if (kernel() == nullptr) {
      throw Error(ErrorKind::kUnsupported,
                  checked.label + ": isa is " + std::string(to_string(*isa)) +
                      "; the layer is packed for " + std::string(to_string(packed->facts().isa)) +
                      " and its kernel was dropped");
    }
    other_ = pack_layer(facts, *kernel(), bias());
  }
  return other_;
}

std::shared_ptr<const Plan> ConvolutionTranspose::State::pack(const Tensor& kernel,
                                                              const Tensor* bias) const {
  return pack_layer(packed->facts(), kernel, bias);
}

void ConvolutionTranspose::State::take(std::shared_ptr<const Plan> plan) {
  packed = std::move(plan);
  const std::lock_guard guard(other_lock_);
  other_.reset();
}

std::size_t ConvolutionTranspose::State::packed_bytes() const {
  const std::lock_guard guard(other_lock_);
  return packed->packed_bytes() + (other_ != nullptr ? other_->packed_bytes() : 0);
}

LayerFacts layer_facts(const internal::CheckedOptions& checked, Isa isa) {
  LayerFacts facts;
  const std::size_t rank = static_cast<std::size_t>(checked.options.rank);
  for (std::size_t a = 0; a < rank; ++a) {
    const Axis& axis = checked.axes[a];
    facts.axes[3 - rank + a] = internal::AxisPhases(axis.filter, axis.stride, axis.dilation);
  }
  facts.input_size = checked.options.input_size;
  facts.output_size = checked.options.output_size;
  facts.dtype = checked.options.dtype;
  facts.isa = isa;
  facts.label = checked.label;
  return facts;
}

std::shared_ptr<const Plan> pack_layer(const LayerFacts& facts, const Tensor& kernel,
                                       const Tensor* bias) {
  return internal::choose_strategy(facts).pack(facts, kernel, bias);
}

}  // namespace upconv
