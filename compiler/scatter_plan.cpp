#include "scatter_plan.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "chunk.h"
#include "expected_time.h"
#include "scatter_layout.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

using internal::ceil_div;

/// Taps of a row whose products one run of y takes, from the row's last on.
std::vector<TapRuns> runs_of(const Axis& w) {
  const Index taps = w.dilation == 1 ? std::min(w.stride, w.filter) : 1;
  const Index rest = w.filter % taps;
  std::vector<TapRuns> runs;
  if (rest > 0) runs.push_back({.taps = rest, .count = 1, .first = w.filter - rest});
  runs.push_back({.taps = taps, .count = w.filter / taps});
  return runs;
}

/// Why a layer is not computed so; empty: it may be.
std::string reason_against(const LayerPlan& plan) {
  if (plan.spec.checked.options.arithmetic == Arithmetic::kDirect) return "arithmetic is direct";
  Index columns = plan.output_size();
  for (const PlannedAxis& axis : plan.axes) {
    if (!axis.input) return "an extent of x is an argument of the call";
    if (axis.window.output < 1) return "the output is empty";
    columns *= axis.axis.filter;
    if (columns > internal::kMostColumns) return "it has very many taps and output channels";
  }
  return {};
}

LayerPlan plan_of(const ToTaps& to_taps) {
  LayerPlan plan = to_taps();
  ScatterPlan scatter;
  Index tall = 1;
  for (const PlannedPart& part : plan.parts) {
    scatter.pitch = part.first_channel + Index{part.blocks} * part.block_channels;
    tall = std::lcm(tall, Index{part.tile.heights.front()});
  }
  const Index row_bytes = scatter.pitch * static_cast<Index>(plan.element_bytes());
  const Index fitting = internal::kProductBytes / row_bytes / tall * tall;
  scatter.chunk = std::clamp(fitting, tall, internal::kChunkPixels / tall * tall);
  scatter.runs = runs_of(plan.axes[2].axis);
  Index inputs = plan.spec.images.value_or(1);
  for (const PlannedAxis& axis : plan.axes) inputs *= *axis.input;
  for (const PlannedPart& part : plan.parts) {
    // Of a known number of inputs, the last tile is as low as what is left.
    const int tallest = part.tile.heights.front();
    const auto rest = static_cast<int>(inputs % tallest);
    if (!plan.spec.images) {
      scatter.heights.push_back(part.tile.heights);
    } else if (rest == 0) {
      scatter.heights.push_back({tallest});
    } else if (inputs < tallest) {
      scatter.heights.push_back({rest});
    } else {
      scatter.heights.push_back({tallest, rest});
    }
  }
  if (plan.spec.images) scatter.chunk = std::min(scatter.chunk, inputs);
  plan.scatter = std::make_shared<const ScatterPlan>(std::move(scatter));
  return plan;
}

}  // namespace

LayerPlan make_scatter_plan(const LayerPlan& layer, const ToTaps& to_taps) {
  const std::string reason = reason_against(layer);
  if (reason.empty()) return plan_of(to_taps);
  throw Error(ErrorKind::kUnsupported,
              layer.spec.checked.label + ": " + reason +
                  "; --strategy scatter takes layers with fast arithmetic, spatial extents that "
                  "are constants, and at most " +
                  std::to_string(internal::kMostColumns) + " taps times output channels");
}

std::optional<LayerPlan> faster_scatter_plan(const LayerPlan& layer, const LayerPlan& other,
                                             const ToTaps& to_taps) {
  if (!reason_against(layer).empty()) return std::nullopt;
  LayerPlan plan = plan_of(to_taps);
  if (expected_time(plan) >= expected_time(other)) return std::nullopt;
  return plan;
}

}  // namespace upconv::compiler
