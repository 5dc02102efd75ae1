// The pipelines of a layer with transforms: one tile, or the products of some tiles at one point.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "Halide.h"
#include "leaf.h"
#include "plan.h"
#include "winograd_plan.h"

namespace upconv::compiler {

/// What a class of tiles calls.
struct ClassLeaves {
  /// (x of the tile -> points of the tile); where all inputs exist.
  std::optional<Leaf> input;
  /// (x of the image -> points of the tile), first inputs along d, h, w; zeros outside x.
  std::optional<Leaf> input_at_edge;
  /// (packed, products of the tile -> y of the tile), its bias, channels.
  std::optional<Leaf> output;
  /// The same, with first outputs and counts along d, h, w: those inside the window.
  std::optional<Leaf> output_at_edge;
  /// The same for the last channels, where these do not fill a vector.
  std::optional<Leaf> few, few_at_edge;
  /// Of a folded layer, `output` and `few` leave the outputs of a tile, [position][group's
  /// channel], and these deal the channels of one row of y to it: (outputs -> y), of some positions
  /// along d, h and w; `deal_cut` a part of these channels, how many is its first number. Where a
  /// group has not all channels of a position, there is no other.
  std::optional<Leaf> deal, deal_cut;
};

struct WinogradLeaves {
  Halide::Expr weights = {};  ///< where all packed weights are, constants or not
  std::vector<ClassLeaves> classes = {};
  /// Per part, by the height of the register tile: (packed, points, weights -> products), the
  /// block's weights at a point, those that come next, register tiles.
  std::vector<std::map<int, Leaf>> products = {};
  /// Per part (kernel -> packed) and (bias -> packed); empty when the weights are constants.
  std::vector<Leaf> pack_weights = {}, pack_bias = {};
};

/// The layer's phases are channels.
bool is_folded(const LayerPlan& plan);

/// Of a folded layer, the channels of a position that are in one row of y.
Index row_channels(const LayerPlan& plan);

/// From one output of a tile to the next along an axis, in outputs of y.
Index y_step_of_output(const LayerPlan& plan, const TileClass& of, std::size_t axis);

/// Channels of a part that do not fill a vector of their own.
bool has_few_channels(const LayerPlan& plan, const PlannedPart& part);

/// Lowers them all into `module`. @param packed the constant weights, where they are
WinogradLeaves add_winograd_leaves(Halide::Module& module, const LayerPlan& plan,
                                   const Halide::Buffer<void>& packed);

}  // namespace upconv::compiler
