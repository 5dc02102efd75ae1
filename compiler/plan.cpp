#include "plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "gaps.h"
#include "heap.h"
#include "narrow_plan.h"
#include "pieces.h"
#include "scatter_plan.h"
#include "tables.h"
#include "upconv/error.h"
#include "whole_layer.h"
#include "winograd_plan.h"

namespace upconv::compiler {

namespace {

/// Beside its sums, in vector multiply-adds, what a pixel takes: its offsets, and, where its
/// channels fill no vectors, stores with a mask. The library's are higher: calls, and a copy.
constexpr double kPixel = 5, kPaddedPixel = 35;

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

PlannedAxis plan_axis(const LayerSpec& spec, int axis) {
  const Axis& of = spec.checked.axes[axis];
  PlannedAxis planned{.axis = of,
                      .phases = internal::AxisPhases(of.filter, of.stride, of.dilation),
                      .input = spec.extents[static_cast<std::size_t>(axis)]};
  if (of.length && !planned.input) {
    throw Error(ErrorKind::kUnsupported,
                spec.checked.label +
                    ": output_lengths are asked for, so that the extents of x must " +
                    "be constants of the code; --input-shape leaves axis " + std::to_string(axis) +
                    " to the call");
  }
  if (planned.input) {
    planned.window =
        infer_window(of, *planned.input, spec.checked.label + ": axis " + std::to_string(axis));
  }
  return planned;
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

/// Taps of each phase of an axis when they are combined.
Index combined_taps(const Axis& axis) { return internal::ceil_div(axis.filter, axis.stride); }

/// The phases of the axes from `first` on become channels.
void combine(LayerPlan& plan, std::size_t first) {
  for (std::size_t axis = first; axis < 3; ++axis) {
    PlannedAxis& of = plan.axes[axis];
    if (of.axis.stride == 1) continue;
    of.combined = of.axis.stride;
    of.phases = internal::AxisPhases(combined_taps(of.axis), 1, 1);
  }
}

/// All taps become channels of one.
void combine_taps(LayerPlan& plan) {
  for (PlannedAxis& of : plan.axes) {
    of.combined = of.axis.filter;
    of.phases = internal::AxisPhases(1, 1, 1);
  }
}

/// The blocks that compute so many channels.
std::vector<TileRow> blocks_for(const LayerPlan& plan, const std::vector<TileRow>& rows,
                                Index channels) {
  return cover(rows, internal::ceil_div(channels, plan.target.lanes));
}

/// Combines phases where that is asked for, or computes less in vain.
/// @return the blocks of channels
std::vector<TileRow> choose_blocks(LayerPlan& plan, const std::vector<TileRow>& rows,
                                   const std::string& strategy) {
  // Costs of one output of every phase: a block for every tap and input channel, and pixels, of
  // which combined phases are one.
  const auto cost_from = [&](std::size_t first, const std::vector<TileRow>& blocks,
                             Index channels) {
    double sums = static_cast<double>(plan.input_size()), pixels = 1;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Axis& of = plan.axes[axis].axis;
      sums *= static_cast<double>(axis < first ? of.filter : combined_taps(of));
      if (axis < first) pixels *= static_cast<double>(of.stride);
    }
    double of_blocks = 0;
    for (const TileRow& row : blocks) of_blocks += row.cost;
    if (first < 3) of_blocks *= combined_store_cost(first, blocks.front());
    const bool padded = channels % plan.target.lanes != 0;
    return sums * of_blocks + pixels * (padded ? kPaddedPixel : kPixel);
  };
  std::vector<TileRow> best = blocks_for(plan, rows, plan.output_size());
  if (strategy == "wide") return best;
  double least = cost_from(3, best, plan.output_size());
  if (strategy == "combined") least = std::numeric_limits<double>::infinity();
  std::size_t from = 3;
  Index channels = plan.output_size();
  for (std::size_t first = 3; first-- > 0;) {
    channels *= plan.axes[first].axis.stride;
    if (!can_combine(plan, first) || channels > kMostElements) continue;
    std::vector<TileRow> blocks = blocks_for(plan, rows, channels);
    // Rows of y are not cut; along w alone a row is as many blocks as it takes.
    if (first < 2 && blocks.size() > 1) continue;
    const double cost = cost_from(first, blocks, channels);
    if (cost >= least) continue;
    least = cost;
    best = std::move(blocks);
    from = first;
  }
  if (strategy == "combined" && from == 3) {
    throw Error(ErrorKind::kUnsupported,
                plan.spec.checked.label +
                    ": phases can be combined where dilations are 1, a stride is above 1, strides "
                    "divide filters (with fast arithmetic they need not), and all channels of all "
                    "phases fit one tile; this layer's cannot");
  }
  combine(plan, from);
  return best;
}

/// Weights as they are, in one block, taps in their own order; everything else is the schedule's.
void plan_for_autoscheduler(LayerPlan& plan, const std::string& name) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorKind::kUnsupported,
                plan.spec.checked.label + ": --autoscheduler " + name + ": " + why);
  };
  if (!plan.is_fixed()) {
    refuse("all extents and the number of images must be constants; --input-shape has no ? then");
  }
  for (PlannedAxis& axis : plan.axes) {
    if (axis.axis.stride > 1 && axis.axis.dilation > 1) {
      refuse(
          "an axis has a stride and a dilation above 1, and the algorithm that it schedules one "
          "of both");
    }
    axis.phases = internal::AxisPhases(axis.axis.filter, 1, 1);
  }
  plan.autoscheduler = name;
  const int channels = static_cast<int>(plan.output_size());
  plan.parts = {{.channels = channels, .block_channels = channels, .blocks = 1}};
}

