// What is decided for one layer and target before any code is made: extents, windows, parts, tiles.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options.h"
#include "phases.h"
#include "targets.h"
#include "upconv/convolution_transpose.h"

namespace upconv::compiler {

/// The most elements that compiled code addresses, in x, y and packed weights.
inline constexpr Index kMostElements = 2147483647;

/// A layer as it was asked for.
struct LayerSpec {
  std::string name;  ///< a C identifier: what all names in the header begin with
  internal::CheckedOptions checked;
  /// Images, then the extents of the spatial axes, slowest first; absent: an argument of the call.
  std::optional<Index> images = {};
  std::vector<std::optional<Index>> extents = {};
  /// Of those that are arguments: what they are at most; absent: anything.
  std::optional<Index> most_images = {};
  std::vector<std::optional<Index>> most_extents = {};
  std::optional<Tensor> kernel = {},
                        bias = {};  ///< constants of the code; absent kernel: packed at run time

  DType dtype() const { return checked.options.dtype; }
  int rank() const { return checked.options.rank; }
  bool embeds_weights() const { return kernel.has_value(); }
  bool is_bounded() const {
    return most_images || std::any_of(most_extents.begin(), most_extents.end(),
                                      [](const auto& most) { return most.has_value(); });
  }
};

/// One of the axes d, h, w. An axis that the layer lacks has one input and one tap.
struct PlannedAxis {
  Axis axis;
  /// Of the layer; with combined phases, those of the one that they become.
  internal::AxisPhases phases;
  /// Phases that are channels: 1, or the stride; of a layer that multiplies first, taps.
  Index combined = 1;
  std::optional<Index> input = 1;
  Window window{.output = 1, .offset = 0};  ///< when input is known

  /// The window in what is computed: outputs, or with combined phases positions, of which the first
  /// and the last may have outputs beyond it.
  Window positions() const {
    if (combined == 1) return window;
    const Index first = internal::floor_div(window.offset, combined);
    const Index end = internal::floor_div(window.offset + window.output - 1, combined) + 1;
    return {.output = end - first, .offset = first};
  }
};

/// A run of blocks of output channels that the same tiles compute.
struct PlannedPart {
  int first_channel = 0;
  int channels = 0;        ///< of a block that y has; only a last block has fewer than it packs
  int block_channels = 0;  ///< packed
  int blocks = 0;
  /// Its channels are few, and a tile is a vector of rows (generators/few_columns.h): of one block,
  /// which is not padded.
  bool few = false;
  TileRow tile = {};
  Index weights_at = 0;  ///< of the first block in the packed weights, in elements
  Index bias_at = 0;
};

struct NarrowPlan;
struct ScatterPlan;
struct WinogradPlan;

struct LayerPlan {
  LayerSpec spec;
  TargetInfo target;
  std::array<PlannedAxis, 3> axes = {};  ///< d, h, w
  std::vector<PlannedPart> parts = {};
  Index packed_elements = 0;  ///< weights, then a bias for every packed channel
  int slow_axis = 2;          ///< the axis that slabs cut
  int piece_inputs = 0;       ///< input channels of a piece (pieces.h); 0: not in pieces
  /// y is written first as where no tap reaches, row by row, and such outputs are not visited.
  bool fills_gaps = false;
  /// Who schedules the layer in the place of schedules/layer_tiles.h; empty: no one.
  std::string autoscheduler = {};
  /// Transforms (winograd_plan.h); null: none.
  std::shared_ptr<const WinogradPlan> winograd = {};
  /// Strips and groups (narrow_plan.h), in the place of parts; null: none.
  std::shared_ptr<const NarrowPlan> narrow = {};
  /// Products of all taps (scatter_plan.h); null: none.
  std::shared_ptr<const ScatterPlan> scatter = {};
  bool hints = true;     ///< tiles may ask for what comes next (hints.h)
  Index heap_bytes = 0;  ///< that its schedule keeps in scratch; known when it is compiled

  const char* strategy() const;
  bool in_pieces() const { return piece_inputs > 0; }
  /// By this project's schedules, and box by box: `wide` or `combined`.
  bool in_boxes() const {
    return winograd == nullptr && narrow == nullptr && scatter == nullptr &&
           autoscheduler.empty() && !in_pieces();
  }
  /// Channels as they are computed: output_size for each of the phases that are combined.
  Index channels() const;
  /// Of such a channel, which phase of each axis it is, of those that are combined; d first.
  std::array<Index, 3> residues(Index channel) const;

  Index input_size() const { return spec.checked.options.input_size; }
  Index output_size() const { return spec.checked.options.output_size; }
  std::size_t element_bytes() const { return size_of(spec.dtype()); }
  /// Bytes that a call needs beside its arguments; of an autoscheduled layer, once it is compiled.
  Index scratch_bytes() const;
  /// All extents and the number of images are constants.
  bool is_fixed() const;
  /// Packed taps, of all phases that are not combined; with transforms, points in their place.
  Index taps() const;
};

/// Outputs that no tap reaches are at least a half; where extents are arguments, those of phases
/// without taps.
bool has_many_gaps(const LayerPlan& plan);

/// The most bytes that one of the variants of a layer packs, or needs as scratch.
Index most_packed_bytes(const std::vector<LayerPlan>& variants);
Index most_scratch_bytes(const std::vector<LayerPlan>& variants);

/// NAME_pack of one of the variants refuses weights that are not finite.
bool check_weights(const std::vector<LayerPlan>& variants);

/// How the compiler's strategies are called: those of the library, and `combined` (phases that
/// become channels).
const std::vector<std::string>& strategy_names();

/// What is decided by the user in the place of the compiler.
struct PlanChoices {
  std::optional<TileRow> tile = {};
  std::string strategy = {};       ///< empty: the one that is expected to be faster
  std::string autoscheduler = {};  ///< as check_autoscheduler; empty: none
};

/// @throws Error kUnsupported or kLimitExceeded for a layer that the compiler has no code for.
LayerPlan make_plan(const LayerSpec& spec, const TargetInfo& target,
                    const PlanChoices& choices = {});

}  // namespace upconv::compiler
