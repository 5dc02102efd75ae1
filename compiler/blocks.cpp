#include "blocks.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "boxes_time.h"
#include "few_columns.h"
#include "hints.h"
#include "layer_state.h"
#include "pieces.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

/// Combined phases must save so much where they have several taps, for the estimates are not
/// better. (Of one tap, all boxes become one.)
constexpr double kGain = 0.95;

/// The rows of tiles whose blocks cover `vectors` vectors at the least cost, widest first.
std::vector<TileRow> cover(const std::vector<TileRow>& rows, Index vectors) {
  // All but a few vectors are covered by the row that is cheapest per vector.
  const auto per_vector = [](const TileRow& row) { return row.cost / row.vectors; };
  const TileRow& best = *std::min_element(
      rows.begin(), rows.end(),
      [&](const TileRow& a, const TileRow& b) { return per_vector(a) < per_vector(b); });
  constexpr Index kTried = 24;
  const Index sure = std::max<Index>(0, (vectors - kTried) / best.vectors);
  const auto left = static_cast<std::size_t>(vectors - sure * best.vectors);
  std::vector<double> least(left + 1, std::numeric_limits<double>::infinity());
  std::vector<const TileRow*> last(left + 1, nullptr);
  least[0] = 0;
  for (std::size_t n = 1; n <= left; ++n) {
    for (const TileRow& row : rows) {
      const std::size_t before = n - std::min(n, static_cast<std::size_t>(row.vectors));
      if (least[before] + row.cost < least[n]) {
        least[n] = least[before] + row.cost;
        last[n] = &row;
      }
    }
  }
  std::vector<TileRow> blocks(static_cast<std::size_t>(sure), best);
  for (std::size_t n = left; n > 0; n -= std::min(n, static_cast<std::size_t>(last[n]->vectors))) {
    blocks.push_back(*last[n]);
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const TileRow& a, const TileRow& b) { return a.vectors > b.vectors; });
  return blocks;
}

/// Runs of equal blocks; a last block with fewer channels than it packs is a part of its own.
std::vector<PlannedPart> parts_of(const std::vector<TileRow>& blocks, int lanes, Index channels) {
  std::vector<PlannedPart> parts;
  Index first = 0;
  for (const TileRow& row : blocks) {
    const int packed = row.vectors * lanes;
    const auto real = static_cast<int>(std::min<Index>(packed, channels - first));
    const bool more = !parts.empty() && parts.back().block_channels == packed && real == packed;
    if (more) {
      ++parts.back().blocks;
    } else {
      parts.push_back({.first_channel = static_cast<int>(first),
                       .channels = real,
                       .block_channels = packed,
                       .blocks = 1,
                       .tile = row});
    }
    first += real;
  }
  return parts;
}

/// The phases of the axes from `first` on can be channels. Where the stride does not divide the
/// filter, some phases get a tap that is zero; it would turn an input that is not finite into NaN
/// in outputs that do not see it, so that direct arithmetic has none.
bool can_combine(const LayerPlan& plan, std::size_t first) {
  const bool direct = plan.spec.checked.options.arithmetic == Arithmetic::kDirect;
  for (std::size_t axis = first; axis < 3; ++axis) {
    const Axis& of = plan.axes[axis].axis;
    if (of.dilation != 1 || (direct && of.filter % of.stride != 0)) return false;
  }
  return plan.axes[first].axis.stride > 1;
}

/// The layer with its phases from axis `first` on as channels (3: with none); nothing where these
/// cannot be, or are too many.
std::optional<LayerPlan> combined_from(std::size_t first, const LayerPlan& layer,
                                       const std::vector<TileRow>& rows) {
  LayerPlan plan = layer;
  if (first < 3) {
    if (!can_combine(plan, first)) return std::nullopt;
    combine_phases(plan, first);
    if (plan.channels() > kMostElements) return std::nullopt;
  }
  cut_blocks(plan, rows);
  // Rows of y are not cut; along w alone a row is as many blocks as it takes.
  const PlannedPart& part = plan.parts.front();
  if (first < 2 && (plan.parts.size() > 1 || part.blocks > 1)) return std::nullopt;
  return plan;
}

