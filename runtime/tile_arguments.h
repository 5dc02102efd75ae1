// Arguments of a tile kernel (generators/conv_transpose.cpp) by name.
#pragma once

#include <cstdint>
#include <limits>

#include "kernel_table.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// What is the same for all tiles of a unit. For pixel p, channel c of block b:
///
///   y[pixel_y[p] + b*block_y + c] = clamp(init[pixel_init[p] + b*block_init + c] +
///       sum over (j_d, j_h, j_w, ci) of x[pixel_x[p] + j . tap_x + ci] *
///                                       w[j . tap_w + ci*w_step + b*block_w + c])
///
/// in elements; c < lanes * vectors of the kernel, a block. No offset into x is negative, those of
/// j included: x points at the lowest element that is read, or before.
struct TileArguments {
  const void* x = nullptr;
  const void* w = nullptr;
  const void* init = nullptr;  ///< may be y
  void* y = nullptr;
  Index input_size = 0;  ///< extent of ci
  Index taps[3] = {};    ///< extents of j, d first
  std::int32_t tap_x[3] = {};
  Index tap_w[3] = {};
  Index w_step = 0;
  /// For kernels of listed rows: j . tap_x + ci and j . tap_w + ci*w_step of all (j, ci).
  const std::int32_t *row_x = nullptr, *row_w = nullptr;
  Index blocks = 0;
  Index block_w = 0;
  /// Steps of blocks whose channels follow one another.
  static constexpr std::int32_t kAdjacent = -1;
  std::int32_t block_init = kAdjacent;
  std::int32_t block_y = kAdjacent;
  bool far = false;  ///< x and y are in memory
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// @param count of pixels, a multiple of the kernel's
void run_tile_kernel(const TileKernel& kernel, const TileArguments& arguments,
                     const std::int32_t* pixel_x, const std::int32_t* pixel_init,
                     const std::int32_t* pixel_y, Index count);

}  // namespace upconv::UPCONV_ABI::internal
