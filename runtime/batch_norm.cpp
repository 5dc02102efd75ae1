#include "upconv/batch_norm.h"

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

/// One number per channel in double.
std::vector<double> per_channel(const std::optional<ConstTensorView>& values, double fallback,
                                Index channels, std::string_view name) {
  if (!values) return std::vector<double>(static_cast<std::size_t>(channels), fallback);
  if (values->shape() != Dims{channels}) {
    throw Error(ErrorKind::kShapeMismatch, "fold_batch_norm: " + std::string(name) + " has shape " +
                                               to_string(values->shape()) + "; it must be " +
                                               to_string(Dims{channels}));
  }
  const Tensor exact = Tensor::cast(*values, DType::kFloat64);
  const std::span<const double> span = exact.values<double>();
  return {span.begin(), span.end()};
}

std::optional<ConstTensorView> view(const std::optional<Tensor>& tensor) {
  if (!tensor) return std::nullopt;
  return tensor->view();
}

}  // namespace

KernelBias fold_batch_norm(const ConstTensorView& kernel,
                           const std::optional<ConstTensorView>& bias,
                           const BatchNorm& batch_norm) {
  if (kernel.shape().empty()) {
    throw Error(ErrorKind::kShapeMismatch,
                "fold_batch_norm: kernel has shape []; it must be [..., output_size]");
  }
  const Index channels = kernel.shape().back();
  const auto bias_values = per_channel(bias, 0, channels, "bias");
  const auto gamma = per_channel(view(batch_norm.gamma), 1, channels, "gamma");
  const auto beta = per_channel(view(batch_norm.beta), 0, channels, "beta");
  const auto mean = per_channel(batch_norm.mean.view(), 0, channels, "mean");
  const auto variance = per_channel(batch_norm.variance.view(), 1, channels, "variance");

  const std::size_t count = gamma.size();
  std::vector<double> scale(count);
  Tensor new_bias(DType::kFloat64, {channels});
  const std::span<double> shift = new_bias.values<double>();
  for (std::size_t c = 0; c < count; ++c) {
    const double spread = variance[c] + batch_norm.epsilon;
    if (!(spread > 0)) {  // NaN too
      throw Error(ErrorKind::kInvalidArgument, "fold_batch_norm: variance[" + std::to_string(c) +
                                                   "] + epsilon is " + std::to_string(spread) +
                                                   "; it must be above 0");
    }
    scale[c] = gamma[c] / std::sqrt(spread);
    shift[c] = (bias_values[c] - mean[c]) * scale[c] + beta[c];
  }

  Tensor new_kernel = Tensor::cast(kernel, DType::kFloat64);
  const std::span<double> weights = new_kernel.values<double>();
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] *= scale[i % count];
  return {Tensor::cast(new_kernel, kernel.dtype()), Tensor::cast(new_bias, kernel.dtype())};
}

}  // namespace upconv::UPCONV_ABI
