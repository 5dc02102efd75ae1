#include "layer_state.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

using internal::LayerFacts;
using internal::PackedLayer;

ConvolutionTranspose::State::State(const State& from)
    : checked(from.checked),
      kernel_variable(from.kernel_variable),
      bias_variable(from.bias_variable),
      packed(from.packed) {
  const std::lock_guard guard(from.other_lock_);
  other_ = from.other_;
}

LayerFacts ConvolutionTranspose::State::facts_for(Isa isa) const {
  LayerFacts facts = packed->facts();
  facts.set_isa(isa);
  return facts;
}

std::shared_ptr<const PackedLayer> ConvolutionTranspose::State::packed_for(
    std::optional<Isa> isa) const {
  if (!isa) return packed;
  internal::require_cpu(checked.options.device, *isa, checked.label);
  if (*isa == packed->facts().isa) return packed;
  internal::require_runnable(checked.label, *isa);
  const std::lock_guard guard(other_lock_);
  if (other_ == nullptr || other_->facts().isa != *isa) {
    if (kernel() == nullptr) {
      throw Error(ErrorKind::kUnsupported,
                  checked.label + ": isa is " + std::string(to_string(*isa)) +
                      "; the layer is packed for " + std::string(to_string(packed->facts().isa)) +
                      " and its kernel was dropped");
    }
    other_ = std::make_shared<const PackedLayer>(facts_for(*isa), *kernel(), bias());
  }
  return other_;
}

std::shared_ptr<const PackedLayer> ConvolutionTranspose::State::pack(const Tensor& kernel,
                                                                     const Tensor* bias) const {
  return std::make_shared<const PackedLayer>(packed->with_weights(kernel, bias));
}

void ConvolutionTranspose::State::take(std::shared_ptr<const PackedLayer> repacked) {
  packed = std::move(repacked);
  const std::lock_guard guard(other_lock_);
  other_.reset();
}

void ConvolutionTranspose::State::take_bias(const Tensor& bias) {
  const std::lock_guard guard(other_lock_);
  auto next = std::make_shared<const PackedLayer>(packed->with_bias(&bias));
  if (other_ != nullptr) other_ = std::make_shared<const PackedLayer>(other_->with_bias(&bias));
  packed = std::move(next);
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
  internal::CallShape expected;
  if (checked.options.expected_input_shape) {
    const Dims& shape = *checked.options.expected_input_shape;
    expected = internal::check_input_shape(checked, shape);
    for (std::size_t axis = 0; axis + rank + 1 < shape.size(); ++axis) {
      facts.expected_images *= shape[axis];
    }
    facts.expected_images = std::max<Index>(facts.expected_images, 1);
  } else {
    // The usual extents, and where a window is cut from the whole result, all of it: a crop may be
    // more than these have.
    const Index extent = kUsualExtent[rank];
    for (std::size_t a = 0; a < rank; ++a) {
      const internal::AxisPhases& axis = facts.axes[3 - rank + a];
      expected.inputs[3 - rank + a] = extent;
      expected.windows[3 - rank + a] = {
          (extent - 1) * axis.stride() + (axis.filter() - 1) * axis.dilation() + 1, 0};
    }
  }
  std::copy(std::begin(expected.inputs), std::end(expected.inputs), facts.expected_inputs);
  std::copy(std::begin(expected.windows), std::end(expected.windows), facts.expected_windows);
  facts.input_size = checked.options.input_size;
  facts.output_size = checked.options.output_size;
  facts.dtype = checked.options.dtype;
  facts.arithmetic = checked.options.arithmetic;
  facts.device = checked.options.device;
  facts.set_isa(isa);
  facts.memory = checked.options.memory;
  facts.label = checked.label;
  return facts;
}

}  // namespace upconv::UPCONV_ABI
