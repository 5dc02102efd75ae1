#include "plan.h"

#include <algorithm>
#include <utility>

#include "blocks.h"
#include "gaps.h"
#include "heap.h"
#include "narrow_plan.h"
#include "scatter_plan.h"
#include "tables.h"
#include "upconv/error.h"
#include "winograd_plan.h"

namespace upconv::compiler {

namespace {

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

/// Tiles of boxes go through few input channels by steps that divide these. Were some left over at
/// every tap, what the rest needs would take registers of the loop before it: that of 21 channels
/// takes 1.2 times as long on AVX-512 where phases are combined.
void unroll_without_rest(LayerPlan& plan) {
  constexpr Index kFewInputs = 64;
  constexpr int kSteps[] = {3, 5, 2};
  const Index inputs = plan.input_size();
  if (inputs > kFewInputs || !plan.in_boxes()) return;
  for (PlannedPart& part : plan.parts) {
    if (inputs % part.tile.unroll == 0) continue;
    const auto* step = std::find_if(std::begin(kSteps), std::end(kSteps),
                                    [&](int steps) { return inputs % steps == 0; });
    if (step != std::end(kSteps)) part.tile.unroll = *step;
  }
}

}  // namespace

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
    const auto to_transform = [&](bool folded) {
      LayerPlan from = plan;
      if (folded) combine_phases(from, 0);
      cut_blocks(from, rows);
      return from;
    };
    const auto to_taps = [&] {
      LayerPlan from = plan;
      combine_taps(from);
      if (choices.tile) {
        cut_blocks(from, rows);
      } else {
        cut_columns(from, rows);
      }
      return from;
    };
    if (choices.strategy == "winograd") {
      plan = make_winograd_plan(plan, to_transform);
    } else if (choices.strategy == "scatter") {
      plan = make_scatter_plan(plan, to_taps);
    } else if (choices.strategy == "narrow") {
      plan_narrow(plan, true);
    } else {
      LayerPlan best = plan_boxes(plan, rows, choices.strategy);
      if (choices.strategy.empty()) {
        if (!choices.tile) plan_narrow(best, false);
        best = faster_winograd_plan(plan, best, to_transform).value_or(best);
        best = faster_scatter_plan(plan, best, to_taps).value_or(best);
      }
      plan = best;
    }
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
  unroll_without_rest(plan);
  check_limits(plan);
  return plan;
}

}  // namespace upconv::compiler
