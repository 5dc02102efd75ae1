// Strategies: ways to compute a layer, each with its own packed weights, and the choice among them.
//
// Which strategy and tiles a layer gets depends on its options, dtype and ISA, never on a call's
// shapes. A new strategy is a Plan and one row in strategy.cpp.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "call.h"
#include "phases.h"
#include "upconv/executor.h"
#include "upconv/isa.h"
#include "upconv/tensor.h"

namespace upconv::internal {

/// What the options say of a layer. Unused axes have one tap, stride 1 and dilation 1.
struct LayerFacts {
  AxisPhases axes[3];  ///< d, h, w
  Index input_size = 1;
  Index output_size = 1;
  DType dtype = DType::kFloat32;
  Isa isa = Isa::kSse41;
  std::string label;  ///< `ConvolutionTranspose "decoder"`, for messages

  /// Taps of the whole filter.
  Index taps() const { return axes[0].filter() * axes[1].filter() * axes[2].filter(); }
};

/// A layer's weights, packed for one strategy and ISA, and how to run them. Immutable, so that
/// calls on several threads and copies of a layer share it.
class Plan {
 public:
  virtual ~Plan() = default;

  virtual const LayerFacts& facts() const = 0;
  virtual std::size_t packed_bytes() const = 0;
  /// Bytes of scratch that one thread needs, whatever the extents and taps.
  virtual std::size_t scratch_bytes_per_thread() const = 0;
  /// @throws Error when run() could not address what such a call touches.
  virtual void check(const Call& call) const = 0;
  /// Computes a checked call on up to `threads` threads, with threads * scratch_bytes_per_thread()
  /// bytes of 64-byte aligned scratch; bitwise the same for every number of threads.
  virtual void run(const Call& call, int threads, Executor* executor,
                   std::span<std::byte> scratch) const = 0;
};

/// One row of the table of strategies.
struct Strategy {
  const char* name;
  /// Estimated cost of one multiply-add of every tap, in units of one vector's share at full rate;
  /// nothing where the strategy cannot compute the layer.
  std::optional<double> (*cost)(const LayerFacts& facts);
  /// The main kernel it would run.
  const char* (*kernel)(const LayerFacts& facts);
  /// Packs a C-order kernel `filter_shape ++ [input_size, output_size]` and a bias (null: zero).
  /// @throws Error kLimitExceeded, kOutOfMemory.
  std::shared_ptr<const Plan> (*pack)(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias);
};

std::span<const Strategy> strategies();

/// The strategy of least cost.
const Strategy& choose_strategy(const LayerFacts& facts);

}  // namespace upconv::internal
