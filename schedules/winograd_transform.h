// The transforms' schedule: pixel by pixel, a vector of channels at a time.
//
// A transform is a few additions per load, so what counts is that each element is loaded and stored
// once: all loops over a tile are unrolled, and what is transformed along u stays in registers, or,
// where a tile has more vectors than there are registers, on the stack in the first-level cache.
#pragma once

#include "winograd.h"

namespace upconv::schedules {

/// @param rows_u of `along_u`, extent of i
/// @param columns_v extent of k: inputs along v
inline void schedule_transform(generators::Transform& f, int lanes, int rows_u, int columns_v) {
  // No two iterations write the same element with different values.
  f.out.update()
      .allow_race_conditions()
      .reorder(f.t[0], f.t[1], f.t[2], f.t[3], f.t[4])
      .vectorize(f.t[0])
      .unroll(f.t[1])
      .unroll(f.t[2]);
  f.along_u.compute_at(f.out, f.t[3])
      .store_in(Halide::MemoryType::Stack)
      .bound_extent(f.l, lanes)
      .bound_extent(f.i, rows_u)
      .bound_extent(f.k, columns_v)
      .reorder(f.l, f.i, f.k, f.b, f.p)
      .vectorize(f.l)
      .unroll(f.i)
      .unroll(f.k);
}

}  // namespace upconv::schedules
