#include "options.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>

#include "files.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Most rows (tap, input channel) of a kernel: those of one block of output channels, up to 63
/// wide, fit the kernels' 32-bit offsets on every ISA. Known before anything is allocated for the
/// taps.
constexpr Index kMostRows = Index{1} << 25;

[[noreturn]] void invalid(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, message);
}

std::string at(const char* name, int axis) {
  return std::string(name) + "[" + std::to_string(axis) + "]";
}

void check_size(const std::string& label, const char* name, Index value) {
  if (value < 1 || value > kLargest) {
    invalid(label + ": " + name + " is " + std::to_string(value) + "; it must be from 1 to " +
            std::to_string(kLargest));
  }
}

std::vector<Index> positive(const std::string& label, const char* name, const PerAxis& values,
                            int rank) {
  std::vector<Index> expanded = values.expand(rank, label + ": " + name);
  for (int axis = 0; axis < rank; ++axis) {
    check_size(label, at(name, axis).c_str(), expanded[static_cast<std::size_t>(axis)]);
  }
  return expanded;
}

bool is_split(Padding::Kind kind) {
  return kind == Padding::Kind::kSplitUpper || kind == Padding::Kind::kSplitLower;
}

void check_output_padding(const std::string& label, const Axis& axis, int index) {
  const Index value = *axis.output_padding;
  const bool is_explicit = axis.padding == Padding::Kind::kExplicit;
  const Index limit = is_explicit ? std::max(axis.stride, axis.dilation) : axis.stride;
  const std::string what =
      label + ": " + at("output_padding", index) + " is " + std::to_string(value) + "; it must be ";
  if (value < 0) invalid(what + "at least 0");
  if (value < limit || is_split(axis.padding)) return;
  if (is_explicit) {
    invalid(what + "below max(" + at("strides", index) + ", " + at("dilations", index) +
            ") = " + std::to_string(limit) + " with explicit padding");
  }
  invalid(what + "below " + at("strides", index) + " = " + std::to_string(limit) + " with " +
          (axis.padding == Padding::Kind::kSame ? "SAME" : "VALID") + " padding");
}

/// Options that say the same thing twice. (To split, output_padding is a part of what is split.)
void check_given_together(const std::string& label, const ConvolutionTransposeOptions& options) {
  const Padding::Kind kind = options.padding.kind();
  if (!options.output_padding || is_split(kind)) return;
  if (options.output_lengths || kind == Padding::Kind::kFixedBegin) {
    invalid(label + ": output_padding and output_lengths are both given; with " +
            to_string(options.padding) + " padding one of them is the rule");
  }
}

Index check_length(const std::string& label, Index length, int index) {
  if (length >= 0) return length;
  invalid(label + ": " + at("output_lengths", index) + " is " + std::to_string(length) +
          "; it must be at least 0");
}

/// The axes of one call: with the lengths it asks for, if it does.
std::array<Axis, 3> axes_of_call(const CheckedOptions& checked,
                                 const std::optional<PerAxis>& output_lengths) {
  std::array<Axis, 3> axes = std::to_array(checked.axes);
  if (!output_lengths) return axes;
  const std::vector<Index> lengths =
      output_lengths->expand(checked.options.rank, checked.label + ": output_lengths of the call");
  for (std::size_t a = 0; a < std::min(lengths.size(), axes.size()); ++a) {
    axes[a].length = check_length(checked.label, lengths[a], static_cast<int>(a));
  }
  return axes;
}

/// Runs `body`; what it throws gets `what()` in front, which no call makes that goes well.
template <typename What, typename Body>
auto with_context(What what, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(error.kind(), what() + error.what());
  }
}

/// @throws Error kLimitExceeded that names `name` when the elements are too many to count.
void require_countable(const std::string& label, const char* name, const Dims& shape) {
  with_context([&] { return label + ": " + name + " "; }, [&] { return element_count(shape); });
}

