// The schedules of the winograd strategy in a compiled layer (generators/winograd_layer.h).
//
// A tile passes a vector of channels at a time: what is between two axes is a vector per position,
// in registers or, where there are more than these, on the stack in the first-level cache. The
// products are those of product_tiles.h.
#pragma once

#include "winograd_layer.h"

namespace upconv::schedules {

/// @param gathered what the tile is read by way of, (c, w, h, d); undefined: x is read where it is.
///        A loop, since every position is a test or four and a copy.
/// @param step_by_step outputs one after the other, from the stack: where they are not all wanted,
///        or what is done to each is long
/// @param tail for channels that fill no vector
inline void schedule_tile_transform(generators::TileTransform& f, int lanes,
                                    const Halide::Func& gathered,
                                    const std::array<int, 3>& gathered_extents, bool step_by_step,
                                    Halide::TailStrategy tail) {
  using Halide::Var;
  Var v{"v"}, l{"l"};
  f.out.split(f.c, v, l, lanes, tail).reorder(l, f.w, f.h, f.d, v).vectorize(l);
  if (!step_by_step) f.out.unroll(f.w).unroll(f.h).unroll(f.d);
  const auto keep = [&](Halide::Func values, const std::array<int, 3>& extents) -> Halide::Func {
    values.compute_at(f.out, v)
        .store_in(Halide::MemoryType::Stack)
        .bound_extent(f.c, lanes)
        .bound(f.w, 0, extents[2])
        .bound(f.h, 0, extents[1])
        .bound(f.d, 0, extents[0])
        .reorder(f.c, f.w, f.h, f.d)
        .vectorize(f.c);
    return values;
  };
  if (gathered.defined()) keep(gathered, gathered_extents);
  for (std::size_t n = 0; n < f.stages.size(); ++n) {
    // The last one is a part of the outputs, where these are unrolled.
    if (n + 1 == f.stages.size() && !step_by_step) break;
    keep(f.stages[n].values, f.stages[n].extents).unroll(f.w).unroll(f.h).unroll(f.d);
  }
}

/// @param channels of a row, 0: an argument
inline void schedule_dealt_row(generators::DealtRow& f, int lanes, int channels) {
  using Halide::TailStrategy;
  Halide::Var v{"v"}, l{"l"};
  // A last vector overlaps the one before it: no lane is masked, which is slow for a store.
  int vector = lanes;
  while (channels > 0 && vector > channels) vector /= 2;
  f.out
      .split(f.e, v, l, vector,
             channels > 0 ? TailStrategy::ShiftInwards : TailStrategy::GuardWithIf)
      .reorder(l, v, f.w, f.h, f.d)
      .vectorize(l);
  if (channels > 0 && channels <= 8 * vector) f.out.unroll(v);
}

/// The kernel's channels are next to one another in both; the rest is read once per point.
inline void schedule_point_weights(generators::PointWeights& f, int lanes) {
  using Halide::Var;
  Var v{"v"}, l{"l"};
  f.packed.split(f.c, v, l, lanes).reorder(l, v, f.ci, f.w, f.h, f.d, f.b).vectorize(l);
}

}  // namespace upconv::schedules
