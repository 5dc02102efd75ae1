// The winograd strategy's row: tiles of outputs by Toom-Cook transforms (winograd_layout.h).
#pragma once

#include "strategy.h"
#include "winograd_layout.h"

namespace upconv::UPCONV_ABI::internal {

std::optional<KernelCost> winograd_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                        Index batches);
/// Packs a layer. Null where a weight is not finite.
std::shared_ptr<const Plan> winograd_plan(WinogradLayout layout, const Tensor& kernel,
                                          const Tensor* bias);
/// Null where the strategy does not apply, or a weight is not finite.
std::shared_ptr<const Plan> winograd_pack(const LayerFacts& facts, const Tensor& kernel,
                                          const Tensor* bias);

}  // namespace upconv::UPCONV_ABI::internal
