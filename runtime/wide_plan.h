// The wide strategy's row: register tiles of pixels x output channels (schedules/wide.h).
#pragma once

#include "strategy.h"
#include "wide_fold.h"

namespace upconv::UPCONV_ABI::internal {

/// The layer as it is cheaper to compute, for its expected extents.
Fold choose_fold(const LayerFacts& facts);

std::optional<KernelCost> wide_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches);
std::shared_ptr<const Plan> wide_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias);

}  // namespace upconv::UPCONV_ABI::internal
