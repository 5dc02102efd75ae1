// What is decided for a layer that multiplies first and then adds, the library's strategy
// `scatter` (runtime/scatter_plan.h): every input with the weights of all taps, some inputs at a
// time, whose products are added to the outputs that the taps reach.
//
// All taps are channels of one tap: plan.axes have as many combined phases as the filter has taps,
// so that weights are packed as those of combined phases, and channel (t_d, t_h, t_w, co) is tap
// t's product for co. Inputs are counted through all images, [image, d, h, w], as x has them.
#pragma once

#include <functional>
#include <vector>

#include "plan.h"

namespace upconv::compiler {

/// Taps along w whose outputs are one run of y, from one input to the next without overlap.
struct TapRuns {
  Index taps = 1;   ///< of a run
  Index count = 0;  ///< such runs
  Index first = 0;  ///< the first one's first tap
};

struct ScatterPlan {
  /// Every output takes one tap of one input, or none: products are outputs, and are copied to y.
  bool once = false;
  bool fills = true;  ///< y gets the bias first; of a layer whose taps meet once, its gaps
  Index chunk = 1;    ///< inputs that are multiplied at once
  Index pitch = 1;    ///< from an input's products to the next's, in elements
  /// The row's last run has fewer taps, where there is such: later taps come first.
  std::vector<TapRuns> runs = {};
  /// A row's products lie as its outputs do: one run of all inputs.
  bool joined = false;
  /// Rows are added a vector of outputs at a time (generators/added_rows.h), where they have one;
  /// that may read so many elements before and after the products.
  bool gathers = false;
  Index margin = 0;
  /// Of the register tiles of each part, one after the other.
  std::vector<std::vector<int>> heights = {};
  double time = 0;  ///< of a call, in vector multiply-adds at full rate

  Index products_elements() const { return chunk * pitch + 2 * margin; }
};

/// A plan for the layer whose taps are channels, cut into blocks.
using ToTaps = std::function<LayerPlan()>;

/// The plan that multiplies first.
/// @param layer of which only extents and target are known
/// @throws Error kUnsupported where the layer has none
LayerPlan make_scatter_plan(const LayerPlan& layer, const ToTaps& to_taps);

/// That plan where it is expected to be faster than another; else nothing.
std::optional<LayerPlan> faster_scatter_plan(const LayerPlan& layer, const LayerPlan& other,
                                             const ToTaps& to_taps);

}  // namespace upconv::compiler
