// A register tile of pixels x vectors, for both strategies: pixels x output channels in the wide
// one, outputs of a position x positions in the narrow one.
//
// In the wide strategy's terms: each weight vector loaded from the packed
// panel serves `pixels` multiply-adds and each broadcast input element serves `vectors`, so with
// 4 x 3 a tile step is 7 loads for 12 multiply-adds. The panel of one block of channels is walked
// in order by every tile, from the second-level cache.
#pragma once

#include "conv_transpose.h"

namespace upconv::schedules {

/// Parameters of one tile shape; the values per target are data in kernels.json.
struct Tile {
  int lanes;    ///< elements per vector
  int vectors;  ///< vectors per tile: in the wide strategy the block of the packed format
  int pixels;   ///< pixels per tile
  int unroll;   ///< input channels per step of the innermost loop
};

inline void schedule_tile(generators::Phase& f, const Tile& tile) {
  using Halide::RVar;
  using Halide::Var;
  Var v{"v"}, l{"l"};
  RVar tv{"tv"}, tl{"tl"}, ci_o{"ci_o"}, ci_i{"ci_i"};

  // Blocks outermost, so that a panel of weights stays in cache while all tiles pass over it. No
  // two iterations race: pixels are distinct, or padding that repeats the last pixel's own values.
  f.y.update()
      .allow_race_conditions()
      .split(f.t[0], tv, tl, tile.lanes)
      .reorder(tl, tv, f.t[1], f.t[2], f.t[3])
      .vectorize(tl)
      .unroll(tv)
      .unroll(f.t[1]);

  // The accumulators live in registers: every loop over them has a constant extent and is unrolled.
  f.sum.compute_at(f.y, f.t[2])
      .store_in(Halide::MemoryType::Register)
      .bound_extent(f.c, tile.lanes * tile.vectors)
      .bound_extent(f.p, tile.pixels)
      .bound_extent(f.b, 1)
      .split(f.c, v, l, tile.lanes)
      .reorder(l, v, f.p, f.b)
      .vectorize(l)
      .unroll(v)
      .unroll(f.p);

  // The fewer operands stay in registers while the more numerous pass: with the accumulators they
  // just fit.
  const bool few_pixels = tile.pixels < tile.vectors;
  const Halide::VarOrRVar inner = few_pixels ? f.p : v, outer = few_pixels ? v : f.p;

  // Every loop is named, the lane first, or Halide would put the reduction inside it. The split of
  // ci leaves a remainder loop after the main one (loop partitioning), in the same order of
  // summation; there is no test in the main loop.
  f.sum.update()
      .split(f.c, v, l, tile.lanes)
      .split(f.r[0], ci_o, ci_i, tile.unroll)
      .reorder(l, inner, outer, ci_i, ci_o, f.r[1], f.r[2], f.r[3], f.b)
      .vectorize(l)
      .unroll(v)
      .unroll(f.p)
      .unroll(ci_i);
}

}  // namespace upconv::schedules
