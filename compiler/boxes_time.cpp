#include "boxes_time.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "blocks.h"
#include "hints.h"
#include "whole_layer.h"
#include "wide_packing.h"

namespace upconv::compiler {

namespace {

using internal::CallAxis;
using internal::Phase;
using internal::Segment;

/// The tiles that `pixels` take.
struct Tiles {
  double time = 0;  ///< per row of weights, in vector multiply-adds
  Index count = 0;  ///< of tiles
};
Tiles tiles_of(const TileRow& row, Index pixels) {
  const Index tall = row.heights.front(), rest = pixels % tall;
  Tiles tiles{.time = static_cast<double>(pixels - rest) * row.cost, .count = pixels / tall};
  if (rest == 0) return tiles;
  Index height = tall;
  for (const int lower : row.heights) height = lower >= rest ? lower : height;
  tiles.time += tile_time(row, static_cast<int>(height));
  ++tiles.count;
  return tiles;
}

/// Of more phases, those without taps count as one.
constexpr Index kMostPhases = 4096;

/// How many rows of an axis' table, with sums in boxes or in pieces, have so many (pixels, taps).
using Rows = std::map<std::pair<Index, Index>, Index>;
Rows rows_of(const PlannedAxis& axis, bool pieces, bool gaps) {
  const CallAxis call{&axis.phases, *axis.input, axis.positions()};
  Rows rows;
  const auto add = [&](const Phase& phase) {
    if (pieces) {
      for (Index j = 0; j < phase.taps; ++j) {
        const Segment reach = internal::reach_of_tap(call, phase, j, call.q_begin(), call.q_end());
        ++rows[{reach.end - reach.begin, 1}];
      }
      return;
    }
    internal::for_each_segment(call, phase, call.q_begin(), call.q_end(), [&](const Segment& s) {
      if (gaps && s.tap_begin == s.tap_end) return;
      ++rows[{s.end - s.begin, s.tap_end - s.tap_begin}];
    });
  };
  if (axis.phases.stride() <= kMostPhases) {
    call.for_each_phase(add);
    return rows;
  }
  for (const Phase& phase : axis.phases.with_taps()) add(phase);
  if (!pieces && !gaps) ++rows[{call.window.output, 0}];
  return rows;
}

// Beside the multiply-adds, in these: fitted on AVX2 to generated layers.

/// A box for a block: what the tables say of it.
constexpr double kBox = 60;
/// A tile: offsets of its pixels. And one at a tap, where there are several: a loop begins and
/// ends.
constexpr double kTile = 30, kTap = 7;
/// A vector of a tile's sums, loaded and stored, or half of that; one of y, filled.
constexpr double kSums = 3.5, kFill = 3;
/// A pixel of a padded block: stores with a mask.
constexpr double kPaddedPixel = 23;
/// A pixel of a block whose neighbours along w belong to other boxes, of one tap.
constexpr double kApart = 10;
/// At least, a pixel of a block whose other blocks come much later, in memory.
constexpr double kFarPixel = 250;

/// 64 bytes of x or y in memory, for which no tile asks beforehand.
constexpr double kFarLine = 20;

/// Of a layer, what its blocks take beside, and of their multiply-adds. Of combined phases that go
/// to y row by row, through the stack: for a tile, and for a vector of its sums.
struct Stores {
  double tile = 0, sums = 0, padded = 0, apart = 0, far = 0, products = 1;
};
constexpr Stores kByRows = {.tile = 16, .sums = 24, .products = 1.15};
/// With masks of AVX-512, on that.
constexpr Stores kByRowsMasked = {.tile = 16, .sums = 5, .products = 1.05};
Stores stores_of(const LayerPlan& plan) {
  const bool combined = plan.channels() > plan.output_size();
  const bool one_row = plan.axes[0].combined * plan.axes[1].combined == 1;
  const int height = plan.parts.front().tile.heights.front();
  const bool by_rows = combined && !generators::writes_combined_blocks(one_row, height);
  const bool masked = plan.target.halide.has_feature(Halide::Target::AVX512_Skylake);
  if (by_rows) return masked ? kByRowsMasked : kByRows;
  const bool apart = has_one_tap(plan) && plan.axes[2].phases.stride() > 1;
  const PlannedPart& most = plan.parts.front();
  const bool far = most.blocks > 1 && blocks_of_tile(plan, most) == 1 && far_bytes(plan) > 0;
  return {.padded = kPaddedPixel, .apart = apart ? kApart : 0, .far = far ? kFarPixel : 0};
}

/// Time of a block for a box of so many pixels, or for a tap in `pieces` pieces (0: a box).
double block_time(const LayerPlan& plan, const PlannedPart& part, const Stores& stores,
                  Index pixels, Index taps, Index pieces) {
  const Tiles tiles = tiles_of(part.tile, pixels);
  const auto count = static_cast<double>(tiles.count), of_pixels = static_cast<double>(pixels);
  const double sums = of_pixels * part.tile.vectors;
  const bool padded = part.channels % plan.target.lanes != 0;
  const double products =
      std::max(tiles.time * static_cast<double>(taps * plan.input_size()) * stores.products,
               of_pixels * stores.far);
  const double once = count * (kTile + stores.tile) + sums * stores.sums +
                      of_pixels * (stores.apart + (padded ? stores.padded : 0)) + kBox;
  if (pieces > 0) return products + static_cast<double>(pieces) * (once + sums * kSums);
  return products + once + count * static_cast<double>(taps) * kTap + sums * kSums / 2;
}

}  // namespace

double tile_time(const TileRow& row, int height) {
  return std::max(height * row.cost, double{internal::kTileLatency});
}

double far_time(const LayerPlan& plan) { return kFarLine * far_bytes(plan) / 64; }

double boxes_time(const LayerPlan& plan, bool in_pieces) {
  const bool gaps = has_many_gaps(plan);
  const Index images = plan.spec.images.value_or(1), inputs = plan.input_size();
  std::array<Rows, 3> rows;
  double outputs = static_cast<double>(images * plan.output_size()) / plan.target.lanes;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    rows[axis] = rows_of(plan.axes[axis], in_pieces, gaps);
    outputs *= static_cast<double>(plan.axes[axis].window.output);
  }
  double time = outputs * (kOutputTime + (in_pieces || gaps ? kFill : 0));
  if (waits_for_lines(plan) && has_one_tap(plan) && !wants_next_tile(plan, plan.parts.front())) {
    time += far_time(plan);
  }
  const Index pieces = in_pieces ? internal::ceil_div(inputs, plan.target.piece_rows) : 0;
  const Stores stores = stores_of(plan);
  for (const auto& [d, count_d] : rows[0]) {
    for (const auto& [h, count_h] : rows[1]) {
      for (const auto& [w, count_w] : rows[2]) {
        const Index pixels = images * d.first * h.first * w.first;
        const Index taps = d.second * h.second * w.second;
        double of_box = 0;
        for (const PlannedPart& part : plan.parts) {
          of_box += part.blocks * block_time(plan, part, stores, pixels, taps, pieces);
        }
        time += static_cast<double>(count_d * count_h * count_w) * of_box;
      }
    }
  }
  return time;
}

}  // namespace upconv::compiler