/// First and one past the last byte of a view that has elements.
std::pair<std::uintptr_t, std::uintptr_t> byte_range(const ConstTensorView& view) {
  const auto size = static_cast<std::intptr_t>(size_of(view.dtype()));
  std::intptr_t low = 0, high = 0;
  for (std::size_t axis = 0; axis < view.shape().size(); ++axis) {
    const Index span = (view.shape()[axis] - 1) * view.strides()[axis];
    (span < 0 ? low : high) += span;
  }
  const auto base = reinterpret_cast<std::uintptr_t>(view.data());
  return {base + static_cast<std::uintptr_t>(low * size),
          base + static_cast<std::uintptr_t>((high + 1) * size)};
}

/// True when two views are disjoint ranges of channels of one bigger channels-last tensor: same
/// strides, which are whole pixels of that tensor, and channels within one pixel.
bool different_slices(const ConstTensorView& a, const ConstTensorView& b) {
  if (a.shape().size() != b.shape().size() || a.shape().empty()) return false;
  const std::size_t channel = a.shape().size() - 1;
  const auto contiguous = [&](const ConstTensorView& view) {
    return view.shape()[channel] == 1 || view.strides()[channel] == 1;
  };
  if (!contiguous(a) || !contiguous(b)) return false;
  Index pixel = 0;  // the greatest step that all steps between pixels are multiples of
  for (std::size_t axis = 0; axis < channel; ++axis) {
    for (const ConstTensorView* view : {&a, &b}) {
      if (view->shape()[axis] > 1) pixel = std::gcd(pixel, view->strides()[axis]);
    }
  }
  if (pixel == 0) return false;
  const auto size = static_cast<std::intptr_t>(size_of(a.dtype()));
  const std::intptr_t apart =
      reinterpret_cast<std::intptr_t>(b.data()) - reinterpret_cast<std::intptr_t>(a.data());
  if (apart % size != 0) return false;
  // Channels of b start `from` elements into the pixels of a, and end before the next pixel.
  const Index from = ((apart / size) % pixel + pixel) % pixel;
  return from >= a.shape()[channel] && from + b.shape()[channel] <= pixel;
}

}  // namespace

void require_cpu(Device device, Isa isa, const std::string& label) {
  if (device == Device::kCpu) return;
  invalid(label + ": isa is " + std::string(to_string(isa)) +
          "; it must be absent where device is \"" + std::string(to_string(device)) + "\"");
}

std::string label(const std::string& name) {
  return "ConvolutionTranspose \"" + printable(std::string_view(name)) + "\"";
}

