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
};

struct WinogradLeaves {
  std::vector<ClassLeaves> classes;
  /// Per part, by the height of the register tile: (packed, points -> products), the block's
  /// weights at a point, register tiles.
  std::vector<std::map<int, Leaf>> products;
  /// Per part (kernel -> packed) and (bias -> packed); empty when the weights are constants.
  std::vector<Leaf> pack_weights, pack_bias;
};

/// Channels of a part that do not fill a vector of their own.
bool has_few_channels(const LayerPlan& plan, const PlannedPart& part);

/// Lowers them all into `module`. @param packed the constant weights, where they are
WinogradLeaves add_winograd_leaves(Halide::Module& module, const LayerPlan& plan,
                                   const Halide::Buffer<void>& packed);

}  // namespace upconv::compiler
