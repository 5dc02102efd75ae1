#include "narrow_strip.h"

#include <algorithm>
#include <limits>

namespace upconv::internal {

namespace {

/// Elements of accumulators: a set's rows x columns.
constexpr Index kSumElements = 32 * 1024;

/// x of a block of columns, for the first-level cache.
constexpr Index kBlockBytes = 24 * 1024;
constexpr Index kMostBlockColumns = 192;

// Costs beside the tiles', in vector multiply-adds at full rate (a core does two a cycle).
constexpr double kCopyCost = 1.2;      ///< an element of x into a plane
constexpr double kMoveCost = 0.4;      ///< an element of a plane to the next strip
constexpr double kWriteCost = 2;       ///< an accumulator to y
constexpr double kTileCallCost = 150;  ///< a call of a kernel

Index span(const NarrowLayout& layout, int axis) {
  return layout.reach_most[axis] - layout.reach_least[axis];
}

Index size_bytes(const NarrowLayout& layout) { return static_cast<Index>(size_of(layout.dtype)); }

/// Rounds up to an odd number of cache lines: planes then fall on all sets of a cache.
Index plane_elements(const NarrowLayout& layout, Index elements) {
  const Index line = 64 / size_bytes(layout);
  return (ceil_div(elements, line) | 1) * line;
}

/// Positions of x that a strip may have.
Index strip_positions(const NarrowLayout& layout) {
  return target_sizes(layout.isa).strip_bytes / (layout.input_size * size_bytes(layout));
}

Index least_positions(const NarrowLayout& layout) {
  return (1 + span(layout, 0)) * (1 + span(layout, 1)) * (1 + span(layout, 2));
}

Index most_columns(const NarrowLayout& layout) { return sum_step(layout) - layout.widest_tile; }

struct Costs {
  double column, copied, moved, position;
};

double strip_cost(const NarrowLayout& layout, const Costs& costs, Index q_h, Index q_w) {
  const Index pitch_w = q_w + span(layout, 2);
  const Index columns = (q_h - 1) * pitch_w + q_w;
  // Tiles differ in width; on average half of one is in vain.
  const double padded = static_cast<double>(columns + layout.widest_tile / 2);
  return padded * costs.column +
         static_cast<double>((1 + span(layout, 0)) * pitch_w) *
             (static_cast<double>(q_h) * costs.copied +
              static_cast<double>(span(layout, 1)) * costs.moved) +
         static_cast<double>(q_h * q_w) * costs.position +
         static_cast<double>(tile_calls(layout, columns)) * kTileCallCost;
}

}  // namespace

Index column_block(const NarrowLayout& layout) {
  const Index rows = (1 + span(layout, 0)) * (1 + span(layout, 1)) * layout.input_size;
  const Index columns = std::min(kBlockBytes / size_bytes(layout) / rows, kMostBlockColumns);
  return std::max<Index>(columns / layout.column_step, 1) * layout.column_step;
}

Index tile_calls(const NarrowLayout& layout, Index columns) {
  std::size_t tiles = 0;
  for (const NarrowSet& set : layout.sets) {
    for (const NarrowPiece& piece : set.pieces) tiles += piece.tiles.size();
  }
  return ceil_div(columns, column_block(layout)) * static_cast<Index>(tiles);
}

Index sum_step(const NarrowLayout& layout) {
  const Index rows = std::min(kSetRows, layout.rows());
  return plane_elements(layout, std::max(kSumElements / rows, 2 * layout.widest_tile));
}

Index sum_elements(const NarrowLayout& layout) {
  return std::min(kSetRows, layout.rows()) * sum_step(layout);
}

bool strips_fit(const NarrowLayout& layout) {
  return least_positions(layout) <= strip_positions(layout);
}

Index planar_elements(const NarrowLayout& layout) {
  return layout.input_size * plane_elements(layout, strip_positions(layout) + layout.widest_tile);
}

StripShape choose_strips(const NarrowLayout& layout, const CallAxis (&axes)[3], Index batches,
                         Index least_strips) {
  Index q[3];
  for (int axis = 0; axis < 3; ++axis) {
    q[axis] = std::max<Index>(axes[axis].q_end() - axes[axis].q_begin(), 1);
  }
  const Costs costs = {
      .column = static_cast<double>(layout.weights) * layout.tile_cost /
                static_cast<double>(layout.lanes),
      .copied = static_cast<double>(layout.input_size) * kCopyCost,
      .moved = static_cast<double>(layout.input_size) * kMoveCost,
      .position = static_cast<double>(layout.rows()) * kWriteCost,
  };
  const Index positions = strip_positions(layout) / (1 + span(layout, 0));
  const Index columns = most_columns(layout);

  StripShape shape;
  // Whole rows where they fit, else whole tiles.
  shape.q[2] = std::min({q[2], positions / (1 + span(layout, 1)) - span(layout, 2), columns});
  if (shape.q[2] < q[2] && shape.q[2] > layout.column_step) {
    shape.q[2] -= shape.q[2] % layout.column_step;
  }
  const Index strips_w = ceil_div(q[2], shape.q[2]);
  shape.pitch[2] = shape.q[2] + span(layout, 2);
  const Index most_h = std::clamp<Index>(std::min(positions / shape.pitch[2] - span(layout, 1),
                                                  (columns - shape.q[2]) / shape.pitch[2] + 1),
                                         1, q[1]);
  shape.cost = std::numeric_limits<double>::infinity();
  for (Index rows = 1; rows <= most_h; ++rows) {
    const Index strips_h = ceil_div(q[1], rows);
    if (rows > 1 && strips_h * strips_w * q[0] * batches < least_strips) break;
    const Index last = q[1] - (strips_h - 1) * rows;
    const double cost =
        static_cast<double>(strips_w * q[0] * batches) *
        (static_cast<double>(strips_h - 1) * strip_cost(layout, costs, rows, shape.q[2]) +
         strip_cost(layout, costs, last, shape.q[2]));
    if (cost > shape.cost) continue;
    shape.cost = cost;
    shape.q[1] = rows;
  }
  shape.pitch[1] = shape.q[1] + span(layout, 1);
  shape.pitch[0] = 1 + span(layout, 0);
  shape.plane =
      plane_elements(layout, shape.pitch[0] * shape.pitch[1] * shape.pitch[2] + layout.widest_tile);
  return shape;
}

}  // namespace upconv::internal
