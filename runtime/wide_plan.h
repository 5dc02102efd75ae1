// The wide strategy's row: register tiles of pixels x output channels (schedules/wide.h).
#pragma once

#include "strategy.h"
#include "wide_fold.h"

namespace upconv::UPCONV_ABI::internal {

/// The layer as it is cheaper to compute, for its expected extents.
Fold choose_fold(const LayerFacts& facts, bool runs = false);

std::optional<KernelCost> wide_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches);
std::shared_ptr<const Plan> wide_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias);

/// The same with *runs*, for layers of few input channels: the taps along w and the channels of
/// their inputs, which follow one another in x, are summed in one loop. Of 3 channels and taps that
/// is one of 9 in the place of three of 3, each of which begins and ends. The last tap comes first
/// then, so it is another order of summation.
std::optional<KernelCost> runs_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches);
std::shared_ptr<const Plan> runs_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias);

}  // namespace upconv::UPCONV_ABI::internal
