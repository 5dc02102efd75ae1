// Schedules of a layer of few output channels (generators/narrow_layer.h).
#pragma once

#include "narrow_layer.h"

namespace upconv::schedules {

/// Register tiles of all rows of a group x `vectors` vectors of columns. Columns come in whole
/// tiles.
inline void schedule_narrow_sums(generators::NarrowSums& f, const generators::NarrowInputs& in,
                                 int lanes, int vectors, int unroll) {
  using Halide::RVar;
  using Halide::TailStrategy;
  using Halide::Var;
  Var tile{"tile"}, rest{"rest"}, v{"v"}, l{"l"};
  const int width = lanes * vectors;
  const std::vector<std::pair<Var, int>> rows = {
      {f.c, in.channels}, {f.w, in.phases[2]}, {f.h, in.phases[1]}, {f.d, in.phases[0]}};
  f.sums.split(f.column, tile, rest, width, TailStrategy::RoundUp)
      .split(rest, v, l, lanes)
      .reorder(l, v, f.c, f.w, f.h, f.d, tile)
      .vectorize(l)
      .unroll(v);
  f.sum.compute_at(f.sums, tile)
      .store_in(Halide::MemoryType::Register)
      .bound_extent(f.column, width)
      .split(f.column, v, l, lanes)
      .reorder(l, v, f.c, f.w, f.h, f.d)
      .vectorize(l)
      .unroll(v);
  for (const auto& [var, count] : rows) {
    f.sums.bound(var, 0, count).unroll(var);
    f.sum.bound_extent(var, count).unroll(var);
  }
  for (int n = 0; n < static_cast<int>(in.pieces.size()); ++n) {
    const auto r = f.sum.rvars(n);
    int count = in.channels;
    for (const int phases : in.pieces[static_cast<std::size_t>(n)].phases) count *= phases;
    RVar ci_o{"ci_o"}, ci_i{"ci_i"};
    auto stage = f.sum.update(n);
    stage.split(f.column, v, l, lanes).split(r[4], ci_o, ci_i, unroll);
    // The fewer operands stay in registers while the more numerous pass.
    if (count < vectors) {
      stage.reorder({l, r[0], r[1], r[2], r[3], v, ci_i, ci_o, r[5], r[6], r[7]});
    } else {
      stage.reorder({l, v, r[0], r[1], r[2], r[3], ci_i, ci_o, r[5], r[6], r[7]});
    }
    stage.vectorize(l).unroll(v).unroll(ci_i);
    for (int row = 0; row < 4; ++row) stage.unroll(r[row]);
  }
}

/// Transposes squares of lanes. @param columns, rows of the result: at least `lanes` of each
inline void schedule_transposed(generators::Transposed& f, int lanes) {
  using Halide::TailStrategy;
  using Halide::Var;
  Var i_o{"i_o"}, k_o{"k_o"}, i_i{"i_i"}, k_i{"k_i"};
  f.out.tile(f.i, f.k, i_o, k_o, i_i, k_i, lanes, lanes, TailStrategy::ShiftInwards)
      .reorder(i_i, k_i, k_o, i_o)
      .vectorize(i_i)
      .unroll(k_i);
  // Stored a column at a time, `lanes` of which the compiler interleaves in registers.
  f.square.compute_at(f.out, k_o)
      .store_in(Halide::MemoryType::Register)
      .bound_extent(f.i, lanes)
      .bound_extent(f.k, lanes)
      .reorder(f.k, f.i)
      .vectorize(f.k)
      .unroll(f.i);
}

/// The same where there are fewer rows than lanes, of a constant number: all of them at once.
inline void schedule_few_rows(generators::Transposed& f, int lanes) {
  Halide::Var i_o{"i_o"}, i_i{"i_i"};
  f.out.split(f.i, i_o, i_i, lanes, Halide::TailStrategy::ShiftInwards)
      .reorder(i_i, f.k, i_o)
      .vectorize(i_i)
      .unroll(f.k);
}

/// The same where there are few columns, of a constant number and next to one another: vectors of
/// all of them are interleaved to one run.
inline void schedule_few_columns(generators::Transposed& f, int lanes) {
  Halide::Var k_o{"k_o"}, k_i{"k_i"};
  f.out.split(f.k, k_o, k_i, lanes, Halide::TailStrategy::ShiftInwards)
      .reorder(k_i, f.i, k_o)
      .vectorize(k_i)
      .unroll(f.i);
}

}  // namespace upconv::schedules
