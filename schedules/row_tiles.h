// The schedule of added rows (generators/added_rows.h): a vector of outputs in a register while
// inputs pass.
#pragma once

#include "added_rows.h"

namespace upconv::schedules {

inline void schedule_added_rows(generators::AddedRows& f) {
  // Tiles outermost: the rows of an input's products are near one another, and what is the same for
  // all rows of a tile is found once. No two iterations write the same output, but for those of a
  // last tile that stay as they are.
  f.y.update().allow_race_conditions().reorder(f.t[0], f.t[1], f.t[2], f.t[3]).vectorize(f.t[0]);
  f.output.compute_at(f.y, f.t[3]);
  f.input.compute_at(f.y, f.t[3]);
  f.sum.compute_at(f.y, f.t[1]).store_in(Halide::MemoryType::Register).vectorize(f.l);
  f.sum.update().reorder(f.l, f.k, f.h, f.d, f.tile).vectorize(f.l);
}

}  // namespace upconv::schedules
