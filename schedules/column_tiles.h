// The schedule of few columns (generators/few_columns.h): a vector of rows for each column in a
// register, while inputs pass.
#pragma once

#include "few_columns.h"

namespace upconv::schedules {

inline void schedule_few_columns(generators::FewColumns& f) {
  using Halide::MemoryType;
  const int lanes = f.groups * f.kQuad;
  f.products.bound(f.c, 0, f.columns)
      .split(f.t, f.tile, f.t, lanes, Halide::TailStrategy::RoundUp)
      .split(f.t, f.g, f.p, f.kQuad)
      .reorder(f.p, f.g, f.c, f.tile)
      .vectorize(f.p)
      .vectorize(f.g)
      .unroll(f.c);
  f.sum.compute_at(f.products, f.tile)
      .store_in(MemoryType::Register)
      .bound_extent(f.p, f.kQuad)
      .bound_extent(f.g, f.groups)
      .bound_extent(f.c, f.columns)
      .vectorize(f.p)
      .vectorize(f.g)
      .unroll(f.c);
  f.sum.update(0)
      .reorder(f.p, f.g, f.c, f.four[0], f.four[1])
      .vectorize(f.p)
      .vectorize(f.g)
      .unroll(f.c)
      .unroll(f.four[0]);
  f.sum.update(1).reorder(f.p, f.g, f.c, f.rest).vectorize(f.p).vectorize(f.g).unroll(f.c);

  const auto in_registers = [&](Halide::Func& values, const Halide::RVar& at) {
    return values.compute_at(f.sum, at)
        .store_in(MemoryType::Register)
        .bound_extent(f.p, f.kQuad)
        .bound_extent(f.g, f.groups);
  };
  // Four inputs of a row are one load. What is stored with rows of equal p as neighbours becomes
  // one whole vector for each p; transposing them is then a matter of fours of lanes, and neither
  // goes to memory. One shuffle of all vectors, since LLVM finds the fewest instructions.
  in_registers(f.quads, f.four[1])
      .bound_extent(f.k, f.kQuad)
      .vectorize(f.k)
      .unroll(f.g)
      .unroll(f.p);
  in_registers(f.lanes, f.four[1])
      .bound_extent(f.k, f.kQuad)
      .vectorize(f.p)
      .vectorize(f.g)
      .vectorize(f.k);
  // Loads of floats, since a processor takes longer to gather them.
  in_registers(f.one, f.rest).unroll(f.p).unroll(f.g);
}

}  // namespace upconv::schedules
