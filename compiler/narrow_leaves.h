// The pipelines of a layer of few output channels (narrow_plan.h).
#pragma once

#include <optional>
#include <vector>

#include "Halide.h"
#include "leaf.h"
#include "narrow_plan.h"
#include "plan.h"

namespace upconv::compiler {

struct NarrowLeaves {
  /// (x of a row's first input -> planes at its column), inputs.
  std::optional<Leaf> copy;
  /// Columns of the squares that it transposes, as many as share 16 bytes; 1: it has none, or they
  /// may begin anywhere.
  Index square = 1;
  /// (-> planes): zeros, of edge_columns() and of a row.
  std::optional<Leaf> clear_edge, clear_row;
  /// (-> planes), columns: moved by strip_h rows to the front. Undefined for a single strip.
  std::optional<Leaf> move;
  /// Of each group: (packed, planes, x to bring nearer -> sums), register tiles.
  std::vector<Leaf> sums;
  /// (sums of a row of positions -> y of the first), positions: all outputs of each.
  std::optional<Leaf> write;
  /// (sums of a position -> y of its first), first output, outputs: those inside the window.
  std::optional<Leaf> write_some;
  /// Of every piece (kernel -> packed), and (bias -> packed); empty when weights are constants.
  std::vector<Leaf> pack_weights;
  std::optional<Leaf> pack_bias;
};

/// Positions along w all of whose outputs are in the window: [first, second) of those of the call.
std::pair<Index, Index> whole_positions(const LayerPlan& plan);

/// Columns of a strip's rows of planes that inputs fill: the first, and the input that it is.
struct FilledColumns {
  Index first = 0, count = 0, input = 0;
};
FilledColumns filled_columns(const LayerPlan& plan, Index strip);

/// Columns that are zeroed at either side of a row of planes whose inputs do not fill it: vectors,
/// which reach into columns that are written later; 0 where rows are too short for that, and zeroed
/// as a whole.
Index edge_columns(const LayerPlan& plan);

/// The first position of strip `strip` along w, of those of the call.
Index strip_begin(const LayerPlan& plan, Index strip);

/// Lowers them all into `module`. @param packed the constant weights, where they are
NarrowLeaves add_narrow_leaves(Halide::Module& module, const LayerPlan& plan,
                               const Halide::Buffer<void>& packed);

}  // namespace upconv::compiler
