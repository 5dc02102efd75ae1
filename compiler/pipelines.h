// The pipelines of a planned layer, as private functions of a module.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "Halide.h"
#include "leaf.h"
#include "plan.h"

namespace upconv::compiler {

/// Values of a call that the pipelines take as integers, and constants where the plan knows them.
struct CallIntegers {
  Halide::Expr images;
  std::array<Halide::Expr, 3> inputs, outputs, offsets;  ///< d, h, w
};

/// The pointer where an autoscheduled layer keeps what is between its stages.
inline constexpr const char* kHeap = "heap";

/// What a layer's function calls.
struct LayerPipelines {
  Halide::Expr weights = {};  ///< where all packed weights are, constants or not
  /// One per axis whose input is an argument: (input, output, offset) -> table of segments.
  std::array<std::optional<Leaf>, 3> segments = {};
  /// One per part of the channels, for a box and a block: (packed, weights, x, table, images, q,
  /// block, rows, first input channel ... -> y). Of an autoscheduled layer it is one, (packed, x ->
  /// y), which keeps heap_bytes at kHeap.
  std::vector<Leaf> parts = {};
  /// Where gaps are filled, or, in pieces, what sums start with: (packed, first pixel, pixels ->
  /// y).
  std::optional<Leaf> fill = {};
  /// Where sums are in pieces, if it is not linear: the activation. (pixels -> y).
  std::optional<Leaf> finish = {};
  Index heap_bytes = 0;
  /// (kernel[, bias]) -> packed; two per part. Empty when the weights are constants.
  std::vector<Leaf> pack_weights = {}, pack_bias = {};
};

/// Lowers them all into `module`. @param packed the constant weights, where they are
LayerPipelines add_pipelines(Halide::Module& module, const LayerPlan& plan,
                             const Halide::Buffer<void>& packed);

/// Filter taps of an axis in packed order: phase by phase; with combined phases, those of the
/// first.
std::vector<int> packed_taps(const PlannedAxis& axis);

/// (kernel) -> the weights of a part, in packed order.
Leaf weight_packing(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part);

/// (bias) -> the biases of a part, in packed order.
Leaf bias_packing(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part);

/// (packed, first pixel, pixels -> y): pixels that are the bias alone.
/// @param finished with the activation
Leaf fill_leaf(Halide::Module& module, const LayerPlan& plan, bool finished,
               const Halide::Buffer<void>& constant);

/// (pixels -> y): the activation of sums in y.
Leaf finish_leaf(Halide::Module& module, const LayerPlan& plan);

}  // namespace upconv::compiler
