// Checking a layer's options and a call's tensors.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "phases.h"
#include "upconv/convolution_transpose.h"

namespace upconv::UPCONV_ABI::internal {

/// Filters, strides, dilations and crops are bounded so that no product of two overflows 62 bits,
/// and a dilated filter's length fits the kernels' 32-bit steps.
inline constexpr Index kLargest = std::numeric_limits<std::int32_t>::max();

/// `ConvolutionTranspose "decoder"`: how every message starts.
std::string label(const std::string& name);

/// @param what starts the message
/// @throws Error kUnsupported when this machine has no kernels for `isa`, or does not run them.
void require_runnable(const std::string& what, Isa isa);

/// @throws Error kInvalidArgument for an instruction set beside a device that has none of them.
void require_cpu(Device device, Isa isa, const std::string& label);

/// Options that are consistent, in the form that calls need.
struct CheckedOptions {
  ConvolutionTransposeOptions options;  ///< filter_shape, strides ... expanded to rank values
  std::string label;
  Axis axes[3];       ///< of the rank's axes only, slowest first
  Dims kernel_shape;  ///< filter_shape ++ [input_size, output_size]
  Dims bias_shape;    ///< [output_size]
};

/// @throws Error kInvalidArgument or kLimitExceeded naming the option, its value and the rule.
CheckedOptions check_options(ConvolutionTransposeOptions options);

/// The windows of a call and its output's shape. Spatial axes are the last of windows[0..2].
struct CallShape {
  Index inputs[3] = {1, 1, 1};
  Window windows[3] = {{1, 0}, {1, 0}, {1, 0}};
  Dims output;
};

/// @param output_lengths asked for by the call, in the place of the options' own.
/// @throws Error kShapeMismatch for a rank, channels or extents that do not fit; a channels-first
///         shape is recognised and named. As infer_window.
CallShape check_input_shape(const CheckedOptions& checked, const Dims& input_shape,
                            const std::optional<PerAxis>& output_lengths = {});

/// @throws Error for an output view that is null, of the wrong dtype or shape, that writes an
///         element twice, or whose channels are not contiguous.
void check_output(const CheckedOptions& checked, const TensorView& y, const Dims& shape);

/// @throws Error when the memory of two views intersects.
void check_no_overlap(const std::string& label, const ConstTensorView& a, const char* a_name,
                      const ConstTensorView& b, const char* b_name);

/// @throws Error for null data with elements, or another dtype than the layer's.
void check_tensor(const CheckedOptions& checked, const ConstTensorView& view, const char* name);

}  // namespace upconv::UPCONV_ABI::internal
