// Batch normalisation, folded into the weights of the layer before it.
#pragma once

#include <optional>

#include "upconv/convolution_transpose.h"
#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// A trained batch normalisation over the channels:
/// y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, each `[output_size]`.
struct BatchNorm {
  std::optional<Tensor> gamma;  ///< absent: 1
  std::optional<Tensor> beta;   ///< absent: 0
  Tensor mean;                  ///< the moving mean
  Tensor variance;              ///< the moving variance
  double epsilon = 1e-3;        ///< Keras' default; PyTorch's is 1e-5
};

/// Weights with which a layer computes batch_norm(layer(x)): for an inference, a normalisation
/// costs nothing. Exact up to one rounding per weight (computed in double), at borders too. The
/// layer must be linear up to the normalisation (its activation, if any, comes after it), and must
/// have been made with use_bias, for the result always has a bias.
/// @param kernel `[..., output_size]`, of any number of axes.
/// @param bias `[output_size]`, or none for a layer without bias.
/// @return both in C order, in the kernel's dtype.
/// @throws Error kShapeMismatch when a shape differs; kInvalidArgument when variance + epsilon is
///         not above 0 for a channel.
KernelBias fold_batch_norm(const ConstTensorView& kernel,
                           const std::optional<ConstTensorView>& bias, const BatchNorm& batch_norm);

}  // namespace upconv::UPCONV_ABI