void check_limits(const LayerPlan& plan) {
  const auto refuse = [&](const std::string& what, double count) {
    throw Error(ErrorKind::kLimitExceeded,
                plan.spec.checked.label + ": " + what + " has " +
                    std::to_string(static_cast<long long>(count)) +
                    " elements; compiled code addresses at most 2147483647");
  };
  double x = static_cast<double>(plan.input_size()), y = static_cast<double>(plan.output_size());
  x *= static_cast<double>(plan.spec.images.value_or(1));
  y *= static_cast<double>(plan.spec.images.value_or(1));
  for (const PlannedAxis& axis : plan.axes) {
    x *= static_cast<double>(axis.input.value_or(1));
    y *= static_cast<double>(axis.window.output);
  }
  if (x > static_cast<double>(kMostElements)) refuse("the input", x);
  if (y > static_cast<double>(kMostElements)) refuse("the output", y);
  const auto packed = static_cast<double>(plan.packed_elements);
  if (packed > static_cast<double>(kMostElements)) refuse("the packed kernel", packed);
}

}  // namespace

double combined_store_cost(std::size_t first, const TileRow& tile) {
  // Through the stack; or, where that is not needed, what a gain of padding alone would not pay:
  // there are no sums in pieces, and weights of all phases for each box.
  const bool blocks = first == 2 && tile.heights.front() <= generators::kMostPixelsOfBlocks;
  return blocks ? 1.05 : 1.15;
}

bool has_many_gaps(const LayerPlan& plan) {
  double reached = 1;
  for (const PlannedAxis& axis : plan.axes) {
    if (!axis.input) {
      reached *= static_cast<double>(axis.phases.with_taps().size()) /
                 static_cast<double>(axis.phases.stride());
      continue;
    }
    const internal::CallAxis call{&axis.phases, *axis.input, axis.positions()};
    reached *= static_cast<double>(internal::reached_outputs(call)) /
               static_cast<double>(std::max<Index>(1, call.window.output));
  }
  return reached <= internal::kMostReached;
}

const std::vector<std::string>& strategy_names() {
  static const std::vector<std::string> names = {"wide", "combined", "narrow", "scatter",
                                                 "winograd"};
  return names;
}

const char* LayerPlan::strategy() const {
  if (!autoscheduler.empty()) return autoscheduler.c_str();
  if (winograd != nullptr) return "winograd";
  if (narrow != nullptr) return "narrow";
  if (scatter != nullptr) return "scatter";
  return channels() == output_size() ? "wide" : "combined";
}

Index LayerPlan::channels() const {
  Index channels = output_size();
  for (const PlannedAxis& axis : axes) channels *= axis.combined;
  return channels;
}

std::array<Index, 3> LayerPlan::residues(Index channel) const {
  std::array<Index, 3> residues;
  Index phase = channel / output_size();
  for (std::size_t axis = 3; axis-- > 0; phase /= axes[axis].combined) {
    residues[axis] = phase % axes[axis].combined;
  }
  return residues;
}

bool LayerPlan::is_fixed() const {
  return spec.images && std::all_of(axes.begin(), axes.end(),
                                    [](const PlannedAxis& axis) { return axis.input.has_value(); });
}

Index LayerPlan::taps() const {
  if (winograd != nullptr) return winograd->points();
  Index taps = 1;
  for (const PlannedAxis& axis : axes) taps *= axis.phases.filter();
  return taps;
}