/// The plan with the library's expectations for extents that are arguments, and about as many
/// outputs.
LayerPlan with_expected_extents(LayerPlan plan) {
  const LayerSpec& spec = plan.spec;
  const auto rank = static_cast<std::size_t>(spec.rank());
  for (std::size_t n = 0; n < rank; ++n) {
    PlannedAxis& axis = plan.axes[3 - rank + n];
    if (axis.input) continue;
    const std::optional<Index> most =
        spec.most_extents.empty() ? std::nullopt : spec.most_extents[n];
    const Axis& of = axis.axis;
    axis.input = std::min(kUsualExtent[rank], most.value_or(kMostElements));
    axis.window = {.output = *axis.input * of.stride,
                   .offset = std::max<Index>(0, (of.filter - 1) * of.dilation + 1 - of.stride) / 2};
  }
  return plan;
}

}  // namespace

void cut_blocks(LayerPlan& plan, const std::vector<TileRow>& rows) {
  const int lanes = plan.target.lanes;
  const std::vector<TileRow> blocks = cover(rows, internal::ceil_div(plan.channels(), lanes));
  plan.parts = parts_of(blocks, lanes, plan.channels());
}

void combine_phases(LayerPlan& plan, std::size_t first) {
  for (std::size_t axis = first; axis < 3; ++axis) {
    PlannedAxis& of = plan.axes[axis];
    if (of.axis.stride == 1) continue;
    of.combined = of.axis.stride;
    of.phases = internal::AxisPhases(internal::ceil_div(of.axis.filter, of.axis.stride), 1, 1);
  }
}

void combine_taps(LayerPlan& plan) {
  for (PlannedAxis& of : plan.axes) {
    of.combined = of.axis.filter;
    of.phases = internal::AxisPhases(1, 1, 1);
  }
}

void cut_columns(LayerPlan& plan, const std::vector<TileRow>& rows) {
  const auto columns = static_cast<int>(plan.channels());
  // Fewer inputs than are transposed at a time are quicker one by one.
  if (columns > plan.target.few_columns || plan.input_size() < generators::FewColumns::kQuad) {
    cut_blocks(plan, rows);
    return;
  }
  plan.parts = {{.channels = columns,
                 .block_channels = columns,
                 .blocks = 1,
                 .few = true,
                 .tile = {.heights = {plan.target.lanes, 1}}}};
}

int blocks_of_tile(const LayerPlan& plan, const PlannedPart& part) {
  // A part of any second-level cache: it delivers what low tiles read of them, 16 bytes a cycle.
  constexpr Index kNearBytes = Index{80} * 1024;
  if (plan.in_pieces()) return 1;
  Index rows = plan.input_size();
  for (const PlannedAxis& axis : plan.axes) rows *= axis.phases.most_taps();
  const Index channels = Index{part.blocks} * part.block_channels;
  const Index bytes = rows * channels * static_cast<Index>(plan.element_bytes());
  return bytes <= kNearBytes ? part.blocks : 1;
}

LayerPlan plan_boxes(const LayerPlan& layer, const std::vector<TileRow>& rows,
                     const std::string& strategy) {
  std::optional<LayerPlan> best;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t first = 4; first-- > 0;) {
    const bool wide = first == 3;
    if (wide ? strategy == "combined" : strategy == "wide") continue;
    std::optional<LayerPlan> plan = combined_from(first, layer, rows);
    if (!plan) continue;
    if (wide) plan->piece_inputs = piece_inputs(*plan);
    const double time = boxes_time(with_expected_extents(*plan), plan->in_pieces());
    if (time >= least) continue;
    least = wide && !has_one_tap(*plan) ? kGain * time : time;
    best = std::move(plan);
  }
  if (!best) {
    throw Error(ErrorKind::kUnsupported,
                layer.spec.checked.label +
                    ": phases can be combined where dilations are 1, a stride is above 1, strides "
                    "divide filters (with fast arithmetic they need not), and all channels of all "
                    "phases fit one tile; this layer's cannot");
  }
  best->fills_gaps = !best->in_pieces() && has_many_gaps(*best);
  return *std::move(best);
}

}  // namespace upconv::compiler