CheckedOptions check_options(ConvolutionTransposeOptions options) {
  const std::string what = label(options.name);
  if (options.isa) require_cpu(options.device, *options.isa, what);
  if (options.rank < 1 || options.rank > 3) {
    invalid(what + ": rank is " + std::to_string(options.rank) + "; it must be 1, 2 or 3");
  }
  const int rank = options.rank;
  check_size(what, "input_size", options.input_size);
  check_size(what, "output_size", options.output_size);
  const std::vector<Index> filter = positive(what, "filter_shape", options.filter_shape, rank);
  const std::vector<Index> strides = positive(what, "strides", options.strides, rank);
  const std::vector<Index> dilations = positive(what, "dilations", options.dilations, rank);
  const Padding::Pairs pairs = options.padding.pairs();
  const bool in_pairs = options.padding.kind() == Padding::Kind::kExplicit ||
                        options.padding.kind() == Padding::Kind::kFixedBegin;
  if (in_pairs && pairs.size() != static_cast<std::size_t>(rank)) {
    invalid(what + ": padding has " + std::to_string(pairs.size()) +
            " [begin, end] pairs; it must have one per axis, " + std::to_string(rank));
  }
  std::vector<Index> output_padding;
  if (options.output_padding) {
    output_padding = options.output_padding->expand(rank, what + ": output_padding");
  }

  std::vector<Index> lengths;
  if (options.output_lengths) {
    lengths = options.output_lengths->expand(rank, what + ": output_lengths");
  }
  check_given_together(what, options);

  CheckedOptions checked;
  checked.options = std::move(options);
  checked.label = what;
  for (std::size_t a = 0; a < static_cast<std::size_t>(rank); ++a) {
    const int index = static_cast<int>(a);
    Axis& axis = checked.axes[a];
    axis.filter = filter[a];
    axis.stride = strides[a];
    axis.dilation = dilations[a];
    axis.padding = checked.options.padding.kind();
    if ((axis.filter - 1) * axis.dilation >= kLargest) {
      invalid(what + ": " + at("dilations", index) + " is " + std::to_string(axis.dilation) +
              "; (filter_shape - 1) * dilations + 1 must be at most " + std::to_string(kLargest) +
              ", and filter_shape is " + std::to_string(axis.filter));
    }
    if (in_pairs) {
      axis.crop_begin = pairs[a].first;
      axis.crop_end = pairs[a].second;
      for (const Index crop : {axis.crop_begin, axis.crop_end}) {
        if (crop < -kLargest || crop > kLargest) {
          invalid(what + ": " + at("padding", index) + " is " + std::to_string(crop) +
                  "; it must be within " + std::to_string(kLargest) + " of 0");
        }
      }
    }
    if (!output_padding.empty()) {
      axis.output_padding = output_padding[a];
      check_output_padding(what, axis, index);
    }
    if (!lengths.empty()) axis.length = check_length(what, lengths[a], index);
    checked.kernel_shape.push_back(axis.filter);
  }
  checked.kernel_shape.push_back(checked.options.input_size);
  checked.kernel_shape.push_back(checked.options.output_size);
  checked.bias_shape.push_back(checked.options.output_size);
  Index bytes = 0;
  try {
    bytes = element_count(checked.kernel_shape);
  } catch (const Error&) {
    bytes = std::numeric_limits<Index>::max();
  }
  // Packing pads and doubles at worst; keep all of it far from overflow.
  if (bytes > std::numeric_limits<Index>::max() / 1024) {
    throw Error(ErrorKind::kLimitExceeded, what + ": kernel of shape " +
                                               to_string(checked.kernel_shape) +
                                               " is larger than any memory");
  }
  Index rows = 1;
  for (std::size_t a = 0; a <= static_cast<std::size_t>(rank); ++a) {
    rows *= checked.kernel_shape[a];
    if (rows > kMostRows) {
      throw Error(ErrorKind::kLimitExceeded,
                  what + ": kernel has shape " + to_string(checked.kernel_shape) +
                      "; the product of filter_shape and input_size must be at most " +
                      std::to_string(kMostRows));
    }
  }
  checked.options.filter_shape = filter;
  checked.options.strides = strides;
  checked.options.dilations = dilations;
  if (!output_padding.empty()) checked.options.output_padding = output_padding;
  if (!lengths.empty()) checked.options.output_lengths = lengths;
  return checked;
}

CallShape check_input_shape(const CheckedOptions& checked, const Dims& input_shape,
                            const std::optional<PerAxis>& output_lengths) {
  const auto rank = static_cast<std::size_t>(checked.options.rank);
  const Index channels = checked.options.input_size;
  const auto mismatch = [&](const std::string& rule) {
    throw Error(ErrorKind::kShapeMismatch,
                checked.label + ": input has shape " + to_string(input_shape) + "; " + rule);
  };
  if (input_shape.size() < rank + 1) {
    mismatch("it must be [batch..., spatial..., channels] with " + std::to_string(rank) +
             " spatial axes");
  }
  const std::size_t batch_axes = input_shape.size() - rank - 1;
  for (const Index extent : input_shape) {
    if (extent < 0) mismatch("extents must be at least 0");
  }
  require_countable(checked.label, "input", input_shape);
  if (input_shape.back() != channels) {
    const std::size_t first = batch_axes;
    const bool channels_first = input_shape[first] == channels;
    mismatch("its last axis must be input_size = " + std::to_string(channels) +
             (channels_first ? " (axis " + std::to_string(first) +
                                   " is: this looks channels-first; channels_first_to_last() "
                                   "converts it)"
                             : ""));
  }
  const std::array<Axis, 3> axes = axes_of_call(checked, output_lengths);
  CallShape shape;
  for (std::size_t axis = 0; axis < batch_axes; ++axis) shape.output.push_back(input_shape[axis]);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::size_t slot = 3 - rank + axis;
    shape.inputs[slot] = input_shape[batch_axes + axis];
    shape.windows[slot] =
        with_context([&] { return checked.label + ": axis " + std::to_string(axis); },
                     [&] { return infer_window(axes[axis], shape.inputs[slot], ""); });
    shape.output.push_back(shape.windows[slot].output);
  }
  shape.output.push_back(checked.options.output_size);
  require_countable(checked.label, "output", shape.output);
  return shape;
}

