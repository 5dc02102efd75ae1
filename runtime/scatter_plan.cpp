#include "scatter_plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "chunk.h"
#include "permuted.h"
#include "scatter_run.h"
#include "units.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr Index kMostColumns = 4096;  ///< products of an input
/// Products of a chunk, for the second-level cache.
constexpr Index kProductBytes = 1 << 17;

// Costs beside the tiles', in vector multiply-adds at full rate: fitted with those of
// wide_plan.cpp.
constexpr Price kProduct = {"product", 1};
constexpr Price kCall = {"call", 1060};
constexpr Price kInput = {"input", 9.3};           ///< its place in the lists, its tile
constexpr Price kInputRow = {"input row", 1230};   ///< of y begun and finished
constexpr Price kRunOfRow = {"run of a row", 14};  ///< of taps, for each row of inputs
constexpr Price kRun = {"run", 1.1};               ///< of taps, for each input
constexpr Price kSum = {"sum", 1.6};               ///< that is added
constexpr Price kCopy = {"copy", 1.8};       ///< a sum that is written, where outputs meet one tap
constexpr Price kOutput = {"output", 0.29};  ///< the bias, the activation
/// 64 bytes of weights that do not fit the cache, each time.
constexpr Price kFarWeights = {"far weights", 2.5};

const char* charge_scatter(Bill& bill, const ScatterLayout& layout, const CallAxis (&axes)[3],
                           Index batches) {
  const auto real = [](Index value) { return static_cast<double>(value); };
  const AxisPhases& w = layout.axes[2];
  const Index image_rows = axes[0].input * axes[1].input, image = image_rows * axes[2].input;
  const double rows = real(batches * image_rows), inputs = real(batches * image);
  double outputs = real(batches * layout.output_size);
  for (const CallAxis& axis : axes) outputs *= real(axis.window.output);
  double tiles = 0;  // of an image, which has tiles of its own
  for (const Part& part : layout.parts) {
    tiles += real(part.blocks) * part.block_time(image, layout.vector_time);
  }

  const double runs = real(layout.taps() / w.filter()) *
                      real(w.dilation() == 1 ? ceil_div(w.filter(), w.stride()) : w.filter());
  const double sums = real(layout.taps() * layout.output_size);
  const bool once = meet_once(axes);
  bill.add(kCall, 1);
  bill.add(kProduct, real(batches * layout.input_size) * tiles);
  bill.add(kInput, inputs);
  bill.add(kRun, inputs * runs);
  bill.add(once ? kCopy : kSum, inputs * sums);
  bill.add(kInputRow, rows);
  bill.add(kRunOfRow, rows * runs);
  if (!once) bill.add(kOutput, outputs);
  const Index bytes = layout.input_size * layout.pitch * static_cast<Index>(size_of(layout.dtype));
  if (bytes > target_sizes(layout.isa).points_cache_bytes) {
    bill.add(kFarWeights, real(batches * ceil_div(image, layout.chunk_pixels)) * real(bytes / 64));
  }
  return layout.parts.front().tiles.front().name;
}

class ScatterPlan final : public Plan {
 public:
  ScatterPlan(std::shared_ptr<const ScatterLayout> layout, std::shared_ptr<const Tensor> weights,
              const Tensor* bias)
      : shared_layout_(std::move(layout)), layout_(*shared_layout_), weights_(std::move(weights)) {
    const std::size_t size = size_of(layout_.dtype);
    starts_ = Tensor(layout_.dtype, {2, layout_.pitch}, layout_.memory);
    std::memset(starts_.data(), 0, static_cast<std::size_t>(starts_.size()) * size);
    if (bias == nullptr) return;
    auto* to =
        static_cast<std::byte*>(starts_.data()) + static_cast<std::size_t>(layout_.pitch) * size;
    const std::size_t run = static_cast<std::size_t>(layout_.output_size) * size;
    for (Index tap = 0; tap < layout_.taps(); ++tap, to += run) std::memcpy(to, bias->data(), run);
  }

