// The run-time side of the table of kernels (schedules/kernels.json).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "HalideRuntime.h"
#include "upconv/activation.h"
#include "upconv/dtype.h"
#include "upconv/isa.h"

namespace upconv::UPCONV_ABI::internal {

/// generators/conv_transpose.cpp; tile_arguments.h has the meaning.
using TileFn = int (*)(halide_buffer_t* x, halide_buffer_t* w, halide_buffer_t* init,
                       halide_buffer_t* pixel_x, halide_buffer_t* pixel_init,
                       halide_buffer_t* pixel_y, int32_t input_size, int32_t taps_d, int32_t taps_h,
                       int32_t taps_w, int32_t tap_x_d, int32_t tap_x_h, int32_t tap_x_w,
                       int32_t block_init, int32_t block_y, bool far, double min, double max,
                       halide_buffer_t* y);

/// generators/listed_rows.cpp.
using ListedFn = int (*)(halide_buffer_t* x, halide_buffer_t* w, halide_buffer_t* init,
                         halide_buffer_t* pixel_x, halide_buffer_t* pixel_init,
                         halide_buffer_t* pixel_y, halide_buffer_t* row_x, halide_buffer_t* row_w,
                         int32_t blocks, int32_t block_w, int32_t block_init, int32_t block_y,
                         double min, double max, halide_buffer_t* y);

/// One register tile: `pixels` rows of `vectors * lanes` channels. (The narrow strategy exchanges
/// the two: rows of channels, vectors of pixels.)
struct TileKernel {
  const char* name;
  DType dtype;
  Isa isa;
  int lanes;
  int vectors;
  int pixels;
  double cost;      ///< of one pixel of a block, in units of a vector at full rate
  TileFn function;  ///< null: rows are listed
  ListedFn listed = nullptr;
  int most_inputs = 0;  ///< listed: with more input channels a loop over them is as fast

  /// The cost where multiply-adds take so much longer, and what is beside them does not.
  double time(double vector_time) const { return cost + (vector_time - 1) * vectors; }
};

/// generators/few_columns.cpp.
using FewColumnsFn = int (*)(halide_buffer_t* x, halide_buffer_t* pixel_x, halide_buffer_t* w,
                             halide_buffer_t* start, int32_t input_size, double min, double max,
                             halide_buffer_t* products);

/// Multiplies inputs with `columns` of weights, `lanes` inputs at a time.
struct FewColumnsKernel {
  const char* name = "";
  DType dtype{};
  Isa isa{};
  int lanes = 1;
  int columns = 1;
  FewColumnsFn function = nullptr;
};

/// generators/added_rows.cpp.
using AddedFn = int (*)(halide_buffer_t* products, halide_buffer_t* sums, int32_t inputs,
                        int32_t pitch, int32_t run, int32_t shift, int32_t begin, int32_t end,
                        int32_t taps_d, int32_t from_d, int32_t to_d, int32_t taps_h,
                        int32_t from_h, int32_t to_h, halide_buffer_t* y);

/// Adds products to rows of outputs, a vector of them at a time.
struct AddedKernel {
  const char* name = "";
  DType dtype{};
  Isa isa{};
  int lanes = 1;
  AddedFn function = nullptr;
};

/// generators/epilogue.cpp.
using EpilogueFn = int (*)(halide_buffer_t* in, halide_buffer_t* residual,
                           halide_buffer_t* pixel_in, halide_buffer_t* pixel_residual,
                           halide_buffer_t* pixel_out, int32_t channels, int32_t has_residual,
                           double p0, double p1, halide_buffer_t* out);

/// One activation; kClamp also serves linear, relu and relu6.
struct EpilogueKernel {
  const char* name;
  ActivationKind activation;
  DType dtype;
  Isa isa;
  EpilogueFn function;

