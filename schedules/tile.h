// A register tile of pixels x vectors, for both strategies: pixels x output channels in the wide
// one, outputs of a position x positions in the narrow one.
//
// In the wide strategy's terms: each weight vector loaded from the packed
// panel serves `pixels` multiply-adds and each broadcast input element serves `vectors`, so with
// 4 x 3 a tile step is 7 loads for 12 multiply-adds. The panel of one block of channels is walked
// in order by every tile, from the second-level cache.
#pragma once

#include <vector>

#include "conv_transpose.h"

namespace upconv::schedules {

/// Parameters of one tile shape; the values per target are data in kernels.json.
struct Tile {
  int lanes;    ///< elements per vector
  int vectors;  ///< vectors per tile: in the wide strategy the block of the packed format
  int pixels;   ///< pixels per tile
  int unroll;   ///< input channels per step of the innermost loop
};

/// The reduction of a register tile: sums of `pixels` pixels and tile.vectors vectors of channels
/// c, over ci, and around it the loops `outer`, innermost first, which are all that there are.
inline void schedule_sums(Halide::Func sum, const Halide::Var& c, const Halide::Var& pixel,
                          const Halide::RVar& ci, const std::vector<Halide::VarOrRVar>& outer,
                          int pixels, const Tile& tile) {
  Halide::Var v{"v"}, l{"l"};
  Halide::RVar ci_o{"ci_o"}, ci_i{"ci_i"};
  // The fewer operands stay in registers while the more numerous pass: with the accumulators they
  // just fit.
  const bool few_pixels = pixels < tile.vectors;
  const Halide::VarOrRVar near = few_pixels ? pixel : v, far = few_pixels ? v : pixel;
  // Every loop is named, the lane first, or Halide would put the reduction inside it. The split of
  // ci leaves a remainder loop after the main one (loop partitioning), in the same order of
  // summation; there is no test in the main loop.
  std::vector<Halide::VarOrRVar> order = {l, near, far, ci_i, ci_o};
  order.insert(order.end(), outer.begin(), outer.end());
  sum.update()
      .split(c, v, l, tile.lanes)
      .split(ci, ci_o, ci_i, tile.unroll)
      .reorder(order)
      .vectorize(l)
      .unroll(v)
      .unroll(pixel)
      .unroll(ci_i);
}

inline void schedule_tile(generators::Phase& f, const Tile& tile) {
  using Halide::RVar;
  using Halide::Var;
  Var v{"v"}, l{"l"};
  RVar tv{"tv"}, tl{"tl"};

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

  std::vector<Halide::VarOrRVar> outer;
  for (int loop = 1; loop < f.r.dimensions(); ++loop) outer.emplace_back(f.r[loop]);
  outer.emplace_back(f.b);
  schedule_sums(f.sum, f.c, f.p, f.r[0], outer, tile.pixels, tile);
}

/// Code of its own for one tap, after schedule_tile. Three loops of one iteration cost 25 cycles of
/// a tile, a tenth of what it takes for 64 input channels. Not for the narrow strategy, which
/// seldom has one tap: with more pointers in registers, its weights are reloaded.
inline void specialize_tile(generators::Phase& f) {
  Halide::Stage several_taps = f.y.update(), one_tap = several_taps.specialize(f.one_tap);
  for (Halide::Stage* taps : {&one_tap, &several_taps}) {
    if (f.fewest_tiles.defined()) taps->specialize(f.fewest_tiles);
    if (f.few_tiles.defined()) taps->specialize(f.few_tiles);
  }
  if (f.far.defined()) one_tap.specialize(f.far);
}

}  // namespace upconv::schedules
