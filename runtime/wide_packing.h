// The wide strategy's packed weights: the kernel in the order in which the register tiles walk it.
//
// Output channels are cut into parts, each served by one tile shape of the wide strategy; a part is
// a run of blocks of `vectors * lanes` channels, zero padded at the end of the last one:
//
//   [block][phase][tap of the phase][ci][channel in block]
//
// Phases and taps come in row-major order (d, h, w). The format depends on the layer's options
// alone, never on a call's shapes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "kernel_table.h"
#include "strategy.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// Vector multiply-adds that a tile takes per row of weights, however few it does: their latency.
inline constexpr Index kTileLatency = 8;

/// The lowest tile of a family, tallest first, of at least so many pixels; `pixels` is at most the
/// tallest's.
inline const TileKernel& tile_for(std::span<const TileKernel> family, Index pixels) {
  const TileKernel* low = &family[0];
  for (const TileKernel& kernel : family) {
    if (kernel.pixels >= pixels) low = &kernel;
  }
  return *low;
}

/// Output channels [first_channel, first_channel + channels) and the tiles that compute them.
struct Part {
  /// Same lanes and vectors, tallest first; the last has one pixel. Those of listed rows sum the
  /// same.
  std::span<const TileKernel> tiles, listed = {};
  Index first_channel = 0;
  Index channels = 0;  ///< real ones; the last block of the last part may be padded
  Index blocks = 0;
  std::size_t offset = 0;  ///< of the first block in the packed weights, in elements

  Index block_channels() const { return Index{tiles[0].lanes} * tiles[0].vectors; }
  /// Time of the tiles of a block for `pixels`, per row of weights, in vector multiply-adds at full
  /// rate (strategy.h: vector_time).
  double block_time(Index pixels, double vector_time) const {
    const TileKernel& tall = tiles[0];
    const Index rest = pixels % tall.pixels;
    const double vectors = tall.time(vector_time);
    double time = static_cast<double>(pixels - rest) * vectors;
    if (rest > 0) {
      time += std::max(static_cast<double>(tile_for(tiles, rest).pixels) * vectors,
                       double{kTileLatency});
    }
    return time;
  }
};

/// Cuts `output_size` channels into parts so that the summed cost of all blocks (kernels.json) is
/// least. @return parts with offset 0; empty when this build has no kernel for the ISA.
std::vector<Part> choose_parts(Index output_size, DType dtype, Isa isa);

/// The packed format of one layer and ISA.
struct WideLayout : LayerFacts {
  std::vector<Part> parts;

  /// Rows (tap, ci) of one block.
  Index rows() const { return taps() * input_size; }
};

/// Packed weights and padded bias.
struct WideWeights {
  WideLayout layout;
  std::shared_ptr<const Tensor> weights;  ///< flat
  Tensor bias;                            ///< one entry per padded channel of every part, in order
};

/// @throws Error kLimitExceeded when the weights of one block are more than the kernels' 32-bit
///         offsets reach.
WideLayout wide_layout(const LayerFacts& facts);

/// Packs a C-order kernel `filter_shape ++ [input_size, output_size]` and a bias (null: zero).
/// @param factor of a folded layer (wide_fold.h), whose kernel is still the layer's own
WideWeights pack_wide(const LayerFacts& facts, const Tensor& kernel, const Tensor* bias,
                      Index factor = 1);

/// A bias (null: zero) with one entry per padded channel of every part, in order.
Tensor pack_part_bias(const LayerFacts& facts, const std::vector<Part>& parts, const Tensor* bias);

}  // namespace upconv::UPCONV_ABI::internal
