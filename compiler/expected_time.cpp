#include "expected_time.h"

#include "narrow_plan.h"

namespace upconv::compiler {

double expected_time(const LayerPlan& plan) {
  if (plan.narrow != nullptr) return plan.narrow->time;
  double cost = plan.channels() > plan.output_size() ? kCombinedStoreCost : 1;
  double blocks = 0;
  for (const PlannedPart& part : plan.parts) blocks += part.blocks * part.tile.cost;
  cost *= blocks * static_cast<double>(plan.taps() * plan.input_size());
  for (const PlannedAxis& axis : plan.axes) {
    cost *= static_cast<double>(axis.window.output) / static_cast<double>(axis.axis.stride);
  }
  return cost * static_cast<double>(plan.spec.images.value_or(1));
}

}  // namespace upconv::compiler
