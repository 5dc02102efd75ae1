// The epilogue's schedule: pixel by pixel, a block of channels at a time.
//
// An activation is one long chain of dependent operations, so a block is two vectors, which run
// side by side; where the channels fit one vector, it is one. The last, partial block of a pixel is
// predicated: its lanes past the end are neither read nor written. Loop partitioning keeps the
// predicate out of the other blocks.
#pragma once

#include <vector>

#include "Halide.h"

namespace upconv::schedules {

/// `out` is the scatter over (channel, pixel), both of the update's domain; `firsts` are the Funcs
/// of the offsets where a pixel begins; `lanes` is the number of elements in a vector.
inline void schedule_epilogue(Halide::Func out, const Halide::Expr& channels,
                              const Halide::Expr& has_residual, const Halide::RVar& channel,
                              const Halide::RVar& pixel, const std::vector<Halide::Func>& firsts,
                              int lanes) {
  const auto in_blocks = [&](Halide::Stage stage, int size) {
    Halide::RVar block{"block"}, lane{"lane"};
    // No two iterations touch the same element.
    stage.allow_race_conditions()
        .split(channel, block, lane, size, Halide::TailStrategy::Predicate)
        .reorder(lane, block, pixel)
        .vectorize(lane);
  };
  const auto by_width = [&](Halide::Stage stage) {
    in_blocks(stage.specialize(channels <= lanes), lanes);
    in_blocks(stage, 2 * lanes);
  };
  by_width(out.update().specialize(has_residual == 0));
  by_width(out.update());
  for (Halide::Func first : firsts) first.compute_at(out, pixel);
}

}  // namespace upconv::schedules
