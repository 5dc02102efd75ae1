// The wide strategy as a Plan: limits, scratch and threads.
#include "wide_plan.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "gaps.h"
#include "units.h"
#include "upconv/error.h"
#include "wide_cost.h"
#include "wide_run.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// A fold must save so much, since the ends of rows cost more with it.
constexpr double kFoldGain = 0.95;
/// With more input channels, sums in pieces (wide_pieces.h) may be worth more than a fold.
constexpr Index kMostFoldedInputs = 1024;

class WidePlan final : public Plan {
 public:
  WidePlan(Fold fold, WideWeights packed) : fold_(std::move(fold)), packed_(std::move(packed)) {}

  const char* strategy() const override { return "wide"; }
  const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const override {
    const CallAxis folded[3] = {axes[0], axes[1], fold_.axis(axes[2])};
    return charge_wide(bill, packed_.layout, packed_.layout.parts, folded, batches);
  }
  std::shared_ptr<const Plan> with_bias(const Tensor* bias) const override {
    const WideLayout& layout = packed_.layout;
    const std::optional<Tensor> folded = fold_bias(fold_.factor, bias);
    Tensor packed = pack_part_bias(layout, layout.parts, folded ? &*folded : nullptr);
    return std::make_shared<WidePlan>(fold_,
                                      WideWeights{layout, packed_.weights, std::move(packed)});
  }
  std::size_t packed_bytes() const override {
    return static_cast<std::size_t>(packed_.weights->size() + packed_.bias.size()) *
           size_of(packed_.layout.dtype);
  }
  std::size_t scratch_bytes_per_thread() const override;
  void check(const Call& call) const override;
  void run(const Call& call, int threads, Executor* executor,
           std::span<std::byte> scratch) const override;

 private:
  Fold fold_;
  WideWeights packed_;
};

std::size_t WidePlan::scratch_bytes_per_thread() const {
  Index channels = 0;
  for (const Part& part : packed_.layout.parts) {
    channels = std::max(channels, part.block_channels());
  }
  const std::size_t tile =
      static_cast<std::size_t>(kTablePixels * channels) * size_of(packed_.layout.dtype);
  return (Scratch::kTableBytes + tile + 63) / 64 * 64;
}

void WidePlan::check(const Call& call) const {
  Index reach = packed_.layout.input_size;
  for (int axis = 0; axis < 3; ++axis) {
    const AxisPhases& phases = *call.axes[axis].phases;
    // Taps that reach an input lie within the input, and within a phase.
    const Index taps =
        std::min(phases.most_taps(), ceil_div(call.axes[axis].input, phases.input_step()));
    if (taps < 2) continue;
    Index span = 0;
    if (__builtin_mul_overflow((taps - 1) * phases.input_step(), std::abs(call.x_strides[axis]),
                               &span) ||
        __builtin_add_overflow(reach, span, &reach)) {
      reach = std::numeric_limits<Index>::max();
      break;
    }
  }
  if (reach > kLargestOffset) {
    throw Error(ErrorKind::kLimitExceeded, packed_.layout.label +
                                               ": the taps of one output reach over " +
                                               std::to_string(reach) + " input elements; at most " +
                                               std::to_string(kLargestOffset) + " are supported");
  }
}

void WidePlan::run(const Call& call, int threads, Executor* executor,
                   std::span<std::byte> scratch) const {
  const WideLayout& layout = packed_.layout;
  FoldedCall folded(fold_, call);
  const Index output_size = layout.output_size / fold_.factor;
  if (gaps_pay(call, output_size)) {
    // The first of the folded channels are the layer's own.
    fill_gaps(call, output_size, layout.isa, static_cast<const std::byte*>(packed_.bias.data()),
              threads, executor);
    folded.call.gaps_filled = true;
  }
  const WideRunner runner(folded, packed_);
  const std::size_t share = scratch_bytes_per_thread();
  if (threads == 1) {
    runner.work(Scratch(scratch.first(share)), runner.grain(1), [](double) { return true; });
    return;
  }
  const WideRunner::Grain grain = runner.grain(threads);
  double cost = 1;
  runner.work(Scratch(scratch.first(share)), grain, [&](double unit) {
    cost += unit;
    return false;
  });
  Ranges ranges;
  executor->run(threads, [&](int thread) {
    const Scratch mine(scratch.subspan(static_cast<std::size_t>(thread) * share, share));
    for (const bool own : {true, false}) {
      // (A type of this file: names that hold one from elsewhere are too long to be demangled.)
      runner.work(mine, grain,
                  [claims = Claims(ranges, threads, cost, thread, own)](double unit) mutable {
                    return claims(unit);
                  });
    }
  });
}

}  // namespace

Fold choose_fold(const LayerFacts& facts) {
  Fold folded = fold(facts);
  if (folded.factor == 1 || facts.input_size > kMostFoldedInputs) return {.facts = facts};
  const ExpectedCall expected(facts);
  const CallAxis axes[3] = {expected.axes[0], expected.axes[1], folded.axis(expected.axes[2])};
  const auto cost = [&](const LayerFacts& of, const CallAxis(&extents)[3]) {
    Bill bill;
    charge_wide(bill, of, choose_parts(of.output_size, of.dtype, of.isa), extents, expected.images);
    return bill.total;
  };
  if (cost(folded.facts, axes) > kFoldGain * cost(facts, expected.axes)) return {.facts = facts};
  return folded;
}

std::optional<KernelCost> wide_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches) {
  if (choose_parts(facts.output_size, facts.dtype, facts.isa).empty()) return std::nullopt;
  const Fold fold = choose_fold(facts);
  const CallAxis folded[3] = {axes[0], axes[1], fold.axis(axes[2])};
  Bill bill;
  const char* kernel =
      charge_wide(bill, fold.facts, choose_parts(fold.facts.output_size, facts.dtype, facts.isa),
                  folded, batches);
  return KernelCost{kernel, bill.total};
}

std::shared_ptr<const Plan> wide_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias) {
  Fold fold = choose_fold(facts);
  const std::optional<Tensor> folded_bias = fold_bias(fold.factor, bias);
  WideWeights packed =
      pack_wide(fold.facts, kernel, folded_bias ? &*folded_bias : nullptr, fold.factor);
  return std::make_shared<WidePlan>(std::move(fold), std::move(packed));
}

}  // namespace upconv::UPCONV_ABI::internal
