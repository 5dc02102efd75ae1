// The schedule of matrix_product.h: the register tile of tile.h, whose pixels are rows. The panel
// of weights stays in the nearest cache while all rows of a call pass.
#pragma once

#include "matrix_product.h"
#include "tile.h"

namespace upconv::schedules {

inline void schedule_matrix_product(generators::MatrixProduct& f, const Tile& tile) {
  using Halide::Var;
  Var v{"v"}, l{"l"}, to{"to"}, ti{"ti"};
  f.products.bound(f.c, 0, tile.lanes * tile.vectors)
      .split(f.t, to, ti, tile.pixels, Halide::TailStrategy::RoundUp)
      .split(f.c, v, l, tile.lanes)
      .reorder(l, v, ti, to)
      .vectorize(l)
      .unroll(v)
      .unroll(ti);
  f.sum.compute_at(f.products, to)
      .store_in(Halide::MemoryType::Register)
      .bound_extent(f.c, tile.lanes * tile.vectors)
      .bound_extent(f.t, tile.pixels)
      .split(f.c, v, l, tile.lanes)
      .reorder(l, v, f.t)
      .vectorize(l)
      .unroll(v)
      .unroll(f.t);
  schedule_sums(f.sum, f.c, f.t, f.r, {}, tile.pixels, tile);
}

}  // namespace upconv::schedules
