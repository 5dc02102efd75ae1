#include "next_panel.h"

#include "prefetch.h"

namespace upconv::compiler {

bool has_far_weights(const LayerPlan& plan) {
  const Index bytes = plan.packed_elements * static_cast<Index>(plan.element_bytes());
  return plan.target.halide.arch == Halide::Target::X86 && plan.target.fused() &&
         bytes > Index{2} * plan.target.panel_bytes;
}

bool wants_next_panel(const LayerPlan& plan, const PlannedPart& part) {
  const TileRow& tile = part.tile;
  return plan.hints && has_far_weights(plan) && tile.vectors > 2 &&
         tile.heights.front() >= tile.vectors && tile.unroll % generators::PanelHints::kPeriod == 0;
}

}  // namespace upconv::compiler
