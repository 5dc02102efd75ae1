// Runs units of a call of the wide strategy: chunks of pixels x groups of output channels.
#pragma once

#include <cstdint>
#include <span>

#include "call.h"
#include "chunk.h"
#include "kernel_table.h"
#include "tile_arguments.h"
#include "walk.h"
#include "wide_fold.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

/// Everything that is the same for all units of a call. Refers to its arguments.
class WideRunner {
 public:
  WideRunner(const FoldedCall& folded, const WideWeights& packed);

  /// How finely a call is cut into units.
  struct Grain {
    Index slab_pixels = 0;  ///< positions of a slab that is done in boxes
    Index chunk_pixels = kChunkPixels;
    Index piece_panel_bytes = 0;  ///< weights of a unit's channels for one piece
  };
  /// Enough units for all threads, never below a few tiles, and a slab for each where that is worth
  /// reading the weights again.
  Grain grain(int threads) const;

  /// Walks all units and runs those that claim(cost) says are this thread's; the cost is of a unit
  /// beside others.
  template <typename Claim>
  void work(const Scratch& scratch, const Grain& grain, Claim claim) const {
    if (in_pieces_) {
      work_in_pieces(scratch, grain.piece_panel_bytes, claim);
    } else {
      work_in_boxes(scratch, grain, claim);
    }
  }

 private:
  template <typename Claim>
  void work_in_boxes(const Scratch& scratch, const Grain& grain, Claim claim) const;
  template <typename Claim>
  void work_in_pieces(const Scratch& scratch, Index panel_bytes, Claim claim) const;
  void run_pieces(const Slab& slab, const Phase (&phase)[3], const Group& group,
                  const Scratch& scratch) const;
  /// @param group of whole blocks, or of the padded one alone
  void sum_pieces(const Slab& slab, const Box& whole, const Group& group,
                  const Scratch& scratch) const;
  /// Output channels [begin, end).
  struct Channels {
    Index begin = 0;
    Index end = 0;
  };
  /// @param channels those of a pixel of the box that y has
  void run_box(const Box& box, const Group& group, Channels channels, Index first, Index last,
               const Scratch& scratch) const;
  void run_unit(const Box& box, const Group& group, Channels channels, const Chunk& chunk,
                const Scratch& scratch) const;
  double bytes_of_x_and_y() const;
  Index slab_pixels(int threads) const;
  /// Of a pixel of the box, beside those of others.
  double cost_of(const Box& box, const Group& group) const;
  /// From an output along w to the next of its phase, in elements of y.
  Index slide_step() const { return call_.y_strides[2] * call_.axes[2].phases->stride(); }
  /// All taps of a chunk's box for a group of blocks, from the bias on, without a clamp.
  TileArguments arguments_for(const Box& box, const Group& group, const Chunk& chunk) const;
  void run_tiles(std::span<const TileKernel> family, const TileArguments& arguments, Index pixels,
                 const Scratch& scratch, const std::int32_t* pixel_init,
                 std::int32_t* pixel_y) const;
  /// @param in a pixel's first of the channels, at the offsets pixel_in
  void finish(const EpilogueKernel& epilogue, const Chunk& chunk, const Scratch& scratch,
              const std::byte* in, std::int32_t* pixel_in, Channels channels) const;

  const FoldedCall& folded_;
  const Call& call_;
  const WideWeights& packed_;
  const WideLayout& layout_;
  const TargetSizes& sizes_;
  Index size_;
  bool in_pieces_;
  bool far_;    ///< x and y are in memory
  bool slide_;  ///< outputs of a box's slides are written where they belong
  double min_, max_;
  const EpilogueKernel* epilogue_;  ///< null: the clamp in the tile is all
  const EpilogueKernel* copy_;      ///< takes the real channels out of a padded block
};

template <typename Claim>
void WideRunner::work_in_boxes(const Scratch& scratch, const Grain& grain, Claim claim) const {
  const auto run = [&](const Box& box, const Group& group, Channels channels) {
    const Index pixels = box.pixels();
    const double cost = cost_of(box, group);
    for (Index first = 0; first < pixels; first += grain.chunk_pixels) {
      const Index last = std::min(first + grain.chunk_pixels, pixels);
      if (!claim(cost * static_cast<double>(last - first))) continue;
      run_box(box, group, channels, first, last, scratch);
    }
  };
  for_each_slab_of_pixels(call_, grain.slab_pixels, [&](const Slab& slab) {
    for_each_phase(call_, [&](const Phase& d, const Phase& h, const Phase& w) {
      for_each_group(layout_, d.taps * h.taps * w.taps * layout_.input_size, sizes_.panel_bytes,
                     [&](const Group& group) {
                       for_each_box(call_, slab, {d, h, w}, slide_, [&](const Box& box) {
                         folded_.for_each_part(box, [&](const Box& part, Index begin, Index end) {
                           run(part, group, Channels{begin, end});
                         });
                       });
                     });
    });
  });
}

template <typename Claim>
void WideRunner::work_in_pieces(const Scratch& scratch, Index panel_bytes, Claim claim) const {
  for_each_slab_of_pixels(call_, kChunkPixels, [&](const Slab& slab) {
    for_each_phase(call_, [&](const Phase& d, const Phase& h, const Phase& w) {
      const Index rows = std::min(sizes_.piece_rows, layout_.input_size);
      for_each_group(layout_, rows, panel_bytes, [&](const Group& group) {
        const Index cost = d.taps * h.taps * w.taps * (group.end - group.begin);
        if (claim(static_cast<double>(cost))) run_pieces(slab, {d, h, w}, group, scratch);
      });
    });
  });
}

}  // namespace upconv::UPCONV_ABI::internal
