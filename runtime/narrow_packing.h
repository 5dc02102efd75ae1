// The narrow strategy's packed weights.
//
// The narrow strategy computes layers of few output channels with vectors along the pixels of a
// planar copy of x (narrow_run.h), so the roles in a tile are exchanged: a broadcast element is a
// weight. An accumulator row m is one output of every position q:
//
//   m = ((r_d * s_h + r_h) * s_w + r_w) * output_size + c       residues r, channel c
//
// Rows come in sets. A set's rows do not all have the same taps (a filter that is no multiple of
// the stride, a dilation with the stride), so a set is computed piece by piece: a piece is a range
// of taps and the rows that have all of them. Taken in order, the pieces give each row its taps in
// row-major order: the order of summation of the wide strategy, bit for bit. (But a sum also takes
// products with the zeros around x, which may turn -0 into 0.)
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernel_table.h"
#include "strategy.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// Most rows of a set: with a strip's positions, accumulators stay in the second-level cache.
inline constexpr Index kSetRows = 64;

/// Rows of a piece from `first` on, as many as the tile kernel has pixels.
struct NarrowTile {
  const TileKernel* kernel = nullptr;
  Index first = 0;
};

/// Taps [first_tap, first_tap + taps) per axis of rows that all read the same inputs: the j-th of
/// an output q reads input q - reach - j * input_step.
struct NarrowPiece {
  Index first_tap[3] = {};
  Index taps[3] = {};
  Index reach[3] = {};
  std::vector<std::int32_t> rows;     ///< of the set
  std::vector<std::int32_t> weights;  ///< per row: offset of its first weight, from `offset`
  Index offset = 0;                   ///< in the packed weights: [row][tap d, h, w][ci]
  std::vector<NarrowTile> tiles;
};

/// Rows [first, first + count) of all.
struct NarrowSet {
  Index first = 0;
  Index count = 0;
  std::vector<NarrowPiece> pieces;
};

struct NarrowLayout : LayerFacts {
  std::vector<NarrowSet> sets;
  /// Furthest and nearest input that a tap reads, before q.
  Index reach_most[3] = {};
  Index reach_least[3] = {};
  Index lanes = 1;        ///< elements per vector
  Index column_step = 1;  ///< columns that every tile's width divides
  Index widest_tile = 1;  ///< columns of the widest tile
  Index weights = 0;      ///< elements
  Index tiles = 0;        ///< of all pieces
  /// What tiles of one width take for that many columns, in vector multiply-adds at full rate.
  struct Width {
    Index columns = 0;
    double cost = 0;
    double taps = 0;  ///< of all these tiles
  };
  std::vector<Width> widths;

  /// Rows of one output position: product of the strides x output_size.
  Index rows() const;
};

/// Nothing where the layer has too many rows, pieces, weights or inputs under an output
/// for the strategy. Decided before anything large is made.
std::optional<NarrowLayout> narrow_layout(const LayerFacts& facts);

/// Weights in the order of the pieces, from a C-order kernel. Nothing where one is not finite: the
/// strategy multiplies weights by the zeros around x, which must not make a NaN.
std::optional<Tensor> pack_narrow(const NarrowLayout& layout, const Tensor& kernel);

}  // namespace upconv::UPCONV_ABI::internal
