// The narrow strategy as a Plan: scratch, threads and cost.
#include "narrow_plan.h"

#include <algorithm>
#include <utility>

#include "narrow_run.h"
#include "units.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

const char* charge_narrow(Bill& bill, const NarrowLayout& layout, const CallAxis (&axes)[3],
                          Index batches) {
  for (const NarrowSet& set : layout.sets) {
    if (set.pieces.empty()) continue;
    charge_strips(bill, layout, axes, batches);
    return set.pieces.front().tiles.front().kernel->name;
  }
  return "";
}

class NarrowPlan final : public Plan {
 public:
  NarrowPlan(std::shared_ptr<const NarrowLayout> layout, std::shared_ptr<const Tensor> weights,
             const Tensor* bias)
      : shared_layout_(std::move(layout)), layout_(*shared_layout_), weights_(std::move(weights)) {
    if (bias != nullptr) bias_ = Tensor::copy_of(*bias, layout_.memory);
  }

  const char* strategy() const override { return "narrow"; }
  const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const override {
    return charge_narrow(bill, layout_, axes, batches);
  }
  std::shared_ptr<const Plan> with_bias(const Tensor* bias) const override {
    return std::make_shared<NarrowPlan>(shared_layout_, weights_, bias);
  }
  std::size_t packed_bytes() const override {
    const Index elements = weights_->size() + (bias_ ? bias_->size() : 0);
    return static_cast<std::size_t>(elements) * size_of(layout_.dtype);
  }
  std::size_t scratch_bytes_per_thread() const override {
    return (narrow_scratch_bytes(layout_) + 63) / 64 * 64;
  }
  // Strips are copied and written with 64-bit offsets.
  void check(const Call&) const override {}
  void run(const Call& call, int threads, Executor* executor,
           std::span<std::byte> scratch) const override;

 private:
  std::shared_ptr<const NarrowLayout> shared_layout_;
  const NarrowLayout& layout_;
  std::shared_ptr<const Tensor> weights_;
  std::optional<Tensor> bias_;
};

void NarrowPlan::run(const Call& call, int threads, Executor* executor,
                     std::span<std::byte> scratch) const {
  const NarrowRunner runner(layout_, *weights_, bias_ ? &*bias_ : nullptr, call, threads);
  for_each_unit(runner.strips(), threads, executor, scratch, scratch_bytes_per_thread(),
                [&](std::span<std::byte> mine) {
                  // A strip keeps x of the one before.
                  return [&runner, mine, last = Index{-1}](Index strip) mutable {
                    runner.run_strip(strip, last, mine);
                    last = strip;
                  };
                });
}

}  // namespace

std::optional<KernelCost> narrow_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                      Index batches) {
  const std::optional<NarrowLayout> layout = narrow_layout(facts);
  if (!layout) return std::nullopt;
  Bill bill;
  const char* kernel = charge_narrow(bill, *layout, axes, batches);
  return KernelCost{kernel, bill.total};
}

std::shared_ptr<const Plan> narrow_pack(const LayerFacts& facts, const Tensor& kernel,
                                        const Tensor* bias) {
  std::optional<NarrowLayout> layout = narrow_layout(facts);
  if (!layout) return nullptr;
  std::optional<Tensor> weights = pack_narrow(*layout, kernel);
  if (!weights) return nullptr;
  return std::make_shared<NarrowPlan>(std::make_shared<const NarrowLayout>(std::move(*layout)),
                                      std::make_shared<const Tensor>(std::move(*weights)), bias);
}

}  // namespace upconv::UPCONV_ABI::internal
