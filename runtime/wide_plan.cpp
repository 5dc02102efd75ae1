// The wide strategy as a Plan: limits, scratch, threads and cost.
#include "wide_plan.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "upconv/error.h"
#include "wide_run.h"

namespace upconv::internal {

namespace {

/// Costs of a pixel beside its multiply-adds: tables, and a copy where the last block is padded.
constexpr double kPixelCost = 20, kPaddedPixelCost = 60;

KernelCost cost_of(const LayerFacts& facts, const std::vector<Part>& parts,
                   const CallAxis (&axes)[3], Index batches) {
  double pixels = static_cast<double>(batches), rows = static_cast<double>(facts.input_size);
  for (const CallAxis& axis : axes) {
    pixels *= static_cast<double>(axis.window.output);
    // Taps per output: those of its phase, and no more than the inputs there are.
    rows *= std::min(
        static_cast<double>(axis.phases->filter()) / static_cast<double>(axis.phases->stride()),
        static_cast<double>(axis.input));
  }
  double blocks = 0;
  for (const Part& part : parts) blocks += static_cast<double>(part.blocks) * part.tiles[0].cost;
  const Part& last = parts.back();
  const bool padded = last.blocks * last.block_channels() > last.channels;
  const double pixel = padded ? kPaddedPixelCost : kPixelCost;
  return {parts.front().tiles.front().name, pixels * (rows * blocks + pixel)};
}

class WidePlan final : public Plan {
 public:
  explicit WidePlan(WideWeights packed) : packed_(std::move(packed)) {}

  const char* strategy() const override { return "wide"; }
  KernelCost cost(const CallAxis (&axes)[3], Index batches) const override {
    return cost_of(packed_.layout, packed_.layout.parts, axes, batches);
  }
  std::shared_ptr<const Plan> with_bias(const Tensor* bias) const override {
    return std::make_shared<WidePlan>(
        WideWeights{packed_.layout, packed_.weights,
                    pack_part_bias(packed_.layout, packed_.layout.parts, bias)});
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
  WideWeights packed_;
};

std::size_t WidePlan::scratch_bytes_per_thread() const {
  Index channels = 0;
  for (const Part& part : packed_.layout.parts) {
    channels = std::max(channels, part.block_channels());
  }
  const std::size_t tile =
      static_cast<std::size_t>(kTablePixels * channels) * size_of(packed_.layout.dtype);
  return (4 * Scratch::kTableBytes + tile + 63) / 64 * 64;
}

void WidePlan::check(const Call& call) const {
  Index reach = packed_.layout.input_size;
  for (int axis = 0; axis < 3; ++axis) {
    const AxisPhases& phases = *call.axes[axis].phases;
    // Taps that reach an input lie within the input, and within a phase.
    const Index taps = std::min(phases.with_taps().front().taps,
                                ceil_div(call.axes[axis].input, phases.input_step()));
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
  const WideRunner runner(call, packed_);
  const std::size_t share = scratch_bytes_per_thread();
  threads = worth_threads(call, packed_.layout, threads);
  if (threads == 1) {
    runner.work(Scratch(scratch.first(share)), kChunkPixels, [] { return true; });
    return;
  }
  std::atomic<Index> next{0};
  const Index chunk_pixels = runner.chunk_pixels(threads);
  executor->run(threads, [&](int thread) {
    Index at = 0;
    Index mine = next.fetch_add(1, std::memory_order_relaxed);
    runner.work(Scratch(scratch.subspan(static_cast<std::size_t>(thread) * share, share)),
                chunk_pixels, [&] {
                  if (at++ != mine) return false;
                  mine = next.fetch_add(1, std::memory_order_relaxed);
                  return true;
                });
  });
}

}  // namespace

std::optional<KernelCost> wide_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches) {
  const std::vector<Part> parts = choose_parts(facts.output_size, facts.dtype, facts.isa);
  if (parts.empty()) return std::nullopt;
  return cost_of(facts, parts, axes, batches);
}

std::shared_ptr<const Plan> wide_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias) {
  return std::make_shared<WidePlan>(pack_wide(facts, kernel, bias));
}

}  // namespace upconv::internal