void check_tensor(const CheckedOptions& checked, const ConstTensorView& view, const char* name) {
  if (view.dtype() != checked.options.dtype) {
    throw Error(ErrorKind::kShapeMismatch, checked.label + ": " + name + " is " +
                                               std::string(to_string(view.dtype())) +
                                               "; it must be the layer's dtype, " +
                                               std::string(to_string(checked.options.dtype)));
  }
  if (element_count(view.shape()) == 0) return;
  if (view.data() == nullptr) {
    invalid(checked.label + ": " + name + " of shape " + to_string(view.shape()) +
            " is null; it must point to its elements");
  }
  if (reinterpret_cast<std::uintptr_t>(view.data()) % size_of(view.dtype()) != 0) {
    invalid(checked.label + ": " + name + " is at an address that is no multiple of " +
            std::to_string(size_of(view.dtype())) + " bytes; elements must be aligned");
  }
  // The whole span, in bytes, must fit the address space: later arithmetic relies on it.
  Index span = 0;
  for (std::size_t axis = 0; axis < view.shape().size(); ++axis) {
    Index step = 0;
    const Index stride = view.strides()[axis];
    if (stride == std::numeric_limits<Index>::min() ||
        __builtin_mul_overflow(view.shape()[axis] - 1, std::abs(stride), &step) ||
        __builtin_add_overflow(span, step, &span) ||
        span > std::numeric_limits<Index>::max() / 64) {
      throw Error(ErrorKind::kLimitExceeded,
                  checked.label + ": " + name + " has shape " + to_string(view.shape()) +
                      " and strides " + to_string(view.strides()) +
                      "; its elements must lie within the address space");
    }
  }
}

void check_output(const CheckedOptions& checked, const TensorView& y, const Dims& shape) {
  if (!(y.shape() == shape)) {
    throw Error(ErrorKind::kShapeMismatch, checked.label + ": output has shape " +
                                               to_string(y.shape()) + "; it must be " +
                                               to_string(shape));
  }
  check_tensor(checked, y, "output");
  if (element_count(shape) == 0) return;
  const auto bad_strides = [&](const std::string& rule) {
    invalid(checked.label + ": output of shape " + to_string(shape) + " has strides " +
            to_string(y.strides()) + "; " + rule);
  };
  if (shape.back() > 1 && y.strides().back() != 1) {
    bad_strides("its channels must be contiguous (last stride 1)");
  }
  // No element twice: sorted by stride, each axis must step over all that the smaller ones span.
  std::array<std::pair<Index, Index>, kMaxAxes> steps;  // (stride, extent)
  std::size_t count = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    if (y.strides()[axis] < 1) bad_strides("strides of an output must be positive");
    steps[count++] = {y.strides()[axis], shape[axis]};
  }
  std::sort(steps.begin(), steps.begin() + count);
  Index span = 1;
  for (const auto& [stride, extent] : std::span(steps).first(count)) {
    if (stride < span) bad_strides("two indices must not name the same element");
    span = stride * (extent - 1) + span;
  }
}

void check_no_overlap(const std::string& label, const ConstTensorView& a, const char* a_name,
                      const ConstTensorView& b, const char* b_name) {
  if (element_count(a.shape()) == 0 || element_count(b.shape()) == 0) return;
  const auto [a_begin, a_end] = byte_range(a);
  const auto [b_begin, b_end] = byte_range(b);
  if (a_begin >= b_end || b_begin >= a_end) return;
  if (different_slices(a, b)) return;
  invalid(label + ": " + a_name + " and " + b_name +
          " lie in the same range of memory; they must not overlap");
}

}  // namespace upconv::UPCONV_ABI::internal
