// Chunks: a few hundred output pixels that reach the same taps, as offset tables for the kernels.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "call.h"

namespace upconv::UPCONV_ABI::internal {

/// Most pixels in a chunk: a multiple of every tile's height; x, y and the tables of a chunk fit
/// the second-level cache with a panel of weights.
inline constexpr Index kChunkPixels = 240;
/// Room that the tables keep for padding to a whole tile.
inline constexpr Index kTablePixels = kChunkPixels + 24;
/// Most rows of weights, of a tap and an input channel each, in a list.
inline constexpr Index kListedRows = 2048;

/// y of a slab: its phases write it one after the other, line by line a part each.
inline constexpr Index kSlabOutputBytes = Index{512} * 1024;

/// Views that only the tables bound say they are as long as offsets can be.
inline constexpr Index kUnbounded = std::numeric_limits<std::int32_t>::max();
/// Offsets of pixels that all begin at the same place.
inline constexpr std::int32_t kNoOffsets[kTablePixels] = {};
/// Offsets and reaches in elements stay below this, so that their sums fit 32 bits.
inline constexpr Index kLargestOffset = kUnbounded / 4;

/// Outputs of one phase that all reach the same taps: a range of batches, a segment per axis.
struct Box {
  Phase phase[3];
  Segment segment[3];
  /// Where so many taps reach past the input that an output's taps and the next one's are as many
  /// of the same inputs: outputs along w, one tap further on each, with the first in `segment`.
  Index slides = 1;
  Index batch_begin = 0;
  Index batch_end = 0;

  Index pixels() const;
  /// Taps per axis, all zero when some axis has none: then the box is bias only.
  void taps(Index (&out)[3]) const;
};

/// One thread's scratch memory.
struct Scratch {
  explicit Scratch(std::span<std::byte> memory);
  static constexpr std::size_t kTableBytes =
      sizeof(std::int32_t) * (4 * kTablePixels + 2 * kListedRows);

  std::int32_t* pixel_x;         ///< offset in x of the first tap
  std::int32_t* pixel_y;         ///< offset in y of channel 0
  std::int32_t* pixel_residual;  ///< the same in the residual
  std::int32_t* pixel_tile;      ///< the same in `tile`
  std::int32_t *row_x, *row_w;   ///< of listed rows (listed_rows.h)
  std::byte* tile;               ///< kTablePixels x block channels, for a padded last block
};

/// Pixels [first, first + count) of a box, batch slowest and w fastest.
struct Chunk {
  Index count = 0;
  Index taps[3] = {};
  std::int32_t tap_x[3] = {};    ///< step in x from tap to tap
  const std::byte* x = nullptr;  ///< what the tables' offsets are relative to
  const std::byte* residual = nullptr;
  std::byte* y = nullptr;
};

/// Fills the tables with up to `most` pixels from `first` on. Stops early where an offset would not
/// fit the kernels' 32 bits, so tensors of any size work; at least one pixel is always taken.
Chunk fill_chunk(const Call& call, const Box& box, Index first, Index most, const Scratch& scratch);

}  // namespace upconv::UPCONV_ABI::internal
