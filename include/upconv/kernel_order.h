// The order of a kernel's axes in other libraries.
#pragma once

#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

struct ConvolutionTransposeOptions;

/// Whose order a kernel's axes are in. None of them flips the filter.
enum class Convention {
  kKeras,       ///< [filter..., output, input]
  kTensorFlow,  ///< [filter..., output, input]
  kPyTorch,     ///< [input, output, filter...]
  kOnnx,        ///< [input, output, filter...]
  kOpenVino,    ///< [input, output, filter...]
  kOneDnn,      ///< [output, input, filter...]
};

/// The shape of the layer's kernel there.
/// @throws Error kInvalidArgument as ConvolutionTranspose for options that are no layer's.
Dims kernel_shape(Convention convention, const ConvolutionTransposeOptions& options);

/// A copy of a kernel in that order as ours, `filter_shape ++ [input_size, output_size]`.
/// @throws Error kShapeMismatch naming the first axis that is wrong, and whose order would fit.
Tensor kernel_from(Convention convention, const ConstTensorView& kernel,
                   const ConvolutionTransposeOptions& options);

/// A copy of our kernel in that order. @throws as kernel_from.
Tensor kernel_to(Convention convention, const ConstTensorView& kernel,
                 const ConvolutionTransposeOptions& options);

}  // namespace upconv::UPCONV_ABI
