#include "wide_cost.h"

#include <algorithm>

#include "boxes_along.h"
#include "chunk.h"
#include "gaps.h"
#include "listed_rows.h"
#include "wide_pieces.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr Price kProduct = {"product", 1};
/// A pixel: tables, and a copy where the last block is padded.
constexpr Price kPixel = {"pixel", 5.5}, kPaddedPixel = {"padded pixel", 25.7},
                kPaddedVector = {"padded vector", 22.5};
/// A tile: its sums begin, are clamped and written.
constexpr Price kTile = {"tile", 30};
/// A box, for each part: lists, a call of a kernel, tiles that are not full at its end.
constexpr Price kBox = {"box", 1320};
/// A tile at a tap, where phases have several: a loop over input channels begins and ends.
constexpr Price kTap = {"tile at a tap", 23};
/// A tile, where rows are listed instead.
constexpr Price kListedTile = {"listed tile", 60.5};
/// 64 bytes of weights that inputs reach, which do not stay in the second-level cache.
constexpr Price kFarWeights = {"far weights", 3.8};
/// 64 bytes of y that taps reach, where gaps are filled before: in a farther cache, and in memory.
constexpr Price kFilledOutput = {"filled output", 13.6}, kFilledMemory = {"filled memory", 37.7};

/// As many pixels fill tiles as well as more do.
constexpr double kManyPixels = 1 << 20;

/// Time of the tiles of a part's blocks for so many pixels, per pixel and row of weights.
double time_per_pixel(const Part& part, Index pixels, double vector_time) {
  return real(part.blocks) * part.block_time(pixels, vector_time) / real(pixels);
}

double tiles_per_pixel(const Part& part, std::span<const TileKernel> family, Index pixels) {
  return real(part.blocks * ceil_div(pixels, family[0].pixels)) / real(pixels);
}

}  // namespace

const char* charge_wide(Bill& bill, const LayerFacts& facts, const std::vector<Part>& parts,
                        const CallAxis (&axes)[3], Index batches) {
  const Part& last = parts.back();
  const Index padding = last.blocks * last.block_channels() - last.channels;
  const BoxesAlong along[3] = {{axes[0], false}, {axes[1], false}, {axes[2], padding == 0}};
  const double images = real(batches), size = static_cast<double>(size_of(facts.dtype));
  double pixels = images, pairs = images, reached_pixels = images;
  double boxes = 1, reached_boxes = 1;
  double taps = 1;       // that reach an input
  Index phase_taps = 1;  // of the phase that has most
  double positions = images;
  for (int axis = 0; axis < 3; ++axis) {
    const CallAxis& a = axes[axis];
    const BoxesAlong& mine = along[axis];
    pixels *= real(a.window.output);
    pairs *= mine.inner.pairs + mine.edge.pairs;
    reached_pixels *= mine.inner.outputs + mine.edge.outputs;
    boxes *= mine.reached + mine.gaps;
    reached_boxes *= mine.reached;
    taps *= real(std::min(a.phases->filter(), a.pairs()));
    phase_taps *= a.phases->most_taps();
    positions *= real(a.q_end() - a.q_begin());
  }
  const auto lists = [&](const Part& part) {
    return lists_rows(part, facts.input_size, phase_taps);
  };
  const double y_bytes = pixels * real(facts.output_size) * size;
  // Gaps cost nothing beside what all strategies need to write them.
  const bool filled = gaps_pay(y_bytes, reached_pixels / pixels);

  // In boxes, of each axis inner or edge ones: the tiles of short boxes are not full.
  double products = 0, tiles = 0, tap_tiles = 0, listed_tiles = 0;
  for (int kind = 0; kind < 8; ++kind) {
    double kind_pairs = images, kind_outputs = images;
    double outputs = images;  // of a box
    for (int axis = 0; axis < 3; ++axis) {
      const BoxesAlong::Kind& mine = (kind >> axis) % 2 != 0 ? along[axis].edge : along[axis].inner;
      kind_pairs *= mine.pairs;
      kind_outputs *= mine.outputs;
      outputs *= real(mine.extent);
    }
    if (kind_outputs <= 0) continue;
    const auto box = static_cast<Index>(std::min(outputs, kManyPixels));
    for (const Part& part : parts) {
      products += kind_pairs * time_per_pixel(part, box, facts.vector_time);
      const double part_tiles = tiles_per_pixel(part, part.tiles, box);
      tiles += kind_outputs * part_tiles;
      if (lists(part)) {
        listed_tiles += kind_outputs * tiles_per_pixel(part, part.listed, box);
      } else if (phase_taps > 1) {
        tap_tiles += kind_pairs * part_tiles;
      }
    }
  }
  const double work = pairs * real(facts.input_size * facts.output_size);
  if (facts.input_size >= kLeastPieceInputs && positions <= real(kChunkPixels) &&
      work >= kLeastPieceWork) {
    // In pieces all outputs of a phase that reach a tap are one list.
    const auto list = static_cast<Index>(std::max(1.0, pairs / std::max(1.0, taps)));
    double pieces = 0;
    for (const Part& part : parts) pieces += time_per_pixel(part, list, facts.vector_time);
    products = std::min(products, pairs * pieces);
  }

  for (const Part& part : parts) {
    if (!filled) tiles += (pixels - reached_pixels) * real(part.blocks) / part.tiles[0].pixels;
  }
  const double visited = filled ? reached_pixels : pixels;
  const double cache = real(target_sizes(facts.isa).points_cache_bytes);
  const double weight_bytes = taps * real(facts.input_size * facts.output_size) * size;
  bill.add(kProduct, products * real(facts.input_size));
  bill.add(kPixel, visited);
  bill.add(kTile, tiles);
  if (padding > 0) {
    bill.add(kPaddedPixel, visited);
    bill.add(kPaddedVector, visited * real(last.tiles[0].vectors));
  }
  if (tap_tiles > 0) bill.add(kTap, tap_tiles);
  if (listed_tiles > 0) bill.add(kListedTile, listed_tiles);
  bill.add(kBox, (filled ? reached_boxes : boxes) * real(static_cast<Index>(parts.size())));
  if (filled && y_bytes > cache) {
    bill.add(y_bytes > kCachedBytes ? kFilledMemory : kFilledOutput,
             y_bytes * reached_pixels / pixels / 64);
  }
  if (weight_bytes > cache) bill.add(kFarWeights, weight_bytes / 64);
  const Part& first = parts.front();
  return (lists(first) ? first.listed : first.tiles).front().name;
}

}  // namespace upconv::UPCONV_ABI::internal
