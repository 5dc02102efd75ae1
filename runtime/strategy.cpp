#include "strategy.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "gpu_plan.h"
#include "kernel_table.h"
#include "narrow_plan.h"
#include "scatter_plan.h"
#include "upconv/error.h"
#include "wide_plan.h"
#include "winograd_plan.h"

namespace upconv::UPCONV_ABI::internal {

/// One row of the table of strategies.
struct Strategy {
  const char* name;
  Arithmetic arithmetic;
  /// It computes every call of a layer that it has a cost for, whatever the weights are.
  bool complete;
  /// Nothing where the strategy cannot compute the layer.
  std::optional<KernelCost> (*cost)(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches);
  /// Null where it cannot compute the layer with these weights.
  std::shared_ptr<const Plan> (*pack)(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias);
};

namespace {

/// The first computes every layer; each other one is packed too where it is expected to be faster,
/// or alone, where it is complete and by far faster.
constexpr Strategy kStrategies[] = {
    {"wide", Arithmetic::kDirect, true, wide_cost, wide_pack},
    {"narrow", Arithmetic::kDirect, false, narrow_cost, narrow_pack},
    {"winograd", Arithmetic::kFast, false, winograd_cost, winograd_pack},
    {"scatter", Arithmetic::kFast, true, scatter_cost, scatter_pack},
};

/// Of the everyday strategy's cost: with less, another is packed alone. Then no extents are
/// expected to want the everyday one, whose weights of few channels are mostly padding.
constexpr double kAloneShare = 0.5;

/// The one strategy of a layer whose device is a GPU.
constexpr Strategy kGpuStrategy = {"gpu", Arithmetic::kDirect, true, gpu_cost, gpu_pack};

const Strategy& everyday_strategy(const LayerFacts& facts) {
  return facts.device == Device::kCpu ? kStrategies[0] : kGpuStrategy;
}

bool may_take(const Strategy& strategy, const LayerFacts& facts) {
  return facts.arithmetic == Arithmetic::kFast || strategy.arithmetic == Arithmetic::kDirect;
}

/// The cost of the everyday strategy. @throws as require_kernels
double everyday_cost(const LayerFacts& facts, const ExpectedCall& expected) {
  const std::optional<KernelCost> cost =
      everyday_strategy(facts).cost(facts, expected.axes, expected.images);
  if (cost) return cost->cost;
  throw Error(ErrorKind::kUnsupported, facts.label + ": this build has no kernel for " +
                                           std::string(to_string(facts.isa)) + " and " +
                                           std::string(to_string(facts.dtype)));
}

/// Strategies to pack for, a complete one first.
StrategyList strategies_for(const LayerFacts& facts) {
  StrategyList chosen = {&everyday_strategy(facts)};
  const ExpectedCall expected(facts);
  const double everyday = everyday_cost(facts, expected);
  double least = everyday;
  if (facts.device != Device::kCpu) return chosen;
  for (const Strategy& strategy : std::span(kStrategies).subspan(1)) {
    if (!may_take(strategy, facts)) continue;
    const std::optional<KernelCost> cost = strategy.cost(facts, expected.axes, expected.images);
    if (!cost || cost->cost >= least) continue;
    chosen.resize(1);
    chosen.push_back(&strategy);
    least = cost->cost;
  }
  if (chosen.back()->complete && least < kAloneShare * everyday) return {chosen.back()};
  return chosen;
}

/// The candidate of least cost, the first among equals, with what was weighed as its reason.
Choice least_of(std::vector<Choice> candidates, const LayerFacts& facts) {
  Choice& least = *std::min_element(
      candidates.begin(), candidates.end(),
      [](const Choice& a, const Choice& b) { return a.kernel.cost < b.kernel.cost; });
  if (facts.device != Device::kCpu) {
    least.reason = "the layer's device is \"" + std::string(to_string(facts.device)) + "\"";
    return std::move(least);
  }
  if (candidates.size() == 1) {
    const bool direct = facts.arithmetic == Arithmetic::kDirect;
    least.reason = direct ? "arithmetic is direct, and no other direct strategy is expected to win"
                          : "no other strategy is expected to win at the expected extents";
    return std::move(least);
  }
  std::string reason = "estimated vector multiply-adds:";
  for (const Choice& candidate : candidates) {
    char text[48];
    std::snprintf(text, sizeof text, " %s %.3g", candidate.strategy, candidate.kernel.cost);
    reason += text;
    reason += &candidate == &candidates.back() ? "" : ",";
  }
  least.reason = std::move(reason);
  return std::move(least);
}

}  // namespace

ExpectedCall::ExpectedCall(const LayerFacts& facts) : images(facts.expected_images) {
  for (int a = 0; a < 3; ++a) {
    axes[a] = {&facts.axes[a], facts.expected_inputs[a], facts.expected_windows[a]};
  }
}

PackedLayer::PackedLayer(const LayerFacts& facts, const Tensor& kernel, const Tensor* bias)
    : PackedLayer(facts, strategies_for(facts)) {
  pack(kernel, bias);
}

PackedLayer PackedLayer::with_weights(const Tensor& kernel, const Tensor* bias) const {
  PackedLayer layer(facts_, strategies_);
  layer.pack(kernel, bias);
  return layer;
}

void PackedLayer::pack(const Tensor& kernel, const Tensor* bias) {
  for (const Strategy* strategy : strategies_) {
    std::shared_ptr<const Plan> plan = strategy->pack(facts_, kernel, bias);
    if (plan != nullptr) plans_.push_back(std::move(plan));
  }
}

PackedLayer PackedLayer::with_bias(const Tensor* bias) const {
  PackedLayer layer(facts_, strategies_);
  for (const auto& plan : plans_) layer.plans_.push_back(plan->with_bias(bias));
  return layer;
}

const Plan& PackedLayer::plan_for(const CallAxis (&axes)[3], Index batches) const {
  const Plan* best = plans_.front().get();
  if (plans_.size() == 1) return *best;
  double least = best->cost(axes, batches).cost;
  for (const auto& plan : std::span(plans_).subspan(1)) {
    const double cost = plan->cost(axes, batches).cost;
    if (cost < least) {
      least = cost;
      best = plan.get();
    }
  }
  return *best;
}

std::size_t PackedLayer::packed_bytes() const {
  std::size_t bytes = 0;
  for (const auto& plan : plans_) bytes += plan->packed_bytes();
  return bytes;
}

Arithmetic arithmetic_of(std::string_view strategy) {
  for (const Strategy& row : kStrategies) {
    if (row.name == strategy) return row.arithmetic;
  }
  return Arithmetic::kDirect;
}

std::vector<std::shared_ptr<const Plan>> plans_of_all_strategies(const LayerFacts& facts,
                                                                 const Tensor& kernel,
                                                                 const Tensor* bias) {
  std::vector<std::shared_ptr<const Plan>> plans;
  for (const Strategy& strategy : kStrategies) {
    if (!may_take(strategy, facts)) continue;
    std::shared_ptr<const Plan> plan = strategy.pack(facts, kernel, bias);
    if (plan != nullptr) plans.push_back(std::move(plan));
  }
  return plans;
}

void require_kernels(const LayerFacts& facts) { everyday_cost(facts, ExpectedCall(facts)); }

Choice PackedLayer::choice(const CallAxis (&axes)[3], Index batches) const {
  std::vector<Choice> candidates;
  for (const auto& plan : plans_) {
    candidates.push_back({plan->strategy(), plan->cost(axes, batches), {}});
  }
  return least_of(std::move(candidates), facts_);
}

Choice choose_strategy(const LayerFacts& facts, const CallAxis (&axes)[3], Index batches) {
  std::vector<Choice> candidates;
  for (const Strategy* strategy : strategies_for(facts)) {
    candidates.push_back({strategy->name, *strategy->cost(facts, axes, batches), {}});
  }
  return least_of(std::move(candidates), facts);
}

int worth_threads(const Call& call, const LayerFacts& facts, int threads, bool started) {
  if (threads == 1) return 1;
  const double per_pixel =
      static_cast<double>(call.batch_count()) * static_cast<double>(facts.output_size);
  double work = per_pixel * static_cast<double>(facts.taps() * facts.input_size);
  double outputs = per_pixel;
  for (const CallAxis& axis : call.axes) {
    work *= static_cast<double>(axis.input);
    outputs *= static_cast<double>(axis.window.output);
  }
  // An output that sees no tap costs about as much as a few multiply-adds to write.
  work = std::max(work, 8 * outputs);
  const TargetSizes& sizes = target_sizes(facts.isa);
  const double share = started ? sizes.thread_multiply_adds : sizes.new_thread_multiply_adds;
  return static_cast<int>(std::clamp(work / share, 1.0, static_cast<double>(threads)));
}

}  // namespace upconv::UPCONV_ABI::internal
