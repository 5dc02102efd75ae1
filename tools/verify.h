// Checking a layer's result against the definition, one output element at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "upconv/convolution_transpose.h"
#include "upconv/tensor.h"

namespace upconv::tools {

/// Tensors for a layer and an input shape whose result is known without rounding: small whole
/// numbers, the kernel's scaled by a power of two so that sums are near 1 and activations are not
/// saturated. (As long as a sum has fewer than 2^20 terms, which a float32 holds exactly.)
struct Problem {
  Tensor input;
  Tensor kernel;
  std::optional<Tensor> bias;
};

/// @throws Error kShapeMismatch when the shape does not fit the layer.
Problem make_problem(const ConvolutionTransposeOptions& options, const Dims& input_shape,
                     std::uint64_t seed = 1);

/// Sets the layer's kernel and bias to the problem's.
void assign(ConvolutionTranspose& layer, const Problem& problem);

/// Compares elements of `output` with the definition (shape.h) evaluated in double precision,
/// naively: every pair of an input element and a tap that falls on the element. Checks all
/// elements when they are few, else a sample that has both ends of every axis.
/// Shares no code with the kernels or with shape inference.
/// @return the first difference, in words; nothing when there is none.
std::optional<std::string> find_difference(const ConvolutionTransposeOptions& options,
                                           const Problem& problem, const Tensor& output);

/// Floating-point operations of a call: two for each product of an input element and a tap.
struct Operations {
  double all = 0;            ///< before the crop: 2 * prod(input shape) * taps * output_size
  double in_window = 0;      ///< those that reach an output element
  double weights_share = 1;  ///< of the kernel: the taps of which any reaches an output element
};
Operations count_operations(const ConvolutionTransposeOptions& options, const Dims& input_shape);

/// Bytes that a call cannot do without reading: the input, and the weights that reach an output.
std::size_t bytes_to_read(const Operations& operations, const Tensor& input, const Tensor& kernel);

}  // namespace upconv::tools
