// The pipelines of a layer that multiplies first: products of some inputs, and runs of them added.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "Halide.h"
#include "leaf.h"
#include "plan.h"

namespace upconv::compiler {

struct ScatterLeaves {
  Halide::Expr weights = {};  ///< where all packed weights are, constants or not
  /// Per part, by the height of the register tile: product_leaf().
  std::vector<std::map<int, Leaf>> products = {};
  /// Per kind of run: (products of the first input's run -> y of it), inputs: added, or copied.
  std::vector<Leaf> add = {};
  /// (products -> y), inputs, begin, end, taps along h: AddedRows of one tap along d.
  std::optional<Leaf> gather = {};
  /// (products -> y), elements: of a run that the window cuts.
  std::optional<Leaf> add_part = {};
  /// fill_leaf(), and finish_leaf(), where they are needed.
  std::optional<Leaf> fill = {}, finish = {};
  /// Per part (kernel -> packed) and (bias -> packed); empty when the weights are constants.
  std::vector<Leaf> pack_weights = {}, pack_bias = {};
};

/// Lowers them all into `module`. @param packed the constant weights, where they are
ScatterLeaves add_scatter_leaves(Halide::Module& module, const LayerPlan& plan,
                                 const Halide::Buffer<void>& packed);

}  // namespace upconv::compiler
