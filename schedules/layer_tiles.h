// The schedule of a layer in one piece (generators/whole_layer.h): the register tile of tile.h,
// with everything around it that the library does at run time.
//
// Tiles are outermost; what calls the pipeline goes from box to box. A tile's offsets are a few
// numbers on the stack, made when the tile begins.
#pragma once

#include "tile.h"
#include "whole_layer.h"

namespace upconv::schedules {

inline void schedule_whole_layer(generators::WholeLayer& f, const Tile& tile, int channels) {
  using Halide::RVar;
  using Halide::TailStrategy;
  using Halide::Var;
  int stage = 0;
  for (generators::LayerTiles& of : f.tiles) {
    const Halide::RDom& u = of.outputs;
    Var v{"v"}, l{"l"};
    RVar tv{"tv"}, tl{"tl"};
    // No two iterations race: pixels are distinct, or padding that repeats the last pixel's values.
    // Lanes past the last channel are predicated; where channels fill vectors, none are.
    const bool by_rows = of.finished.defined();
    const bool whole = !by_rows && channels % tile.lanes == 0;
    f.y.update(stage)
        .allow_race_conditions()
        .split(u[0], tv, tl, tile.lanes, whole ? TailStrategy::Auto : TailStrategy::Predicate)
        .reorder({tl, tv, u[1], u[2], u[3], u[4], u[5]})
        .vectorize(tl);
    const auto keep_tile = [&](Halide::Func block) {
      block.compute_at(f.y, u[4])
          .bound_extent(f.c, tile.lanes * tile.vectors)
          .bound_extent(f.p, of.height)
          .split(f.c, v, l, tile.lanes)
          .vectorize(l)
          .unroll(v)
          .unroll(f.p);
      block.bound_extent(f.b, 1).bound_extent(f.t, 1);
    };
    of.sum.store_in(Halide::MemoryType::Register);
    keep_tile(of.sum);
    if (by_rows) {
      // The sums go through the stack: rows of y begin anywhere in a vector.
      of.finished.store_in(Halide::MemoryType::Stack);
      keep_tile(of.finished);
    } else {
      f.y.update(stage).unroll(tv).unroll(u[3]);
    }
    ++stage;

    const auto r = of.sum.rvars(0);
    schedule_sums(of.sum, f.c, f.p, r[0], {r[1], r[2], r[3], f.b, f.t}, of.height, tile);

    for (Halide::Func offsets : {of.pixel_x, of.pixel_y}) {
      offsets.compute_at(f.y, u[5])
          .store_in(Halide::MemoryType::Stack)
          .bound_extent(f.p, of.height)
          .vectorize(f.p);
    }
  }
}

}  // namespace upconv::schedules
