// The narrow strategy's row: vectors along the pixels, for few output channels.
#pragma once

#include "strategy.h"

namespace upconv::UPCONV_ABI::internal {

std::optional<KernelCost> narrow_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                      Index batches);
std::shared_ptr<const Plan> narrow_pack(const LayerFacts& facts, const Tensor& kernel,
                                        const Tensor* bias);

}  // namespace upconv::UPCONV_ABI::internal