  const char* strategy() const override { return "scatter"; }
  const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const override {
    return charge_scatter(bill, layout_, axes, batches);
  }
  std::shared_ptr<const Plan> with_bias(const Tensor* bias) const override {
    return std::make_shared<ScatterPlan>(shared_layout_, weights_, bias);
  }
  std::size_t packed_bytes() const override {
    return static_cast<std::size_t>(weights_->size() + starts_.size()) * size_of(layout_.dtype);
  }
  std::size_t scratch_bytes_per_thread() const override {
    return (ScatterRunner::scratch_bytes(layout_) + 63) / 64 * 64;
  }
  // Inputs and outputs are found with 64-bit offsets.
  void check(const Call&) const override {}
  void run(const Call& call, int threads, Executor* executor,
           std::span<std::byte> scratch) const override {
    threads = worth_threads(call, layout_, threads);
    const ScatterRunner runner(layout_, *weights_, starts_, call, threads);
    for_each_unit(runner.units(), threads, executor, scratch, scratch_bytes_per_thread(),
                  [&](std::span<std::byte> mine) {
                    return [&runner, mine](Index unit) { runner.run(unit, mine); };
                  });
  }

 private:
  std::shared_ptr<const ScatterLayout> shared_layout_;
  const ScatterLayout& layout_;
  std::shared_ptr<const Tensor> weights_;
  Tensor starts_;  ///< [nothing, the bias of each tap][pitch]
};

/// The layer of one tap whose outputs are the products.
LayerFacts products_of(const LayerFacts& facts) {
  LayerFacts products = facts;
  for (AxisPhases& axis : products.axes) axis = AxisPhases(1, 1, 1);
  products.output_size = facts.taps() * facts.output_size;
  return products;
}

}  // namespace

bool meet_once(const CallAxis (&axes)[3]) {
  return std::all_of(std::begin(axes), std::end(axes), [](const CallAxis& axis) {
    const AxisPhases& phases = *axis.phases;
    const bool apart = phases.filter() == phases.stride() || axis.input == 1;
    const Index reached = axis.input * phases.filter();  // where they are
    return apart && phases.dilation() == 1 && axis.window.offset >= 0 &&
           axis.window.offset + axis.window.output <= reached;
  });
}

std::optional<ScatterLayout> scatter_layout(const LayerFacts& facts) {
  Index columns = facts.output_size;
  for (const AxisPhases& axis : facts.axes) {
    if (columns > kMostColumns / axis.filter()) return std::nullopt;
    columns *= axis.filter();
  }
  ScatterLayout layout;
  static_cast<LayerFacts&>(layout) = facts;
  layout.parts = choose_parts(columns, facts.dtype, facts.isa);
  if (layout.parts.empty()) return std::nullopt;
  for (const Part& part : layout.parts) layout.pitch += part.blocks * part.block_channels();
  const Index tall = layout.parts.front().tiles[0].pixels;
  const Index fitting = kProductBytes / (layout.pitch * static_cast<Index>(size_of(facts.dtype)));
  layout.chunk_pixels = std::clamp(fitting / tall * tall, tall, kChunkPixels / tall * tall);
  return layout;
}

std::optional<KernelCost> scatter_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                       Index batches) {
  const std::optional<ScatterLayout> layout = scatter_layout(facts);
  if (!layout) return std::nullopt;
  Bill bill;
  const char* kernel = charge_scatter(bill, *layout, axes, batches);
  return KernelCost{kernel, bill.total};
}

std::shared_ptr<const Plan> scatter_pack(const LayerFacts& facts, const Tensor& kernel,
                                         const Tensor* bias) {
  std::optional<ScatterLayout> layout = scatter_layout(facts);
  if (!layout) return nullptr;
  const LayerFacts products = products_of(facts);
  // [tap][ci][c] to [ci][tap][c], the kernel of one tap.
  const ConstTensorView taps(kernel.data(), kernel.dtype(),
                             {facts.taps(), facts.input_size, facts.output_size});
  const Tensor columns = permuted(taps, {1, 0, 2});
  WideWeights packed = pack_wide(products, columns, nullptr);
  layout->parts = std::move(packed.layout.parts);
  return std::make_shared<ScatterPlan>(std::make_shared<const ScatterLayout>(std::move(*layout)),
                                       std::move(packed.weights), bias);
}

}  // namespace upconv::UPCONV_ABI::internal
