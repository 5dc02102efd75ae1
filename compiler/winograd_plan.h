// What is decided for a layer that is computed with Toom-Cook transforms, the library's strategy
// `winograd`: the library's own choice of transforms and sizes, as numbers of the code.
//
// Tiles of a call fall into classes (runtime/winograd_grid.h): those whose phases read the same
// inputs, and take the same transforms, along every axis. A *round* is some tiles of a class:
// inputs to points once, then for every phase and some output channels products and outputs.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "phases.h"
#include "plan.h"
#include "winograd_grid.h"
#include "winograd_layer.h"
#include "winograd_layout.h"

namespace upconv::compiler {

/// One axis of a class.
struct TileAxis {
  internal::Grid grid;
  std::vector<internal::WinogradPhase> phases = {};  ///< that take the grid's tiles
  Index step = 1;                                    ///< from one input of a tile to the next
  Index output_step = 1;                             ///< the same of y
  bool inputs_exist = true;                          ///< of all tiles
  bool outputs_exist = true;                         ///< of all tiles and phases: inside the window
  bool some_inputs_exist = true;                     ///< there is a tile all whose inputs exist
  bool some_outputs_exist = true;

  int points() const { return grid.transform.points(); }
  int outputs() const { return grid.transform.outputs; }
  /// Of a tile: its first input, and the output of one of the phases, both from u = 0.
  Index input_shift() const { return -(grid.transform.taps - 1) * step; }
  Index output_shift(const internal::WinogradPhase& phase, const PlannedAxis& of) const {
    return phase.phase.origin * of.axis.stride + phase.phase.residue - of.window.offset;
  }
};

struct TileClass {
  std::array<TileAxis, 3> axes;  ///< d, h, w
  Index tiles = 1;               ///< of an image

  int points() const { return axes[0].points() * axes[1].points() * axes[2].points(); }
  template <typename Flag>
  bool all(Flag flag) const {
    return axes[0].*flag && axes[1].*flag && axes[2].*flag;
  }
};

struct WinogradPlan {
  std::array<internal::WinogradAxis, 3> axes;
  std::vector<TileClass> classes;
  Index round_tiles = 1;     ///< most tiles of a round
  Index tile_rows = 1;       ///< room for them, to a whole register tile
  Index pitch = 1;           ///< elements from tile to tile at a point
  Index group_channels = 1;  ///< most output channels that are computed at once
  Index most_points = 1;

  Index points() const { return axes[0].points * axes[1].points * axes[2].points; }
  Index points_elements() const { return most_points * tile_rows * pitch; }
  Index products_elements() const { return most_points * tile_rows * group_channels; }
  /// Blocks of a part that are computed at once.
  Index group_blocks(const PlannedPart& part) const;
};

/// The transforms for a layer whose other decisions are made, where they are wanted: asked for, or
/// expected to be faster. Sets plan.winograd, and cuts channels as `wide` does.
/// @param wide the same plan with the strategy `wide`
/// @throws Error kUnsupported where they are asked for and the layer has none
void plan_winograd(LayerPlan& plan, const LayerPlan& wide, bool asked);

/// The rows of an axis' weights at its points, of all phases.
generators::WeightAxis weight_axis(const internal::AxisPhases& phases,
                                   const internal::WinogradAxis& axis);

/// Constant weights at their points, and the bias: what NAME_pack packs.
Halide::Buffer<void> pack_points(const LayerPlan& plan);

}  // namespace upconv::compiler
