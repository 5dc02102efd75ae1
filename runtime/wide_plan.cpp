// The wide strategy as a Plan: limits, scratch, threads and cost.
#include "wide_plan.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "gaps.h"
#include "upconv/error.h"
#include "wide_run.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

// Costs beside the multiply-adds, in vector multiply-adds at full rate: fitted, together with those
// of scatter_layout.cpp, to the times of 636 layers on AVX2 of a Zen 3 core (./dev bench
// --choices).

constexpr Price kProduct = {"product", 1};
/// More of one, where x of a chunk does not stay near.
constexpr Price kFarProduct = {"far product", 0.09};
/// A pixel: tables, and a copy where the last block is padded.
constexpr Price kPixel = {"pixel", 4.6}, kPaddedPixel = {"padded pixel", 152};
/// A box, for each part: lists, a call of a kernel, tiles that are not full at its end.
constexpr Price kBox = {"box", 1870};
/// A tile at a tap, where phases have several: a loop over input channels begins and ends.
constexpr Price kTap = {"tile at a tap", 6.9};
/// 64 bytes of y and of weights that inputs reach, which do not stay in the second-level cache.
constexpr Price kFarOutput = {"far output", 10}, kFarWeights = {"far weights", 9.8};
/// A fold must save so much, since the ends of rows cost more with it.
constexpr double kFoldGain = 0.95;
/// With more input channels, sums in pieces (wide_pieces.h) may be worth more than a fold.
constexpr Index kMostFoldedInputs = 1024;
/// With more input channels, loops over them are long enough.
constexpr Index kMostRunInputs = 32;

/// Boxes of a call, about.
double boxes_of(const CallAxis (&axes)[3], bool runs) {
  double boxes = 1;
  for (int axis = 0; axis < 3; ++axis) {
    const CallAxis& a = axes[axis];
    const Index stride = a.phases->stride(), phases = std::min(stride, a.window.output);
    const Index taps = ceil_div(a.phases->filter(), stride);
    // One where all taps reach an input, and one for each output before and after it. With fewer
    // inputs than taps there are that many the less, but for those along w that slide.
    const bool slides = axis == 2 && !runs;
    const Index edges = slides ? std::min(taps, a.input) - 1 : taps - 1;
    const Index outputs = ceil_div(a.window.output, stride);
    boxes *= static_cast<double>(phases * std::min(outputs, 2 * edges + 1));
  }
  return boxes;
}

const char* charge_wide(Bill& bill, const LayerFacts& facts, bool runs,
                        const std::vector<Part>& parts, const CallAxis (&axes)[3], Index batches) {
  double pixels = static_cast<double>(batches);
  double pairs = static_cast<double>(batches);  // of an input and a tap
  double loops =
      static_cast<double>(batches);  // over input channels; of runs, over taps along w too
  double taps = 1;                   // that reach an input
  bool several_taps = false;
  for (int axis = 0; axis < 3; ++axis) {
    const CallAxis& a = axes[axis];
    const bool one_loop = runs && axis == 2;
    pixels *= static_cast<double>(a.window.output);
    pairs *= static_cast<double>(a.pairs());
    loops *= static_cast<double>(one_loop ? std::min(a.window.output, a.pairs()) : a.pairs());
    taps *= static_cast<double>(std::min(a.phases->filter(), a.pairs()));
    several_taps = several_taps || (!one_loop && a.phases->filter() > a.phases->stride());
  }
  const double rows = pairs * static_cast<double>(facts.input_size);  // of weights, for all pixels
  double blocks = 0, tiles = 0;                                       // of a pixel
  for (const Part& part : parts) {
    const double count = static_cast<double>(part.blocks);
    blocks += count * part.tiles[0].time(facts.vector_time);
    tiles += count / part.tiles[0].pixels;
  }
  const Part& last = parts.back();
  const bool padded = last.blocks * last.block_channels() > last.channels;
  const TargetSizes& sizes = target_sizes(facts.isa);
  const double size = static_cast<double>(size_of(facts.dtype));
  const auto cache = static_cast<double>(sizes.points_cache_bytes);
  const double row_bytes = static_cast<double>(facts.input_size) * size;
  const double y_bytes = pixels * static_cast<double>(facts.output_size) * size;
  const double weight_bytes = taps * static_cast<double>(facts.output_size) * row_bytes;
  const bool far_input = kChunkPixels * row_bytes > static_cast<double>(sizes.slab_bytes);
  bill.add(kProduct, rows * blocks);
  if (far_input) bill.add(kFarProduct, rows * blocks);
  // Gaps cost nothing beside what all strategies need to write them.
  bill.add(padded ? kPaddedPixel : kPixel, pixels * visited_share(axes));
  if (several_taps) bill.add(kTap, loops * tiles);
  bill.add(kBox, boxes_of(axes, runs) * static_cast<double>(parts.size()));
  bill.add(kFarOutput, std::max(0.0, y_bytes - 2 * cache) / 64);
  if (weight_bytes > cache) bill.add(kFarWeights, weight_bytes / 64);
  return parts.front().tiles.front().name;
}

