// The winograd strategy as a Plan: scratch, threads and cost.
#include "winograd_plan.h"

#include <utility>

#include "units.h"
#include "wide_fold.h"
#include "winograd_fold.h"
#include "winograd_run.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

const char* main_kernel(const WinogradLayout& layout) {
  // The phases of most taps give the strategy its kernel's name.
  const WinogradAxis(&by_axis)[3] = layout.by_axis;
  const TilePasses& passes =
      layout.passes[by_axis[0].kinds - 1][by_axis[1].kinds - 1][by_axis[2].kinds - 1];
  return passes.output[0].kernel->name;
}

Tensor packed_bias(const WinogradLayout& layout, const Tensor* bias) {
  const std::optional<Tensor> folded = fold_bias(layout.factor(), bias);
  return pack_part_bias(layout, layout.parts, folded ? &*folded : nullptr);
}

class WinogradPlan final : public Plan {
 public:
  WinogradPlan(std::shared_ptr<const WinogradLayout> layout, std::shared_ptr<const Tensor> weights,
               const Tensor* bias)
      : shared_layout_(std::move(layout)),
        layout_(*shared_layout_),
        weights_(std::move(weights)),
        bias_(packed_bias(layout_, bias)) {}

  const char* strategy() const override { return "winograd"; }
  const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const override {
    charge_winograd(bill, layout_, axes, batches);
    return main_kernel(layout_);
  }
  std::shared_ptr<const Plan> with_bias(const Tensor* bias) const override {
    return std::make_shared<WinogradPlan>(shared_layout_, weights_, bias);
  }
  std::size_t packed_bytes() const override {
    return static_cast<std::size_t>(weights_->size() + bias_.size()) * size_of(layout_.dtype);
  }
  std::size_t scratch_bytes_per_thread() const override {
    return (winograd_scratch_bytes(layout_) + 63) / 64 * 64;
  }
  // Tiles are found with 64-bit offsets.
  void check(const Call&) const override {}
  void run(const Call& call, int threads, Executor* executor,
           std::span<std::byte> scratch) const override;

 private:
  std::shared_ptr<const WinogradLayout> shared_layout_;
  const WinogradLayout& layout_;
  std::shared_ptr<const Tensor> weights_;
  Tensor bias_;
};

void WinogradPlan::run(const Call& call, int threads, Executor* executor,
                       std::span<std::byte> scratch) const {
  const WinogradRunner runner(layout_, *weights_, bias_, call, threads);
  for_each_range(threads, executor, scratch, scratch_bytes_per_thread(),
                 [&](std::span<std::byte> mine, int range) {
                   return [&runner, mine, cursor = WinogradRunner::Cursor{range}](Index n) mutable {
                     return runner.run(n, cursor, mine);
                   };
                 });
}

}  // namespace

std::optional<KernelCost> winograd_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                        Index batches) {
  const std::optional<WinogradLayout> layout = winograd_or_folded_layout(facts);
  if (!layout) return std::nullopt;
  return KernelCost{main_kernel(*layout), winograd_time(*layout, axes, batches)};
}

std::shared_ptr<const Plan> winograd_plan(WinogradLayout layout, const Tensor& kernel,
                                          const Tensor* bias) {
  std::optional<Tensor> weights = pack_winograd(layout, kernel);
  if (!weights) return nullptr;
  return std::make_shared<WinogradPlan>(std::make_shared<const WinogradLayout>(std::move(layout)),
                                        std::make_shared<const Tensor>(std::move(*weights)), bias);
}

std::shared_ptr<const Plan> winograd_pack(const LayerFacts& facts, const Tensor& kernel,
                                          const Tensor* bias) {
  std::optional<WinogradLayout> layout = winograd_or_folded_layout(facts);
  return layout ? winograd_plan(std::move(*layout), kernel, bias) : nullptr;
}

}  // namespace upconv::UPCONV_ABI::internal