  /// The kernel's p0 and p1: the bounds of a clamp, else the activation's parameter.
  double p0(const Activation& of) const {
    return activation == ActivationKind::kClamp ? of.min() : of.alpha();
  }
  double p1(const Activation& of) const {
    return activation == ActivationKind::kClamp ? of.max() : 0;
  }
};

/// generators/winograd.cpp, WinogradInput.
using WinogradInputFn = int (*)(halide_buffer_t* in, halide_buffer_t* pixel_in,
                                halide_buffer_t* pixel_out, int32_t channels, int32_t in_u,
                                int32_t in_v, int32_t out_u, int32_t out_v, halide_buffer_t* out);
/// generators/winograd.cpp, WinogradOutput.
using WinogradOutputFn = int (*)(halide_buffer_t* in, halide_buffer_t* pixel_in,
                                 halide_buffer_t* pixel_out, int32_t channels, int32_t in_u,
                                 int32_t in_v, int32_t out_u, int32_t out_v, halide_buffer_t* bias,
                                 double min, double max, halide_buffer_t* out);

/// Inputs of a tile to points, along two axes (points 1: an axis without a transform).
struct WinogradInputKernel {
  const char* name;
  DType dtype;
  Isa isa;
  int points_u, points_v;
  WinogradInputFn function;
};

/// Products at points to outputs of a tile: F(outputs, taps) along two axes (F(1, 1): none).
struct WinogradOutputKernel {
  const char* name;
  DType dtype;
  Isa isa;
  int outputs_u, taps_u, outputs_v, taps_v;
  WinogradOutputFn function;
};

/// What work on one instruction set is cut for: sizes in bytes and multiply-adds.
struct TargetSizes {
  Isa isa;
  std::int64_t slab_bytes;          ///< x that is read again for every phase and group of channels
  std::int64_t panel_bytes;         ///< weights of one phase and group, read again for every tile
  std::int64_t piece_rows;          ///< input channels of a piece (wide_pieces.h)
  std::int64_t strip_bytes;         ///< planar x of the narrow strategy
  std::int64_t points_bytes;        ///< x of a round of tiles at their points (winograd_layout.h)
  std::int64_t points_cache_bytes;  ///< of these, what stays in the second-level cache
  std::int64_t products_bytes;      ///< their products for some output channels
  double thread_multiply_adds;      ///< below so much, one more thread costs more than it does ...
  double new_thread_multiply_adds;  ///< ... and where it must be started first
};

/// Rows in the table's order: by ISA, dtype, vectors, then tallest tile first.
std::span<const TileKernel> wide_kernels();
/// The same sums as those of wide kernels of as many vectors, of rows in lists.
std::span<const TileKernel> listed_kernels();
std::span<const TileKernel> narrow_kernels();
std::span<const WinogradInputKernel> winograd_input_kernels();
std::span<const WinogradOutputKernel> winograd_output_kernels();
/// Fewest columns first; a dtype and ISA may have none.
std::span<const FewColumnsKernel> few_columns_kernels();
/// At most one row for each dtype and ISA.
std::span<const AddedKernel> added_kernels();
std::span<const EpilogueKernel> epilogue_kernels();
/// The rows of one of the tables for a dtype and ISA; empty where there are none.
template <typename Row>
std::span<const Row> rows_for(std::span<const Row> table, DType dtype, Isa isa) {
  const auto wanted = [&](const Row& row) { return row.dtype == dtype && row.isa == isa; };
  const auto begin = std::find_if(table.begin(), table.end(), wanted);
  return {begin, std::find_if_not(begin, table.end(), wanted)};
}

/// @param isa a built one
const TargetSizes& target_sizes(Isa isa);

/// The ISAs this build holds kernels for, worst first.
std::span<const Isa> built_isas();

/// The epilogue that applies `kind`. Never null for a fused kind and a built ISA.
const EpilogueKernel* find_epilogue(ActivationKind kind, DType dtype, Isa isa);

}  // namespace upconv::UPCONV_ABI::internal
