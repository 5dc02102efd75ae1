// Where the tiles of a call of the winograd strategy lie.
//
// Along one axis, tap j of a phase reads input u - j*e for its output u = q - origin, e the input
// step (phases.h). Phases with the same transform can so share tiles of u. A *grid* is a run of
// tiles and the phases that take them. Within it, tile t begins at
//
//   u = first + t % combs + (t / combs) * outputs * e        combs = e, or fewer where that is all
//
// and has outputs u, u + e, ...: with a dilation that the stride does not divide, the inputs of a
// phase fall into e separate combs.
#pragma once

#include <array>
#include <span>

#include "winograd_layout.h"

namespace upconv::UPCONV_ABI::internal {

struct Grid {
  int kind = 0;  ///< of the axis' transforms
  AxisTransform transform;
  Index first = 0;  ///< smallest u
  Index combs = 1;
  Index tiles = 0;
  std::size_t first_phase = 0, phases = 0;  ///< in AxisGrids

  /// u of the first output of a tile.
  Index begin(Index tile, Index step) const {
    if (combs == 1) return first + tile * transform.outputs * step;
    return first + tile % combs + tile / combs * transform.outputs * step;
  }
};

/// The grids of one axis of a call: all outputs inside the window, each once. Refers to the layout.
class AxisGrids {
 public:
  AxisGrids(const WinogradAxis& axis, const CallAxis& call);

  std::span<const Grid> grids() const { return {grids_.data(), count_}; }
  std::span<const WinogradPhase* const> phases_of(const Grid& grid) const {
    return {phases_.data() + grid.first_phase, grid.phases};
  }

 private:
  struct Range;
  void add_kind(const WinogradAxis& axis, int kind, const CallAxis& call);

  std::array<Grid, kMostWinogradPhases> grids_;
  std::size_t count_ = 0;
  std::array<const WinogradPhase*, kMostWinogradPhases> phases_{};
  std::size_t phase_count_ = 0;
};

}  // namespace upconv::UPCONV_ABI::internal
