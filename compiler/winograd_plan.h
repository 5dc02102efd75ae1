// What is decided for a layer that is computed with Toom-Cook transforms, the library's strategy
// `winograd`: the library's own choice of transforms and sizes, as numbers of the code.
//
// Tiles of a call fall into classes (runtime/winograd_grid.h): those whose phases read the same
// inputs, and take the same transforms, along every axis. A *round* is some tiles of a class:
// inputs to points once, then for every phase and some output channels products and outputs.
//
// A *folded* layer is transformed as one of stride 1 whose channels are those of all phases, which
// fill vectors better (runtime/winograd_fold.h). Then plan.axes have combined phases, an output of
// a tile is a position, and its channels, kept in scratch, are dealt out to y: those of one row of
// y at a time, which are the phases of w.
#pragma once

#include <array>
#include <functional>
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
  Index output_step = 1;                             ///< the same of y, or of positions
  bool inputs_exist = true;                          ///< of all tiles
  bool outputs_exist = true;                         ///< of all tiles and phases: inside the window
  bool some_inputs_exist = true;                     ///< there is a tile all whose inputs exist
  bool some_outputs_exist = true;

  int points() const { return grid.transform.points(); }
  int outputs() const { return grid.transform.outputs; }
  /// Of a tile: its first input, and the output or position of one of the phases, both from u = 0.
  Index input_shift() const { return -(grid.transform.taps - 1) * step; }
  Index output_shift(const internal::WinogradPhase& phase, const PlannedAxis& of) const {
    return phase.phase.origin * of.phases.stride() + phase.phase.residue - of.positions().offset;
  }
};

struct TileClass {
  std::array<TileAxis, 3> axes;  ///< d, h, w
  Index tiles = 1;               ///< of an image

  int points() const { return axes[0].points() * axes[1].points() * axes[2].points(); }
  Index outputs() const { return Index{axes[0].outputs()} * axes[1].outputs() * axes[2].outputs(); }
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
  double time = 0;         ///< of a call, in vector multiply-adds at full rate
  Index most_outputs = 0;  ///< of a tile, that are dealt out to y; 0 where none are

  Index points() const { return axes[0].points * axes[1].points * axes[2].points; }
  Index points_elements() const { return most_points * tile_rows * pitch; }
  Index products_elements() const { return most_points * tile_rows * group_channels; }
  Index outputs_elements() const { return most_outputs * group_channels; }
  /// Blocks of a part that are computed at once.
  Index group_blocks(const PlannedPart& part) const;
};

/// A plan for the layer with its phases as channels (true) or not, cut into blocks.
using ToTransform = std::function<LayerPlan(bool folded)>;

/// The plan with transforms: folded or not, as the library would take them.
/// @param layer of which only extents and target are known
/// @throws Error kUnsupported where the layer has none
LayerPlan make_winograd_plan(const LayerPlan& layer, const ToTransform& to_transform);

/// That plan where it is expected to be faster than another; else nothing.
std::optional<LayerPlan> faster_winograd_plan(const LayerPlan& layer, const LayerPlan& other,
                                              const ToTransform& to_transform);

/// The rows of an axis' weights at its points, of all phases.
generators::WeightAxis weight_axis(const PlannedAxis& planned, const internal::WinogradAxis& axis);

/// Constant weights at their points, and the bias: what NAME_pack packs.
Halide::Buffer<void> pack_points(const LayerPlan& plan);

}  // namespace upconv::compiler
