// Strategies: ways to compute a layer, each with its own packed weights, and the choice among them.
//
// Which strategies a layer packs for depends on its options, dtype and ISA, and on the shape it was
// told to expect, at most two; which of those computes a call depends on the call's extents. The
// direct ones sum in the same order, so that the choice among them moves time and never a value
// (but for the sign of a zero, narrow_packing.h). A new strategy is a Plan and one row in
// strategy.cpp.
#pragma once

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bill.h"
#include "call.h"
#include "phases.h"
#include "upconv/arithmetic.h"
#include "upconv/device.h"
#include "upconv/executor.h"
#include "upconv/isa.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// Time of a vector multiply-add of an instruction set on this machine, in that of one at full
/// rate, of which a core does two a cycle: 1, or 2 where vectors are computed in two halves. What
/// is beside the multiply-adds takes as long there as elsewhere, so that other strategies may win.
double vector_time(Isa isa);

/// What the options say of a layer. Unused axes have one tap, stride 1 and dilation 1.
struct LayerFacts {
  AxisPhases axes[3];  ///< d, h, w
  Index input_size = 1;
  Index output_size = 1;
  DType dtype = DType::kFloat32;
  Arithmetic arithmetic = Arithmetic::kFast;
  Device device = Device::kCpu;
  Isa isa = Isa::kSse41;
  double vector_time = 1;                       ///< as vector_time(isa)
  std::pmr::memory_resource* memory = nullptr;  ///< for packed weights; null: the C library's
  /// What to choose strategies for: images, extents, and the windows that they have.
  Index expected_images = 1;
  Index expected_inputs[3] = {1, 1, 1};
  Window expected_windows[3] = {{1, 0}, {1, 0}, {1, 0}};
  std::string label;  ///< `ConvolutionTranspose "decoder"`, for messages

  /// Makes these the facts for that instruction set, on this machine.
  void set_isa(Isa to) {
    isa = to;
    vector_time = internal::vector_time(to);
  }
  /// Taps of the whole filter.
  Index taps() const { return axes[0].filter() * axes[1].filter() * axes[2].filter(); }
};

/// The axes of a call with a layer's expected extents. Refers to the facts.
struct ExpectedCall {
  explicit ExpectedCall(const LayerFacts& facts);
  Index images;
  CallAxis axes[3];
};

/// The main kernel that a strategy would run, and the time it would take.
struct KernelCost {
  const char* kernel = "";
  double cost = 0;  ///< in vector multiply-adds at full rate
};

/// A layer's weights, packed for one strategy and ISA, and how to run them. Immutable, so that
/// calls on several threads and copies of a layer share it.
class Plan {
 public:
  virtual ~Plan() = default;

  virtual const char* strategy() const = 0;
  /// The bill of such a call. @return the main kernel
  virtual const char* charge(Bill& bill, const CallAxis (&axes)[3], Index batches) const = 0;
  KernelCost cost(const CallAxis (&axes)[3], Index batches) const {
    Bill bill;
    const char* kernel = charge(bill, axes, batches);
    return {kernel, bill.total};
  }
  /// The same weights with another bias (null: zero). The weights are shared, not packed again.
  virtual std::shared_ptr<const Plan> with_bias(const Tensor* bias) const = 0;
  virtual std::size_t packed_bytes() const = 0;
  /// Bytes of scratch that one thread needs, whatever the extents and taps.
  virtual std::size_t scratch_bytes_per_thread() const = 0;
  /// @throws Error when run() could not address what such a call touches.
  virtual void check(const Call& call) const = 0;
  /// Computes a checked call that is not empty on up to `threads` threads, with threads *
  /// scratch_bytes_per_thread() bytes of 64-byte aligned scratch; bitwise the same for every number
  /// of threads.
  virtual void run(const Call& call, int threads, Executor* executor,
                   std::span<std::byte> scratch) const = 0;
};

/// Rows of the table of strategies, which strategy.cpp holds.
struct Strategy;
using StrategyList = std::vector<const Strategy*>;

/// Threads that pay for a call, of at most `threads`.
/// @param started they need not be started for the call
int worth_threads(const Call& call, const LayerFacts& facts, int threads, bool started);

/// A strategy with the main kernel that it would run, and why.
struct Choice {
  const char* strategy = "";
  KernelCost kernel;
  std::string reason;
};

/// A layer's weights for one ISA, in one or two formats.
class PackedLayer {
 public:
  /// Packs a C-order kernel `filter_shape ++ [input_size, output_size]` and a bias (null: zero).
  /// @throws Error kLimitExceeded, kOutOfMemory; kUnsupported as require_kernels.
  PackedLayer(const LayerFacts& facts, const Tensor& kernel, const Tensor* bias);

  /// The layer with another kernel and bias: packed for the same strategies, which are not weighed
  /// again. @throws Error kOutOfMemory
  PackedLayer with_weights(const Tensor& kernel, const Tensor* bias) const;
  PackedLayer with_bias(const Tensor* bias) const;

  const LayerFacts& facts() const { return facts_; }
  /// The plan of least cost for such a call.
  const Plan& plan_for(const CallAxis (&axes)[3], Index batches) const;
  /// That plan in words.
  Choice choice(const CallAxis (&axes)[3], Index batches) const;
  std::size_t packed_bytes() const;

 private:
  PackedLayer(const LayerFacts& facts, StrategyList strategies)
      : facts_(facts), strategies_(std::move(strategies)) {}
  void pack(const Tensor& kernel, const Tensor* bias);

  LayerFacts facts_;
  StrategyList strategies_;  ///< that pay; some cannot take weights that are not finite
  std::vector<std::shared_ptr<const Plan>> plans_;
};

/// What a strategy of that name computes with.
Arithmetic arithmetic_of(std::string_view strategy);

/// Plans of all strategies that can compute the layer with these weights, for measurements.
/// @throws Error as PackedLayer
std::vector<std::shared_ptr<const Plan>> plans_of_all_strategies(const LayerFacts& facts,
                                                                 const Tensor& kernel,
                                                                 const Tensor* bias);

/// @throws Error kUnsupported when no strategy can compute the layer with this build's kernels, on
/// this machine where its device is a GPU.
void require_kernels(const LayerFacts& facts);

/// What PackedLayer::choice would be, were the layer packed with finite weights.
Choice choose_strategy(const LayerFacts& facts, const CallAxis (&axes)[3], Index batches);

}  // namespace upconv::UPCONV_ABI::internal
