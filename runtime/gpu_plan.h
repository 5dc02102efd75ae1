// The strategy of layers whose device is a GPU: all phases in one launch (generators/gpu_phases.h).
#pragma once

#include <memory>
#include <optional>

#include "strategy.h"

namespace upconv::internal {

/// Nothing to choose: a number above 0. @throws as require_gpu; kUnsupported for float64
std::optional<KernelCost> gpu_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                   Index batches);

/// Copies the weights to the device. @throws as gpu_cost; Error kUnsupported for weights that are
/// not finite, kLimitExceeded, kOutOfMemory
std::shared_ptr<const Plan> gpu_pack(const LayerFacts& facts, const Tensor& kernel,
                                     const Tensor* bias);

}  // namespace upconv::internal
