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

#include <vector>

#include "winograd_layout.h"

namespace upconv::internal {

struct Grid {
  AxisTransform transform;
  std::vector<const WinogradPhase*> phases;
  Index first = 0;  ///< smallest u
  Index combs = 1;
  Index tiles = 0;

  /// u of the first output of a tile.
  Index begin(Index tile, Index step) const {
    return first + tile % combs + tile / combs * transform.outputs * step;
  }
};

/// The grids of one axis of a call: all outputs inside the window, each once.
std::vector<Grid> winograd_grids(const WinogradAxis& axis, const CallAxis& call);

}  // namespace upconv::internal
