// The epilogue's schedule: one vector of channels at a time, pixel by pixel.
#pragma once

#include <vector>

#include "Halide.h"

namespace upconv::schedules {

/// `out` is the scatter over (channel, pixel), both of the update's domain.
///
/// The last, partial vector of a pixel is predicated: its lanes past the end are neither read nor
/// written, and its body is the same vector code. Loop partitioning keeps the predicate out of the
/// other vectors.
inline void schedule_epilogue(Halide::Func out, Halide::RVar channel, Halide::RVar pixel,
                              const std::vector<Halide::Func>& firsts, int lanes) {
  Halide::RVar vector{"vector"}, lane{"lane"};
  // No two iterations touch the same element.
  out.update()
      .allow_race_conditions()
      .split(channel, vector, lane, lanes, Halide::TailStrategy::Predicate)
      .reorder(lane, vector, pixel)
      .vectorize(lane);
  for (Halide::Func first : firsts) first.compute_at(out, pixel);
}

}  // namespace upconv::schedules
