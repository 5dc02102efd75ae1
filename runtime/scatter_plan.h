// The scatter strategy's row: multiply first, then add.
//
// Each input is multiplied with the weights of all taps, a matrix product over the input channels
// with taps * output_size columns, and the products are added to the outputs that the taps reach:
//
//   p[i, (j, c)] = sum over ci of x[i, ci] * w[j, ci, c]
//   y[s*i + d*j - offset, c] += p[i, (j, c)]                for all inputs i in row-major order
//
// Narrow outputs fill the wide strategy's tiles so: 3 channels of 4x4 taps are 48 columns. It is
// what libraries call GEMM and col2im, but for some hundred inputs, or taps, at a time, in scratch.
// A sum over all taps and channels is rounded in another order than the direct one, so this is fast
// arithmetic; its error is smaller (docs/accuracy.md).
#pragma once

#include <optional>

#include "scatter_layout.h"

namespace upconv::UPCONV_ABI::internal {

std::optional<KernelCost> scatter_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                       Index batches);
/// Null where the strategy cannot compute the layer.
std::shared_ptr<const Plan> scatter_pack(const LayerFacts& facts, const Tensor& kernel,
                                         const Tensor* bias);

}  // namespace upconv::UPCONV_ABI::internal
