// A tile of pixels x output channels per block of threads, for a GPU.
//
// With 16 x 16 threads of 4 x 4 sums, a block is 64 channels of 64 positions, and it reads x and w
// 16 input channels at a time into shared memory: each element read from there serves 4
// multiply-adds, each one from the device's memory 64. 16 sums, 8 operands and the addresses stay
// below the 64 registers that Halide's run time for CUDA grants a thread, so that nothing is
// spilled and 4 blocks fit a multiprocessor.
//
// The grid is tiles x blocks of channels x phases. Tiles come first: the grid's first extent alone
// may be large on every API, and neighbouring blocks of threads read the same weights.
#pragma once

#include "gpu_lowering.h"
#include "gpu_phases.h"

namespace upconv::schedules {

inline void schedule_gpu_tile(generators::GpuPhases& f, const generators::GpuTile& tile) {
  using Halide::MemoryType;
  using Halide::Var;
  // What is not written needs no host memory either.
  f.y.gpu_single_thread();
  // No two iterations write the same element.
  f.y.update()
      .allow_race_conditions()
      .reorder({f.out[0], f.out[1], f.out[2], f.out[3], f.out[4], f.out[5], f.out[6]})
      .unroll(f.out[0])
      .unroll(f.out[1])
      .gpu_threads(f.out[2], f.out[3])
      .gpu_blocks(f.out[4], f.out[5], f.out[6]);

  // Positions are divisions; each is done once per tile.
  Var p_outer{"p_outer"}, p_inner{"p_inner"};
  f.position.compute_at(f.y, f.out[4])
      .store_in(MemoryType::GPUShared)
      .bound_extent(f.p, tile.pixels())
      .bound_extent(f.column, 5)
      .unroll(f.column)
      .split(f.p, p_outer, p_inner, tile.threads_channels)
      .gpu_threads(p_inner, p_outer);

  f.sum.compute_at(f.y, f.out[4])
      .store_in(MemoryType::Register)
      .bound_extent(f.cc, tile.thread_channels)
      .bound_extent(f.pp, tile.thread_pixels)
      .bound_extent(f.tx, tile.threads_channels)
      .bound_extent(f.ty, tile.threads_pixels)
      .unroll(f.cc)
      .unroll(f.pp)
      .gpu_threads(f.tx, f.ty);
  f.sum.update()
      .reorder({f.cc, f.pp, f.r[0], f.tx, f.ty, f.r[1], f.r[2], f.r[3], f.r[4]})
      .unroll(f.cc)
      .unroll(f.pp)
      .unroll(f.r[0], 4)
      .gpu_threads(f.tx, f.ty);

  // Threads side by side read input channels side by side, and write them a row of positions apart
  // in shared memory. Rows are 4 elements longer than the tile: or all would write to one bank.
  Var each{"each"}, along{"along"};
  for (Halide::Func* panel : {&f.xs, &f.ws}) {
    panel->compute_at(f.sum, f.r[1]).store_in(MemoryType::GPUShared);
    for (const Var& once : {f.ci_block, f.j_w, f.j_h, f.j_d}) panel->bound_extent(once, 1);
  }
  f.xs.bound_extent(f.p, tile.pixels())
      .bound_extent(f.k, tile.depth)
      .align_storage(f.p, tile.pixels() + 4)
      .split(f.p, each, along, tile.threads_pixels)
      .reorder(each, f.k, along)
      .unroll(each)
      .gpu_threads(f.k, along);

  f.ws.bound_extent(f.c, tile.channels())
      .bound_extent(f.k, tile.depth)
      .split(f.c, each, along, tile.threads_channels)
      .reorder(each, along, f.k)
      .unroll(each)
      .gpu_threads(along, f.k);
}

}  // namespace upconv::schedules
