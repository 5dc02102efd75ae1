#include "scatter_plan.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "boxes_time.h"
#include "chunk.h"
#include "expected_time.h"
#include "few_columns.h"
#include "hints.h"
#include "phases.h"
#include "scatter_layout.h"
#include "upconv/error.h"
#include "wide_packing.h"

namespace upconv::compiler {

namespace {

using internal::ceil_div;

/// The outputs of an axis' inputs do not meet.
bool are_apart(const PlannedAxis& axis) {
  return axis.input == 1 || (axis.axis.dilation == 1 && axis.axis.filter <= axis.axis.stride);
}

/// Every output of an axis is reached.
bool has_no_gaps(const PlannedAxis& axis) {
  const internal::AxisPhases phases(axis.axis.filter, axis.axis.stride, axis.axis.dilation);
  return internal::reached_outputs({&phases, *axis.input, axis.window}) == axis.window.output;
}

/// Taps of a row whose products one run of y takes, from the row's last on.
std::vector<TapRuns> runs_of(const PlannedAxis& axis) {
  const Axis& w = axis.axis;
  const Index most = are_apart(axis) ? w.filter : std::min(w.stride, w.filter);
  const Index taps = w.dilation == 1 ? most : 1;
  const Index rest = w.filter % taps;
  std::vector<TapRuns> runs;
  if (rest > 0) runs.push_back({.taps = rest, .count = 1, .first = w.filter - rest});
  runs.push_back({.taps = taps, .count = w.filter / taps});
  return runs;
}

/// Rows of products are added a vector of outputs at a time. (In the pipeline, which does so for
/// all taps along h, offsets are of 32 bits.)
bool adds_by_vectors(const LayerPlan& plan) {
  const PlannedAxis &h = plan.axes[1], &w = plan.axes[2];
  const Index lanes = plan.target.lanes, row = w.window.output * plan.output_size();
  const Index most = internal::kLargestOffset / (h.axis.filter * h.axis.dilation);
  if (row < lanes || row > most) return false;
  return internal::adds_by_vectors({w.axis.filter, w.axis.stride, w.axis.dilation}, w.axis.filter,
                                   plan.output_size(), lanes,
                                   lanes * static_cast<Index>(plan.element_bytes()));
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

// Beside the multiply-adds, in these: fitted with those of boxes_time.cpp.

/// A chunk for a block; an input, whose products are found; a vector of them, which are written; a
/// row of inputs for a run of taps.
constexpr double kChunk = 20, kInput = 12, kProduct = 2, kRowOfRuns = 2;
/// Where columns are few, an input; for a tile, which has a vector of them, and four channels: the
/// tile, each of its inputs, each column.
constexpr double kFewInput = 1.5, kFewTile = 6, kTransposed = 1.4, kColumn = 4;
/// A vector of a run, or a part of one, added; of few columns, copied.
constexpr double kAdded = 3.6, kFewCopied = 2;
/// A vector of outputs in a row of y, and an input that reaches it, where rows are added by these.
constexpr double kGather = 14, kGathered = 7;

/// 64 bytes of weights that the second-level cache does not keep, for each chunk.
constexpr double kFarWeights = 2;

/// What it must save beside strategies whose estimates were not fitted with these, and beside boxes
/// of as many products.
constexpr double kGain = 0.93, kGainOnce = 0.97;

/// Time of the products, and of finding them.
double products_time(const LayerPlan& plan, const ScatterPlan& scatter, Index inputs) {
  const auto real = [](Index value) { return static_cast<double>(value); };
  const PlannedPart& first = plan.parts.front();
  if (first.few) {
    // Products are transposed back, as if they were of four channels more.
    const Index quads = ceil_div(plan.input_size(), generators::FewColumns::kQuad);
    const Index tiles = ceil_div(inputs, plan.target.lanes), lanes = plan.target.lanes;
    return real(tiles) * (real(quads) * (kFewTile + kTransposed * real(lanes)) +
                          real(quads + 1) * kColumn * first.block_channels) +
           kFewInput * real(inputs);
  }
  double tiles = 0;  // for a row of weights
  for (std::size_t n = 0; n < plan.parts.size(); ++n) {
    const PlannedPart& part = plan.parts[n];
    Index left = inputs;
    for (const int height : scatter.heights[n]) {
      const Index count = part.blocks * (left / height);
      tiles += real(count) * tile_time(part.tile, height);
      left %= height;
    }
  }
  const Index vectors = ceil_div(scatter.pitch, plan.target.lanes);
  return tiles * real(plan.input_size()) + (kInput + kProduct * real(vectors)) * real(inputs);
}

/// Time of a call.
double time_of(const LayerPlan& plan, const ScatterPlan& scatter) {
  const Index images = plan.spec.images.value_or(1);
  Index inputs = images, rows = images, outputs = images * plan.output_size();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[axis];
    inputs *= *of.input;
    rows *= axis == 2 ? 1 : *of.input * of.axis.filter;
    outputs *= of.window.output;
  }
  Index blocks = 0;
  for (const PlannedPart& part : plan.parts) blocks += part.blocks;
  Index runs = 0, added = 0;  // of a row, and vectors of an input's
  for (const TapRuns& of : scatter.runs) {
    Index elements = of.taps * plan.output_size(), vectors = 0;
    for (int width = plan.target.lanes; width > 0; elements %= width, width /= 2) {
      vectors += elements / width;
    }
    runs += of.count;
    added += of.count * vectors;
  }
  const auto real = [](Index value) { return static_cast<double>(value); };
  const PlannedAxis& w = plan.axes[2];
  // Joined runs are vectors of all inputs.
  double vectors = real(rows * *w.input * added);
  if (scatter.joined) vectors = real(rows * *w.input * scatter.pitch) / plan.target.lanes;
  const bool copies_few = scatter.once && plan.parts.front().few;
  const double adding_vector = copies_few ? kFewCopied : kAdded;
  double adding = kRowOfRuns * real(rows * runs) + adding_vector * vectors;
  if (scatter.gathers) {
    const Index lanes = plan.target.lanes, channels = plan.output_size();
    const Index reached =
        internal::inputs_of_vector(w.axis.filter * channels, w.axis.stride * channels, lanes);
    adding = real(rows * ceil_div(w.window.output * channels, lanes)) *
             (kGather + kGathered * real(reached));
  }
  const Index chunks = ceil_div(inputs, scatter.chunk);
  const Index weights = plan.input_size() * scatter.pitch;
  const Index lines = weights * static_cast<Index>(plan.element_bytes()) / 64;
  return (are_far(plan, weights) ? kFarWeights * real(chunks * lines) : 0) +
         products_time(plan, scatter, inputs) + kChunk * real(chunks * blocks) + adding +
         kOutputTime * real(outputs) / plan.target.lanes + (scatter.once ? far_time(plan) : 0);
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
  scatter.once = std::all_of(plan.axes.begin(), plan.axes.end(), are_apart);
  scatter.fills = !scatter.once || !std::all_of(plan.axes.begin(), plan.axes.end(), has_no_gaps);
  scatter.runs = runs_of(plan.axes[2]);
  scatter.joined = scatter.once && scatter.runs.size() == 1 &&
                   scatter.pitch == scatter.runs.front().taps * plan.output_size() &&
                   scatter.pitch == plan.axes[2].axis.stride * plan.output_size();
  scatter.gathers = !scatter.once && adds_by_vectors(plan);
  if (scatter.gathers) {
    scatter.margin = internal::kMarginBytes / static_cast<Index>(plan.element_bytes());
  }
  Index inputs = plan.spec.images.value_or(1);
  for (const PlannedAxis& axis : plan.axes) inputs *= *axis.input;
  for (const PlannedPart& part : plan.parts) {
    // Of a known number of inputs, the last tile is as low as what is left.
    const int tallest = part.tile.heights.front();
    const auto rest = static_cast<int>(inputs % tallest);
    if (!plan.spec.images || (part.few && rest > 0)) {
      scatter.heights.push_back(part.tile.heights);
    } else if (rest == 0) {
      scatter.heights.push_back({tallest});
    } else if (inputs < tallest) {
      scatter.heights.push_back({rest});
    } else {
      scatter.heights.push_back({tallest, rest});
    }
  }
  // Of few columns, tiles are whole.
  const Index least = plan.parts.front().few ? tall : 1;
  if (plan.spec.images) {
    scatter.chunk = std::min(scatter.chunk, ceil_div(inputs, least) * least);
  }
  scatter.time = time_of(plan, scatter);
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
  const bool boxes = other.narrow == nullptr && other.winograd == nullptr;
  const double gain = !boxes ? kGain : plan.scatter->once ? kGainOnce : 1;
  if (expected_time(plan) >= gain * expected_time(other)) return std::nullopt;
  return plan;
}

}  // namespace upconv::compiler
