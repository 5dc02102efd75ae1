// The strategy of layers whose device is a GPU: all phases in one launch (generators/gpu_phases.h).
#pragma once

#include <memory>
#include <optional>

#include "gpu_array.h"
#include "strategy.h"

namespace upconv::UPCONV_ABI::internal {

class GpuPlan final : public Plan {
 public:
  /// @throws Error kOutOfMemory
  GpuPlan(const LayerFacts& facts, Gpu gpu, std::shared_ptr<const GpuArray> weights,
          const Tensor* bias);

  const char* strategy() const override { return "gpu"; }
  const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const override;
  std::shared_ptr<const Plan> with_bias(const Tensor* bias) const override;
  std::size_t packed_bytes() const override;
  std::size_t scratch_bytes_per_thread() const override { return 0; }
  void check(const Call& call) const override;
  void run(const Call& call, int threads, Executor* executor,
           std::span<std::byte> scratch) const override;

  /// What run() does between its copies: of a checked call, with dense tensors on the device
  /// (residual null: none). Returns before the device is done. @throws Error kUnsupported
  void launch(const Call& call, const GpuArray& x, const GpuArray* residual,
              const GpuArray& y) const;
  const Gpu& gpu() const { return gpu_; }

 private:
  LayerFacts facts_;
  Gpu gpu_;
  std::shared_ptr<const GpuArray> weights_;
  GpuArray bias_;
};

/// Nothing to choose: a number above 0. @throws as require_gpu; kUnsupported for float64
std::optional<KernelCost> gpu_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                   Index batches);

/// A GpuPlan, its weights copied to the device. @throws as gpu_cost; Error kUnsupported for weights
/// that are not finite, kLimitExceeded, kOutOfMemory
std::shared_ptr<const Plan> gpu_pack(const LayerFacts& facts, const Tensor& kernel,
                                     const Tensor* bias);

}  // namespace upconv::UPCONV_ABI::internal
