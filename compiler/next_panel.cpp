#include "next_panel.h"

#include "prefetch.h"

namespace upconv::compiler {

bool wants_next_panel(const LayerPlan& plan, const PlannedPart& part) {
  const TileRow& tile = part.tile;
  const Index bytes = plan.packed_elements * static_cast<Index>(plan.element_bytes());
  return plan.target.halide.arch == Halide::Target::X86 && plan.target.fused() &&
         tile.vectors > 2 && tile.heights.front() >= tile.vectors &&
         tile.unroll % generators::PanelHints::kPeriod == 0 &&
         bytes > Index{2} * plan.target.panel_bytes;
}

bool are_few_tiles(const LayerPlan& plan, const PlannedPart& part, Index pixels) {
  const int lines =
      generators::PanelHints::lines_of(part.block_channels, halide_type(plan.spec.dtype()));
  return generators::PanelHints::are_few(pixels / part.tile.heights.front(), lines);
}

}  // namespace upconv::compiler
