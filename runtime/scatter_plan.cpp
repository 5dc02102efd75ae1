#include "scatter_plan.h"

#include <cstring>
#include <utility>

#include "permuted.h"
#include "scatter_run.h"
#include "units.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

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
    for (Index tap = 0; tap < layout_.group_taps(); ++tap, to += run) {
      std::memcpy(to, bias->data(), run);
    }
  }

  const char* strategy() const override { return "scatter"; }
  const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const override {
    charge_scatter(bill, layout_, axes, batches);
    return layout_.kernel_name();
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

/// The layer of one tap whose outputs are a group's products.
LayerFacts products_of(const ScatterLayout& layout) {
  LayerFacts products = layout;
  for (AxisPhases& axis : products.axes) axis = AxisPhases(1, 1, 1);
  products.output_size = layout.columns();
  return products;
}

/// The kernel of that layer: [tap][ci][c] to [ci][tap of the group][c].
Tensor columns_of(const ScatterLayout& layout, const Tensor& kernel,
                  const ScatterLayout::Taps& taps) {
  if (layout.groups() == 1) {
    const ConstTensorView all(kernel.data(), kernel.dtype(),
                              {layout.taps(), layout.input_size, layout.output_size});
    return permuted(all, {1, 0, 2});
  }
  Tensor columns(layout.dtype, {layout.input_size, layout.columns()}, layout.memory);
  const std::size_t size = size_of(layout.dtype);
  const std::size_t run = static_cast<std::size_t>(layout.output_size) * size;
  std::memset(columns.data(), 0, static_cast<std::size_t>(columns.size()) * size);
  const auto* const from = static_cast<const std::byte*>(kernel.data());
  auto* const to = static_cast<std::byte*>(columns.data());
  const auto copy = [&](Index tap, Index in_group) {
    for (Index ci = 0; ci < layout.input_size; ++ci) {
      std::memcpy(to + static_cast<std::size_t>(ci * layout.group_taps() + in_group) * run,
                  from + static_cast<std::size_t>(tap * layout.input_size + ci) * run, run);
    }
  };
  for (Index d = taps.begin[0]; d < taps.end[0]; ++d) {
    for (Index h = taps.begin[1]; h < taps.end[1]; ++h) {
      const Index row = d * layout.axes[1].filter() + h;
      const Index row_in_group = (d - taps.begin[0]) * layout.group[1] + h - taps.begin[1];
      for (Index w = taps.begin[2]; w < taps.end[2]; ++w) {
        copy(row * layout.axes[2].filter() + w, row_in_group * layout.group[2] + w - taps.begin[2]);
      }
    }
  }
  return columns;
}

/// [ci][columns] to [ci][pitch].
std::shared_ptr<const Tensor> few_columns(const ScatterLayout& layout, const Tensor& columns) {
  auto padded =
      std::make_shared<Tensor>(layout.dtype, Dims{layout.input_size, layout.pitch}, layout.memory);
  const std::size_t size = size_of(layout.dtype);
  const std::size_t run = static_cast<std::size_t>(layout.columns()) * size;
  const std::size_t step = static_cast<std::size_t>(layout.pitch) * size;
  const auto* from = static_cast<const std::byte*>(columns.data());
  auto* to = static_cast<std::byte*>(padded->data());
  for (Index ci = 0; ci < layout.input_size; ++ci, from += run, to += step) {
    std::memcpy(to, from, run);
    std::memset(to + run, 0, step - run);
  }
  return padded;
}

}  // namespace

std::optional<KernelCost> scatter_cost(const LayerFacts& facts, const CallAxis (&axes)[3],
                                       Index batches) {
  const std::optional<ScatterLayout> layout = scatter_layout(facts);
  if (!layout) return std::nullopt;
  Bill bill;
  charge_scatter(bill, *layout, axes, batches);
  return KernelCost{layout->kernel_name(), bill.total};
}

std::shared_ptr<const Plan> scatter_pack(const LayerFacts& facts, const Tensor& kernel,
                                         const Tensor* bias) {
  std::optional<ScatterLayout> layout = scatter_layout(facts);
  if (!layout) return nullptr;
  const LayerFacts products = products_of(*layout);
  const ScatterLayout::Taps all = layout->taps_of({0, 0, 0});
  std::shared_ptr<const Tensor> weights;
  if (layout->few != nullptr) {
    weights = few_columns(*layout, columns_of(*layout, kernel, all));
  } else if (layout->groups() == 1) {
    WideWeights packed = pack_wide(products, columns_of(*layout, kernel, all), nullptr);
    layout->parts = std::move(packed.layout.parts);
    weights = std::move(packed.weights);
  } else {
    const Index elements = layout->input_size * layout->pitch;
    auto groups =
        std::make_shared<Tensor>(facts.dtype, Dims{layout->groups(), elements}, facts.memory);
    const std::size_t bytes = static_cast<std::size_t>(elements) * size_of(facts.dtype);
    auto* to = static_cast<std::byte*>(groups->data());
    layout->for_each_group([&](const ScatterLayout::Taps& taps) {
      WideWeights packed = pack_wide(products, columns_of(*layout, kernel, taps), nullptr);
      std::memcpy(to, packed.weights->data(), bytes);
      to += bytes;
      layout->parts = std::move(packed.layout.parts);
    });
    weights = std::move(groups);
  }
  return std::make_shared<ScatterPlan>(std::make_shared<const ScatterLayout>(std::move(*layout)),
                                       std::move(weights), bias);
}

}  // namespace upconv::UPCONV_ABI::internal
