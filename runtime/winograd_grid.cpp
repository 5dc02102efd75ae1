#include "winograd_grid.h"

#include <algorithm>

namespace upconv::internal {

namespace {

struct Range {
  Index begin = 0, end = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// u of the outputs that a phase has inside the window.
Range range_of(const CallAxis& call, const Phase& phase) {
  const Segment outputs = outputs_of(call, phase, call.q_begin(), call.q_end());
  return {outputs.begin - phase.origin, outputs.end - phase.origin};
}

Grid grid_of(const AxisTransform& transform, Range range, Index step) {
  Grid grid{.transform = transform, .phases = {}, .first = range.begin};
  const Index extent = range.end - range.begin;
  grid.combs = std::clamp<Index>(extent, 1, step);
  grid.tiles = grid.combs * ceil_div(ceil_div(extent, grid.combs), transform.outputs);
  return grid;
}

}  // namespace

std::vector<Grid> winograd_grids(const WinogradAxis& axis, const CallAxis& call) {
  const Index step = call.phases->input_step();
  // One grid for each different range; and one for all of a transform.
  struct Shared {
    AxisTransform transform;
    std::vector<const WinogradPhase*> phases;
    Range all;
    std::vector<Range> ranges;
  };
  std::vector<Shared> by_transform;
  for (const WinogradPhase& phase : axis.phases) {
    const Range range = range_of(call, phase.phase);
    if (range.begin >= range.end) continue;
    auto at = std::find_if(by_transform.begin(), by_transform.end(), [&](const Shared& shared) {
      return shared.transform == phase.transform;
    });
    if (at == by_transform.end()) {
      at = by_transform.insert(at, {phase.transform, {}, range, {}});
    }
    at->phases.push_back(&phase);
    at->ranges.push_back(range);
    at->all = {std::min(at->all.begin, range.begin), std::max(at->all.end, range.end)};
  }

  std::vector<Grid> grids;
  for (const Shared& shared : by_transform) {
    std::vector<Grid> apart;
    std::vector<Range> of_apart;
    Index tiles_apart = 0;
    for (std::size_t n = 0; n < shared.phases.size(); ++n) {
      auto at = std::find(of_apart.begin(), of_apart.end(), shared.ranges[n]);
      const std::size_t index = static_cast<std::size_t>(at - of_apart.begin());
      if (at == of_apart.end()) {
        of_apart.push_back(shared.ranges[n]);
        apart.push_back(grid_of(shared.transform, shared.ranges[n], step));
      }
      apart[index].phases.push_back(shared.phases[n]);
      tiles_apart += apart[index].tiles;
    }
    Grid together = grid_of(shared.transform, shared.all, step);
    together.phases = shared.phases;
    // Apart, phases may need fewer products; together, they share points: worth a few products.
    const Index tiles_together = together.tiles * static_cast<Index>(shared.phases.size());
    if (16 * tiles_together > 17 * tiles_apart) {
      std::move(apart.begin(), apart.end(), std::back_inserter(grids));
    } else {
      grids.push_back(std::move(together));
    }
  }
  return grids;
}

}  // namespace upconv::internal
