// Runs units of a call of the wide strategy: chunks of pixels x groups of output channels.
#pragma once

#include <cstdint>

#include "call.h"
#include "chunk.h"
#include "kernel_table.h"
#include "walk.h"
#include "wide_packing.h"

namespace upconv::internal {

/// Everything that is the same for all units of a call. Refers to the call and the weights.
class WideRunner {
 public:
  WideRunner(const Call& call, const WideWeights& packed);

  /// Chunk length for a number of threads: enough units for all, never below a few tiles.
  Index chunk_pixels(int threads) const;

  /// Walks all units and runs those that claim() says are this thread's.
  template <typename Claim>
  void work(const Scratch& scratch, Index chunk_pixels, Claim claim) const;

 private:
  void run_unit(const Box& box, const Group& group, const Chunk& chunk,
                const Scratch& scratch) const;
  void run_tiles(const Box& box, const Group& group, const Chunk& chunk, const Scratch& scratch,
                 void* y, std::int32_t* pixel_y) const;
  void finish(const EpilogueKernel& epilogue, const Chunk& chunk, const Scratch& scratch,
              const void* in, std::int32_t* pixel_in, Index first_channel, Index channels) const;

  const Call& call_;
  const WideWeights& packed_;
  const WideLayout& layout_;
  const TargetSizes& sizes_;
  Index size_;
  double min_, max_;
  const EpilogueKernel* epilogue_;  ///< null: the clamp in the tile is all
  const EpilogueKernel* copy_;      ///< takes the real channels out of a padded block
};

template <typename Claim>
void WideRunner::work(const Scratch& scratch, Index chunk_pixels, Claim claim) const {
  // A chunk may stop early (fill_chunk), so its length is only known when filled; the claim is for
  // a fixed range of pixels, whatever chunks it takes.
  const auto run_box = [&](const Box& box, const Group& group) {
    const Index pixels = box.pixels();
    for (Index first = 0; first < pixels; first += chunk_pixels) {
      if (!claim()) continue;
      const Index last = std::min(first + chunk_pixels, pixels);
      for (Index at = first; at < last;) {
        const Chunk chunk = fill_chunk(call_, box, at, last - at, scratch);
        run_unit(box, group, chunk, scratch);
        at += chunk.count;
      }
    }
  };
  for_each_slab(call_, layout_.input_size * size_, sizes_.slab_bytes, [&](const Slab& slab) {
    for_each_phase(call_, [&](const Phase& d, const Phase& h, const Phase& w) {
      for_each_group(
          layout_, d.taps * h.taps * w.taps, sizes_.panel_bytes, [&](const Group& group) {
            for_each_box(call_, slab, {d, h, w}, [&](const Box& box) { run_box(box, group); });
          });
    });
  });
}

}  // namespace upconv::internal
