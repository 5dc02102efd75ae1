#include "kernel_order.h"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "files.h"
#include "options.h"
#include "permuted.h"
#include "upconv/conventions.h"

namespace upconv::UPCONV_ABI {

namespace internal {

namespace {

struct OrderNames {
  KernelOrder order;
  std::string_view axes;
  std::string_view advice;  ///< whose it is, and how it becomes ours
};

constexpr std::array kOrders = {
    OrderNames{KernelOrder::kOurs, "[filter..., input_size, output_size]",
               "the order of this library"},
    OrderNames{KernelOrder::kOutputInputLast, "[filter..., output_size, input_size]",
               "the order of Keras and TensorFlow: swap the last two axes"},
    OrderNames{KernelOrder::kInputOutputFirst, "[input_size, output_size, filter...]",
               "the order of PyTorch and ONNX: move the first two axes to the end"},
    OrderNames{KernelOrder::kOutputInputFirst, "[output_size, input_size, filter...]",
               "the order of oneDNN: move the first two axes to the end and swap them"},
};

const OrderNames& names_of(KernelOrder order) { return kOrders[static_cast<std::size_t>(order)]; }

Dims shape_in(KernelOrder order, const Dims& kernel_shape) {
  Dims shape;
  for (const Index axis : axes_in(order, kernel_shape.size() - 2)) {
    shape.push_back(kernel_shape[static_cast<std::size_t>(axis)]);
  }
  return shape;
}

/// The first order of that shape other than `wanted`; its names, or null.
const OrderNames* order_of(const Dims& shape, const Dims& kernel_shape, KernelOrder wanted) {
  for (const OrderNames& each : kOrders) {
    if (each.order != wanted && shape == shape_in(each.order, kernel_shape)) return &each;
  }
  return nullptr;
}

}  // namespace

Dims axes_in(KernelOrder order, std::size_t rank) {
  const Index input = static_cast<Index>(rank), output = input + 1;
  const auto channels_first = [&](Dims axes) {
    for (Index axis = 0; axis < input; ++axis) axes.push_back(axis);
    return axes;
  };
  if (order == KernelOrder::kInputOutputFirst) return channels_first({input, output});
  if (order == KernelOrder::kOutputInputFirst) return channels_first({output, input});
  Dims axes = channels_first({});
  axes.push_back(order == KernelOrder::kOurs ? input : output);
  axes.push_back(order == KernelOrder::kOurs ? output : input);
  return axes;
}

Dims flat_shape(const Dims& shape) {
  const std::span<const Index> all(shape.begin(), shape.size());
  return {element_count(Dims(all.first(shape.size() - 1))), shape.back()};
}

std::string other_order(const Dims& shape, const Dims& kernel_shape) {
  if (const OrderNames* const fits = order_of(shape, kernel_shape, KernelOrder::kOurs)) {
    return "; it would fit as " + std::string(fits->axes) + ", " + std::string(fits->advice);
  }
  const Dims flat = flat_shape(kernel_shape);
  if (shape == Dims{flat[1], flat[0]}) return "; it would fit transposed";
  return "";
}

}  // namespace internal

namespace {

using namespace internal;

struct ConventionNames {
  std::string_view name;
  KernelOrder order;
};

ConventionNames names_of(Convention convention) {
  switch (convention) {
    case Convention::kKeras:
      return {"Keras", KernelOrder::kOutputInputLast};
    case Convention::kTensorFlow:
      return {"TensorFlow", KernelOrder::kOutputInputLast};
    case Convention::kPyTorch:
      return {"PyTorch", KernelOrder::kInputOutputFirst};
    case Convention::kOnnx:
      return {"ONNX", KernelOrder::kInputOutputFirst};
    case Convention::kOpenVino:
      return {"OpenVINO", KernelOrder::kInputOutputFirst};
    case Convention::kOneDnn:
      break;
  }
  return {"oneDNN", KernelOrder::kOutputInputFirst};
}

/// "input_size", or "filter extent 1", of our kernel's axis.
std::string axis_name(Index axis, std::size_t rank) {
  const auto at = static_cast<std::size_t>(axis);
  if (at < rank) return "filter extent " + std::to_string(axis);
  return at == rank ? "input_size" : "output_size";
}

/// Refuses a kernel of another shape than that order's: the first wrong axis, and whose it may be.
void check_shape(const internal::CheckedOptions& checked, std::string_view whose, KernelOrder order,
                 const Dims& shape) {
  const Dims wanted = shape_in(order, checked.kernel_shape);
  if (shape == wanted) return;
  const std::size_t rank = wanted.size() - 2;
  std::string text = "kernel in " + std::string(whose) + "'s order has shape " + to_string(shape) +
                     "; it must be " + to_string(wanted) + " = " +
                     std::string(internal::names_of(order).axes);
  if (shape.size() == wanted.size()) {
    std::size_t axis = 0;
    while (shape[axis] == wanted[axis]) ++axis;
    text += ": axis " + std::to_string(axis) + " is " + std::to_string(shape[axis]) + ", and " +
            axis_name(axes_in(order, rank)[axis], rank) + " is " + std::to_string(wanted[axis]);
  }
  if (const auto* const fits = order_of(shape, checked.kernel_shape, order)) {
    text += "; it would fit as " + std::string(fits->axes) + ", " +
            std::string(fits->advice.substr(0, fits->advice.find(':')));
  }
  internal::fail(ErrorKind::kShapeMismatch, checked.label, text);
}

}  // namespace

Dims kernel_shape(Convention convention, const ConvolutionTransposeOptions& options) {
  const Dims ours = internal::check_options(options).kernel_shape;
  return internal::shape_in(names_of(convention).order, ours);
}

Tensor kernel_from(Convention convention, const ConstTensorView& kernel,
                   const ConvolutionTransposeOptions& options) {
  const internal::CheckedOptions checked = internal::check_options(options);
  const auto& [name, order] = names_of(convention);
  check_shape(checked, name, order, kernel.shape());
  const Dims theirs = axes_in(order, static_cast<std::size_t>(options.rank));
  Dims source = theirs;  // the inverse: where each of our axes stands there
  for (std::size_t at = 0; at < theirs.size(); ++at) {
    source[static_cast<std::size_t>(theirs[at])] = static_cast<Index>(at);
  }
  return internal::permuted(kernel, source);
}

Tensor kernel_to(Convention convention, const ConstTensorView& kernel,
                 const ConvolutionTransposeOptions& options) {
  const internal::CheckedOptions checked = internal::check_options(options);
  check_shape(checked, "this library", KernelOrder::kOurs, kernel.shape());
  return internal::permuted(
      kernel, axes_in(names_of(convention).order, static_cast<std::size_t>(options.rank)));
}

}  // namespace upconv::UPCONV_ABI