Index LayerPlan::scratch_bytes() const {
  constexpr Index kRowBytes = Index{8} * 4;  // generators::kSegmentColumns numbers
  Index bytes = table_rows(*this) * kRowBytes + heap_bytes;
  if (winograd != nullptr) {
    bytes += kHeapAlignment + (winograd->points_elements() + winograd->products_elements() +
                               winograd->outputs_elements()) *
                                  static_cast<Index>(element_bytes());
  }
  if (scatter != nullptr) {
    bytes += kHeapAlignment + scatter->products_elements() * static_cast<Index>(element_bytes());
  }
  if (narrow != nullptr) {
    bytes += kHeapAlignment +
             (narrow->planar_elements(input_size()) + narrow->sums_elements(output_size())) *
                 static_cast<Index>(element_bytes());
  }
  return bytes;
}

Index most_packed_bytes(const std::vector<LayerPlan>& variants) {
  Index most = 0;
  for (const LayerPlan& plan : variants) {
    most = std::max(most, plan.packed_elements * static_cast<Index>(plan.element_bytes()));
  }
  return most;
}

Index most_scratch_bytes(const std::vector<LayerPlan>& variants) {
  Index most = 0;
  for (const LayerPlan& plan : variants) most = std::max(most, plan.scratch_bytes());
  return most;
}

bool check_weights(const std::vector<LayerPlan>& variants) {
  return std::any_of(variants.begin(), variants.end(), [](const LayerPlan& plan) {
    return (plan.winograd != nullptr || plan.narrow != nullptr) && !plan.spec.embeds_weights();
  });
}

LayerPlan make_plan(const LayerSpec& spec, const TargetInfo& target, const PlanChoices& choices) {
  LayerPlan plan{.spec = spec, .target = target};
  plan.slow_axis = 3 - spec.rank();
  for (int axis = plan.slow_axis; axis < 3; ++axis) {
    plan.axes[static_cast<std::size_t>(axis)] = plan_axis(spec, axis - plan.slow_axis);
  }
  const auto is_unit = [&](int axis) {
    const PlannedAxis& of = plan.axes[static_cast<std::size_t>(axis)];
    return of.input == 1 && of.window.output == 1;
  };
  while (plan.slow_axis < 2 && is_unit(plan.slow_axis)) ++plan.slow_axis;

  if (!choices.autoscheduler.empty()) {
    plan_for_autoscheduler(plan, choices.autoscheduler);
  } else {
    const std::vector<TileRow> rows = choices.tile ? std::vector{*choices.tile} : target.tiles;
    const auto with_strategy = [&](const std::string& strategy) {
      LayerPlan direct = plan;
      const std::vector<TileRow> blocks = choose_blocks(direct, rows, strategy);
      direct.parts = parts_of(blocks, target.lanes, direct.channels());
      return direct;
    };
    const auto in_blocks = [&](LayerPlan from) {
      from.parts = parts_of(blocks_for(from, rows, from.channels()), target.lanes, from.channels());
      return from;
    };
    const auto to_transform = [&](bool folded) {
      LayerPlan from = plan;
      if (folded) combine(from, 0);
      return in_blocks(from);
    };
    const auto to_taps = [&] {
      LayerPlan from = plan;
      combine_taps(from);
      return in_blocks(from);
    };
    if (choices.strategy == "winograd") {
      plan = make_winograd_plan(plan, to_transform);
    } else if (choices.strategy == "scatter") {
      plan = make_scatter_plan(plan, to_taps);
    } else if (choices.strategy == "narrow") {
      plan_narrow(plan, true);
    } else if (choices.strategy.empty()) {
      LayerPlan best = with_strategy({});
      if (!choices.tile) plan_narrow(best, false);
      plan = faster_winograd_plan(plan, best, to_transform).value_or(best);
    } else {
      plan = with_strategy(choices.strategy);
    }
    const std::string strategy = plan.strategy();
    if (strategy == "wide") plan.piece_inputs = piece_inputs(plan);
    const bool boxes = strategy == "wide" || strategy == "combined";
    plan.fills_gaps = boxes && !plan.in_pieces() && has_many_gaps(plan);
  }
  Index at = 0;
  for (PlannedPart& part : plan.parts) {
    part.weights_at = at;
    at += Index{part.blocks} * part.block_channels * plan.taps() * plan.input_size();
  }
  for (PlannedPart& part : plan.parts) {
    part.bias_at = at;
    at += Index{part.blocks} * part.block_channels;
  }
  if (plan.narrow == nullptr) plan.packed_elements = at;
  check_limits(plan);
  return plan;
}

}  // namespace upconv::compiler
