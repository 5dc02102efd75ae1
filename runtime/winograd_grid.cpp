#include "winograd_grid.h"

#include <algorithm>

namespace upconv::UPCONV_ABI::internal {

/// u of the outputs that a phase has inside the window.
struct AxisGrids::Range {
  Index begin = 0, end = 0;

  Range() = default;
  Range(const CallAxis& call, const Phase& phase) {
    const Segment outputs = outputs_of(call, phase, call.q_begin(), call.q_end());
    begin = outputs.begin - phase.origin;
    end = outputs.end - phase.origin;
  }
  friend bool operator==(const Range&, const Range&) = default;

  Grid grid(int kind, const AxisTransform& transform, Index step) const {
    Grid grid{.kind = kind, .transform = transform, .first = begin};
    grid.combs = std::clamp<Index>(end - begin, 1, step);
    grid.tiles = grid.combs * ceil_div(ceil_div(end - begin, grid.combs), transform.outputs);
    return grid;
  }
};

AxisGrids::AxisGrids(const WinogradAxis& axis, const CallAxis& call) {
  for (int kind = 0; kind < axis.kinds; ++kind) add_kind(axis, kind, call);
}

void AxisGrids::add_kind(const WinogradAxis& axis, int kind, const CallAxis& call) {
  const AxisTransform& transform = axis.transforms[kind];
  const Index step = call.phases->input_step();
  // Phases of a kind, those of the same range together.
  std::array<Range, kMostWinogradPhases> ranges;
  const std::size_t first_phase = phase_count_;
  for (const WinogradPhase& phase : axis.phases) {
    const Range range(call, phase.phase);
    if (phase.kind != kind || range.begin >= range.end) continue;
    std::size_t at = phase_count_++;
    for (; at > first_phase && range.begin < ranges[at - first_phase - 1].begin; --at) {
      phases_[at] = phases_[at - 1];
      ranges[at - first_phase] = ranges[at - first_phase - 1];
    }
    phases_[at] = &phase;
    ranges[at - first_phase] = range;
  }
  const std::size_t phases = phase_count_ - first_phase;
  if (phases == 0) return;

  // One grid for all, or one for each range.
  Range all = ranges[0];
  Index tiles_apart = 0;
  for (std::size_t n = 0; n < phases; ++n) {
    all.begin = std::min(all.begin, ranges[n].begin);
    all.end = std::max(all.end, ranges[n].end);
    tiles_apart += ranges[n].grid(kind, transform, step).tiles;
  }
  Grid together = all.grid(kind, transform, step);
  together.first_phase = first_phase;
  together.phases = phases;
  // Apart, phases may need fewer products; together, they share points: worth a few products.
  if (16 * together.tiles * static_cast<Index>(phases) <= 17 * tiles_apart) {
    grids_[count_++] = together;
    return;
  }
  for (std::size_t n = 0; n < phases; ++n) {
    if (n == 0 || !(ranges[n] == ranges[n - 1])) {
      grids_[count_] = ranges[n].grid(kind, transform, step);
      grids_[count_++].first_phase = first_phase + n;
    }
    ++grids_[count_ - 1].phases;
  }
}

}  // namespace upconv::UPCONV_ABI::internal
