// The outputs of a folded layer's tile (winograd_plan.h) on their way from scratch to y.
#pragma once

#include "Halide.h"
#include "walk_statements.h"
#include "winograd_leaves.h"

namespace upconv::compiler {

/// Of a group of blocks of a part: its first channel, and how many the layer has.
inline Halide::Expr group_channel(const PlannedPart& part) {
  return part.first_channel + integer("block") * part.block_channels;
}
inline Halide::Expr group_channels(const PlannedPart& part) {
  return integer("blocks") * part.channels;
}

/// Copies what the window has of a tile's outputs, which are at `run.outputs`. Its integers are
/// `image`, the tile's first position `o_d`, `o_h` and `o_w`, and the group's `block` and `blocks`.
Halide::Internal::Stmt deal_rows(const LayerPlan& plan, const TileClass& of,
                                 const ClassLeaves& leaves, const PlannedPart& part);

}  // namespace upconv::compiler
