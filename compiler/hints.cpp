#include "hints.h"

#include <algorithm>

#include "bill.h"
#include "narrow_plan.h"
#include "prefetch.h"

namespace upconv::compiler {

namespace {

bool is_x86(const LayerPlan& plan) { return plan.target.halide.arch == Halide::Target::X86; }

/// A tile has the time to ask for something, and has it at the rows that are asked at.
bool has_time(const PlannedPart& part, int vectors) {
  const TileRow& tile = part.tile;
  return tile.vectors >= vectors && tile.heights.front() >= tile.vectors &&
         tile.unroll % generators::PanelHints::kPeriod == 0;
}

}  // namespace

bool are_far(const LayerPlan& plan, Index weights) {
  return weights * static_cast<Index>(plan.element_bytes()) > Index{2} * plan.target.panel_bytes;
}

bool wants_next_panel(const LayerPlan& plan, const PlannedPart& part) {
  return plan.hints && is_x86(plan) && plan.target.fused() && are_far(plan, plan.packed_elements) &&
         has_time(part, 3);
}

double far_bytes(const LayerPlan& plan) {
  if (!plan.is_fixed()) return 0;
  double inputs = static_cast<double>(*plan.spec.images), outputs = inputs;
  for (const PlannedAxis& axis : plan.axes) {
    inputs *= static_cast<double>(*axis.input);
    outputs *= static_cast<double>(axis.window.output);
  }
  const double elements = inputs * static_cast<double>(plan.input_size()) +
                          outputs * static_cast<double>(plan.output_size());
  const double bytes = elements * static_cast<double>(plan.element_bytes());
  return bytes > internal::kCachedBytes ? bytes : 0;
}

bool waits_for_lines(const LayerPlan& plan) {
  return is_x86(plan) && plan.target.halide.has_feature(Halide::Target::AVX512_Skylake);
}

bool has_one_tap(const LayerPlan& plan) {
  return std::all_of(plan.axes.begin(), plan.axes.end(),
                     [](const PlannedAxis& axis) { return axis.phases.most_taps() == 1; });
}

bool wants_next_tile(const LayerPlan& plan, const PlannedPart& part) {
  return plan.hints && waits_for_lines(plan) && plan.in_boxes() && has_one_tap(plan) &&
         far_bytes(plan) > 0 && has_time(part, 2);
}

bool has_hints(const LayerPlan& plan) {
  if (!is_x86(plan)) return false;
  if (plan.narrow != nullptr) return plan.narrow->ahead_lines(plan.target.lanes) > 0;
  return std::any_of(plan.parts.begin(), plan.parts.end(), [&](const PlannedPart& part) {
    return wants_next_panel(plan, part) || wants_next_tile(plan, part);
  });
}

}  // namespace upconv::compiler
