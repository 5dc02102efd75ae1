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

/// Time of the tiles that `pixels` take, per row of weights, in vector multiply-adds.
Index tile_time(const TileRow& row, Index pixels) {
  const Index tall = row.heights.front(), rest = pixels % tall;
  const Index time = pixels / tall * tall * row.vectors;
  if (rest == 0) return time;
  Index height = tall;
  for (const int lower : row.heights) height = lower >= rest ? lower : height;
  return time + std::max(height * row.vectors, internal::kTileLatency);
}

/// The rows of an axis' table, with sums in boxes or in pieces: pixels, and the taps of each.
struct Row {
  Index pixels = 0, taps = 0;
};
std::vector<Row> rows_of(const PlannedAxis& axis, bool pieces) {
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
      rows.push_back({s.end - s.begin, s.tap_end - s.tap_begin});
    });
  });
  return rows;
}

/// Time of all tiles of a call.
Index time_of(const LayerPlan& plan, bool pieces) {
  std::vector<Row> rows[3];
  for (std::size_t axis = 0; axis < 3; ++axis) rows[axis] = rows_of(plan.axes[axis], pieces);
  Index time = 0;
  for (const Row& d : rows[0]) {
    for (const Row& h : rows[1]) {
      for (const Row& w : rows[2]) {
        const Index pixels = *plan.spec.images * d.pixels * h.pixels * w.pixels;
        time += tile_time(plan.parts.front().tile, pixels) * d.taps * h.taps * w.taps;
      }
    }
  }
  return time;
}

/// A call of few pixels, the tiles of whose pieces take less time than those of its boxes.
bool pieces_fill_tiles(const LayerPlan& plan) {
  if (!plan.is_fixed()) return false;
  Index positions = *plan.spec.images;
  for (const PlannedAxis& axis : plan.axes) {
    const CallAxis call{&axis.phases, *axis.input, axis.window};
    positions *= std::max<Index>(0, call.q_end() - call.q_begin());
  }
  if (positions > internal::kChunkPixels) return false;
  return time_of(plan, true) < time_of(plan, false);
}

}  // namespace

int piece_inputs(const LayerPlan& plan) {
  const Index inputs = plan.input_size(), most = plan.target.piece_rows;
  if (inputs < internal::kLeastPieceInputs || plan.output_size() % plan.target.lanes != 0) return 0;
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
  if (known && work < internal::kLeastPieceWork) return 0;
  const Index pixel_bytes = inputs * static_cast<Index>(plan.element_bytes());
  const Index panel_bytes = phase_taps * pixel_bytes * plan.parts.front().block_channels;
  if (!internal::boxes_leave_cache(panel_bytes, pixel_bytes, plan.target.panel_bytes,
                                   plan.target.slab_bytes) &&
      !pieces_fill_tiles(plan)) {
    return 0;
  }
  // Equal ones, where that is possible, have loops of a constant length.
  const Index pieces = internal::ceil_div(inputs, most);
  return static_cast<int>(internal::ceil_div(inputs, pieces));
}

}  // namespace upconv::compiler
