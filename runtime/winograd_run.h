// Runs a call of the winograd strategy, round by round.
//
// A *round* is some tiles of one choice of grids (winograd_grid.h). Its inputs are transformed to
// points once; then, for each phase of the grids and each group of output channels, the products at
// all points are summed and transformed to outputs. Tiles whose inputs all exist are read where
// they are; others are gathered with zeros first. Outputs go to y at once where the whole tile lies
// inside the window, and else by way of scratch.
#pragma once

#include <cstddef>
#include <span>

#include "call.h"
#include "winograd_grid.h"
#include "winograd_layout.h"

namespace upconv::UPCONV_ABI::internal {

/// Bytes of scratch that one thread needs, whatever the extents.
std::size_t winograd_scratch_bytes(const WinogradLayout& layout);

/// Everything that is the same for all rounds of a call. Refers to its arguments.
class WinogradRunner {
 public:
  /// A choice of grids, and how its work is divided into units: rounds of tiles, and of each round
  /// one or more parts of the products.
  struct Class {
    const Grid* grid[3] = {};
    const TilePasses* passes = nullptr;
    Index tiles = 0, round_tiles = 0;
    Index products = 0, splits = 0;
    Index units = 0;
  };
  /// Where a thread is in a range of the units: a share of every class, one class after the other.
  struct Cursor {
    int range = 0;
    Index at_class = -1;
    Class current{};
    Index first = 0, begin = 0, end = 0;  ///< of the range: the class's first; which of the class
    Index tile = -1;                      ///< first of the round whose points the scratch holds
  };

  /// @param bias one entry per padded channel (pack_part_bias)
  WinogradRunner(const WinogradLayout& layout, const Tensor& weights, const Tensor& bias,
                 const Call& call, int threads);

  /// The end of what one thread needs of scratch that begins at `memory`.
  static std::byte* scratch_end(const WinogradLayout& layout, std::byte* memory);

  /// Runs unit n of the cursor's range; false: it has fewer.
  /// @param n above all that the cursor was used for
  bool run(Index n, Cursor& cursor, std::span<std::byte> scratch) const;

 private:
  struct Memory;
  struct Tile;
  /// A phase and blocks [begin, end) of a part.
  struct Products {
    const WinogradPhase* phase[3];
    const Part* part;
    Index begin, end;
  };
  /// Where the outputs of a phase's tiles go.
  struct Outputs {
    Index tile_outputs[3];  ///< of a tile
    Index step[3];          ///< of y from one to the next
    Index origin[3];        ///< y of u = 0
    Index first_channel, channels;
  };
  Index classes() const;
  Class class_at(Index at) const;
  Products products_at(const Class& of, Index at) const;
  /// Tiles first, first + 1, ... of all tiles of all images.
  void place_tiles(const Class& of, Index first, Index count, Tile* tiles) const;
  /// What is tile `index`'s along one axis.
  void place(const Class& of, int axis, Index index, Tile& tile) const;
  void transform_inputs(const Class& of, Index tiles, const Memory& memory) const;
  void gather(const Class& of, const Tile& tile, std::byte* to) const;
  void multiply(const Class& of, const Products& products, Index tiles, const Memory& memory) const;
  void transform_outputs(const Class& of, const Products& products, Index tiles,
                         const Memory& memory) const;
  /// Tiles of a folded layout into y.
  /// @param outputs those of residue 0 of every axis, and the folded channels of `in`
  /// @param in as finish()
  void deal(const Outputs& outputs, const Tile* tiles, const std::int32_t* which, Index tile_count,
            std::byte* in, Index in_pitch) const;
  /// The activation, where the transform's clamp is not all of it, on `pixels` runs of values.
  void activate(std::byte* values, Index pixels, Index channels) const;
  /// deal() for channels [begin, end) of one row of y, each position's as one run.
  template <Element T>
  void deal_runs(const Outputs& outputs, const Tile* tiles, const std::int32_t* which,
                 Index tile_count, const T* in, Index in_pitch, Index begin, Index end) const;
  /// Tiles of finished sums into y, by way of an epilogue, what lies inside the window.
  /// @param which of `tiles`
  /// @param in their outputs, in_pitch apart; null: they are in y
  void finish(const EpilogueKernel& epilogue, const Outputs& outputs, const Tile* tiles,
              const std::int32_t* which, Index tile_count, const std::byte* in,
              Index in_pitch) const;

  const WinogradLayout& layout_;
  const Tensor& weights_;
  const Tensor& bias_;
  const Call& call_;
  Index size_;
  double min_, max_;
  const EpilogueKernel* epilogue_ = nullptr;  ///< null: the clamp of the transform is all
  const EpilogueKernel* copy_;
  int threads_;
  AxisGrids grids_[3];
  Index groups_ = 0;  ///< groups of channels of a phase
};

}  // namespace upconv::UPCONV_ABI::internal
