#include "pieces.h"

#include <algorithm>

#include "chunk.h"
#include "wide_pieces.h"

namespace upconv::compiler {

namespace {

using internal::CallAxis;
using internal::Phase;
using internal::Segment;

// The library's rules (runtime/wide_pieces.cpp), for any target.

/// The tiles that `pixels` take.
struct Tiles {
  Index time = 0;   ///< per row of weights, in vector multiply-adds
  Index count = 0;  ///< of tiles
};
Tiles tiles_of(const TileRow& row, Index pixels) {
  const Index tall = row.heights.front(), rest = pixels % tall;
  Tiles tiles{.time = pixels / tall * tall * row.vectors, .count = pixels / tall};
  if (rest == 0) return tiles;
  Index height = tall;
  for (const int lower : row.heights) height = lower >= rest ? lower : height;
  tiles.time += std::max(height * row.vectors, internal::kTileLatency);
  ++tiles.count;
  return tiles;
}

/// The rows of an axis' table, with sums in boxes or in pieces: pixels, and the taps of each.
struct Row {
  Index pixels = 0, taps = 0;
};
std::vector<Row> rows_of(const PlannedAxis& axis, bool pieces, bool gaps) {
  const CallAxis call{&axis.phases, *axis.input, axis.window};
  std::vector<Row> rows;
  call.for_each_phase([&](const Phase& phase) {
    if (pieces) {
      for (Index j = 0; j < phase.taps; ++j) {
        const Segment reach = internal::reach_of_tap(call, phase, j, call.q_begin(), call.q_end());
        rows.push_back({reach.end - reach.begin, 1});
      }
      return;
    }
    internal::for_each_segment(call, phase, call.q_begin(), call.q_end(), [&](const Segment& s) {
      if (gaps && s.tap_begin == s.tap_end) return;
      rows.push_back({s.end - s.begin, s.tap_end - s.tap_begin});
    });
  });
  return rows;
}

// Beside the multiply-adds, in these: fitted on AVX2 to generated layers of small extents.

/// A box for a block: what the tables say of it.
constexpr double kBox = 60;
/// A tile: offsets of its pixels. And one at a tap, where there are several: a loop begins and
/// ends.
constexpr double kTile = 30, kTap = 7;
/// A vector of a tile's sums, loaded and stored, or half of that; one of y, filled.
constexpr double kSums = 3.5, kFill = 3;

/// Time of a block for a box of so many pixels, or for a tap in `pieces` pieces (0: a box).
double block_time(const PlannedPart& part, Index inputs, Index pixels, Index taps, Index pieces) {
  const Tiles tiles = tiles_of(part.tile, pixels);
  const auto count = static_cast<double>(tiles.count);
  const double sums = static_cast<double>(pixels * part.tile.vectors) * kSums;
  const double products = static_cast<double>(tiles.time * taps * inputs);
  if (pieces > 0) return products + static_cast<double>(pieces) * (kBox + count * kTile + sums);
  return products + kBox + count * (kTile + static_cast<double>(taps) * kTap) + sums / 2;
}

/// Time of a call.
double time_of(const LayerPlan& plan, bool in_pieces) {
  const bool gaps = has_many_gaps(plan);
  std::vector<Row> rows[3];
  double filled = 0;  // vectors
  if (in_pieces || gaps) filled = static_cast<double>(*plan.spec.images * plan.output_size());
  for (std::size_t axis = 0; axis < 3; ++axis) {
    rows[axis] = rows_of(plan.axes[axis], in_pieces, gaps);
    filled *= static_cast<double>(plan.axes[axis].window.output);
  }
  double time = filled / plan.target.lanes * kFill;
  const Index inputs = plan.input_size();
  const Index pieces = in_pieces ? internal::ceil_div(inputs, plan.target.piece_rows) : 0;
  for (const Row& d : rows[0]) {
    for (const Row& h : rows[1]) {
      for (const Row& w : rows[2]) {
        const Index pixels = *plan.spec.images * d.pixels * h.pixels * w.pixels;
        for (const PlannedPart& part : plan.parts) {
          time += part.blocks * block_time(part, inputs, pixels, d.taps * h.taps * w.taps, pieces);
        }
      }
    }
  }
  return time;
}

/// Many weights, of which a block's do not stay in a cache while boxes pass, or x does not.
bool boxes_leave_cache(const LayerPlan& plan) {
  const Index inputs = plan.input_size();
  if (inputs < internal::kLeastPieceInputs) return false;
  double work = static_cast<double>(plan.spec.images.value_or(1)) *
                static_cast<double>(plan.taps() * inputs * plan.output_size());
  Index phase_taps = 1;
  bool known = true;
  for (const PlannedAxis& axis : plan.axes) {
    const Index taps = axis.phases.with_taps().front().taps;
    phase_taps *= axis.input ? std::min(taps, *axis.input) : taps;
    work *= static_cast<double>(axis.input.value_or(1));
    known = known && axis.input.has_value();
  }
  if (known && work < internal::kLeastPieceWork) return false;
  const Index pixel_bytes = inputs * static_cast<Index>(plan.element_bytes());
  const Index panel_bytes = phase_taps * pixel_bytes * plan.parts.front().block_channels;
  return internal::boxes_leave_cache(panel_bytes, pixel_bytes, plan.target.panel_bytes,
                                     plan.target.slab_bytes);
}

/// Few positions, of which boxes are so small that their tiles are not full.
bool pieces_fill_tiles(const LayerPlan& plan) {
  if (!plan.is_fixed()) return false;
  constexpr Index kMostPositions = 10 * internal::kChunkPixels;
  Index positions = *plan.spec.images;
  for (const PlannedAxis& axis : plan.axes) {
    const CallAxis call{&axis.phases, *axis.input, axis.window};
    positions *= std::max<Index>(0, call.q_end() - call.q_begin());
  }
  if (positions > kMostPositions) return false;
  // The gain must be more than the error of the estimates.
  return time_of(plan, true) < 0.95 * time_of(plan, false);
}

}  // namespace

int piece_inputs(const LayerPlan& plan) {
  // To add sums to y when they are complete is another order.
  const bool padded = plan.output_size() % plan.target.lanes != 0;
  if (padded && plan.spec.checked.options.arithmetic == Arithmetic::kDirect) return 0;
  if (!boxes_leave_cache(plan) && !pieces_fill_tiles(plan)) return 0;
  // Equal ones, where that is possible, have loops of a constant length.
  const Index pieces = internal::ceil_div(plan.input_size(), plan.target.piece_rows);
  return static_cast<int>(internal::ceil_div(plan.input_size(), pieces));
}

}  // namespace upconv::compiler
