// What is decided for a layer of few output channels whose vectors lie along the output positions,
// the library's strategy `narrow` (docs/design.md): strips of positions, and groups of rows whose
// sums are a register tile. generators/narrow_layer.h has the terms.
#pragma once

#include <array>
#include <vector>

#include "narrow_layer.h"
#include "phases.h"
#include "plan.h"

namespace upconv::compiler {

/// The phases and positions of an axis.
struct NarrowAxis {
  std::vector<internal::Phase> phases = {};  ///< of all residues, most taps first
  std::vector<int> order = {};               ///< of a residue: its phase in that list
  Index first_q = 0, positions = 1;          ///< that have some output in the window
  Index reach_most = 0, reach_least = 0;     ///< furthest and nearest input before q that is read

  Index span() const { return reach_most - reach_least; }
};

/// Rows of phases [first, first + phases) per axis and of some channels.
struct NarrowGroup {
  std::array<int, 3> first = {}, phases = {1, 1, 1};
  int first_channel = 0, channels = 1;
  int vectors = 1;  ///< of the register tile
  Index ahead_lines =
      0;  ///< of the next strip's x, 64 bytes each, that a register tile brings nearer
  /// As the sums are computed; columns are counted from a strip's first.
  std::vector<generators::PieceSums> pieces = {};
  std::vector<std::array<int, 3>> first_taps = {};  ///< of a piece: of each phase's taps

  int rows() const { return phases[0] * phases[1] * phases[2] * channels; }
};

struct NarrowPlan {
  std::array<NarrowAxis, 3> axes = {};
  std::vector<NarrowGroup> groups = {};
  /// Positions of a strip along h and w; along d there is one. The last along h may have fewer, and
  /// along w begins earlier, so that all are as wide.
  Index strip_h = 1, strip_w = 1;
  std::array<Index, 3> pitch = {1, 1, 1};  ///< extents of a plane
  Index plane = 1;                         ///< elements from plane to plane
  Index sums_step = 1;                     ///< elements from row to row of sums
  Index block = 1;                         ///< columns that all groups compute one after the other
  Index bias_at = 0;                       ///< in the packed weights
  Index widest = 1;                        ///< columns of the widest register tile
  double time = 0;                         ///< of a call, in vector multiply-adds at full rate

  Index strips(int axis) const;
  Index ahead_lines(Index lanes) const;  ///< that all tiles of a block bring nearer
  /// The first row of sums of a phase of every axis, whose rows are its channels.
  Index row(int d, int h, int w, Index output_size) const;
  Index planar_elements(Index input_size) const { return input_size * plane + widest; }
  Index sums_elements(Index output_size) const;
};

/// Computes the layer so where that is wanted: asked for, or expected to be faster than the plan.
/// Sets plan.narrow and plan.packed_elements.
/// @throws Error kUnsupported where it is asked for and the layer cannot be
void plan_narrow(LayerPlan& plan, bool asked);

/// For every row and tap of piece `at`, the element of the kernel that input channel 0 is
/// multiplied with: [tap][row].
std::vector<int> kernel_elements(const LayerPlan& plan, const NarrowGroup& group, std::size_t at);

/// Constant weights and biases: what NAME_pack packs.
Halide::Buffer<void> pack_narrow(const LayerPlan& plan);

}  // namespace upconv::compiler