class WidePlan final : public Plan {
 public:
  WidePlan(Fold fold, WideWeights packed) : fold_(std::move(fold)), packed_(std::move(packed)) {}

  const char* strategy() const override { return packed_.layout.runs ? "runs" : "wide"; }
  const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const override {
    const CallAxis folded[3] = {axes[0], axes[1], fold_.axis(axes[2])};
    return charge_wide(bill, packed_.layout, packed_.layout.runs, packed_.layout.parts, folded,
                       batches);
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
  const WideLayout& layout = packed_.layout;
  threads = worth_threads(call, layout, threads);
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
    runner.work(Scratch(scratch.first(share)), runner.grain(1), [] { return true; });
    return;
  }
  std::atomic<Index> next{0};
  const WideRunner::Grain grain = runner.grain(threads);
  executor->run(threads, [&](int thread) {
    Index at = 0;
    Index mine = next.fetch_add(1, std::memory_order_relaxed);
    runner.work(Scratch(scratch.subspan(static_cast<std::size_t>(thread) * share, share)), grain,
                [&] {
                  if (at++ != mine) return false;
                  mine = next.fetch_add(1, std::memory_order_relaxed);
                  return true;
                });
  });
}

}  // namespace

Fold choose_fold(const LayerFacts& facts, bool runs) {
  Fold folded = fold(facts);
  if (folded.factor == 1 || facts.input_size > kMostFoldedInputs) return {.facts = facts};
  const ExpectedCall expected(facts);
  const CallAxis axes[3] = {expected.axes[0], expected.axes[1], folded.axis(expected.axes[2])};
  const auto cost = [&](const LayerFacts& of, const CallAxis(&extents)[3]) {
    Bill bill;
    charge_wide(bill, of, runs, choose_parts(of.output_size, of.dtype, of.isa), extents, 1);
    return bill.total;
  };
  if (cost(folded.facts, axes) > kFoldGain * cost(facts, expected.axes)) return {.facts = facts};
  return folded;
}

namespace {

std::optional<KernelCost> cost_of(const LayerFacts& facts, bool runs, const CallAxis (&axes)[3],
                                  Index batches) {
  if (choose_parts(facts.output_size, facts.dtype, facts.isa).empty()) return std::nullopt;
  const Fold fold = choose_fold(facts, runs);
  const CallAxis folded[3] = {axes[0], axes[1], fold.axis(axes[2])};
  Bill bill;
  const char* kernel =
      charge_wide(bill, fold.facts, runs,
                  choose_parts(fold.facts.output_size, facts.dtype, facts.isa), folded, batches);
  return KernelCost{kernel, bill.total};
}

std::shared_ptr<const Plan> pack(const LayerFacts& facts, bool runs, const Tensor& kernel,
                                 const Tensor* bias) {
  Fold fold = choose_fold(facts, runs);
  const std::optional<Tensor> folded_bias = fold_bias(fold.factor, bias);
  WideWeights packed =
      pack_wide(fold.facts, kernel, folded_bias ? &*folded_bias : nullptr, fold.factor, runs);
  return std::make_shared<WidePlan>(std::move(fold), std::move(packed));
}

/// The layer has few input channels, and some phase several taps along w, of inputs that follow one
/// another.
bool has_runs(const LayerFacts& facts) {
  const AxisPhases& w = facts.axes[2];
  return facts.input_size <= kMostRunInputs && w.input_step() == 1 &&
         w.with_taps().front().taps > 1;
}

}  // namespace

std::optional<KernelCost> wide_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches) {
  return cost_of(facts, false, axes, batches);
}
std::optional<KernelCost> runs_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                    Index batches) {
  if (!has_runs(facts)) return std::nullopt;
  return cost_of(facts, true, axes, batches);
}

std::shared_ptr<const Plan> wide_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias) {
  return pack(facts, false, kernel, bias);
}
std::shared_ptr<const Plan> runs_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias) {
  return has_runs(facts) ? pack(facts, true, kernel, bias) : nullptr;
}

}  // namespace upconv::UPCONV_ABI::internal
