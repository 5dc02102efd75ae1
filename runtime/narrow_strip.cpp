#include "narrow_strip.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Elements of accumulators: a set's rows x columns.
constexpr Index kSumElements = Index{32} * 1024;

/// x of a block of columns, for the first-level cache.
constexpr Index kBlockBytes = Index{24} * 1024;
constexpr Index kMostBlockColumns = 192;
constexpr Index kMostNearBytes = Index{40} * 1024;  ///< of a block that stays there

/// Numbers of strips along h that are weighed against each other.
constexpr Index kStripCounts = 8;

// Costs beside the tiles', in vector multiply-adds at full rate (a core does two a cycle), fitted
// to 90 layers on AVX-512 and on AVX2.
constexpr Price kProduct = {"product", 1.115};
constexpr Price kFarProduct = {"far product", 0.223};  ///< more, with x in the second-level cache
constexpr Price kCopy = {"copy", 1.617};               ///< an element of x into a plane
constexpr Price kMove = {"move", 2.342};               ///< an element of a plane to the next strip
constexpr Price kFill = {"fill", 1.673};               ///< an accumulator's bias
constexpr Price kWrite = {"write", 1.115};             ///< an accumulator to y
constexpr Price kRow = {"row", 613};                   ///< of y
constexpr Price kTileCall = {"tile call", 312};        ///< a call of a kernel

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

/// x under a column of all rows that taps reach.
Index column_bytes(const NarrowLayout& layout) {
  return (1 + span(layout, 0)) * (1 + span(layout, 1)) * layout.input_size * size_bytes(layout);
}

Index most_columns(const NarrowLayout& layout) { return sum_step(layout) - layout.widest_tile; }

}  // namespace

Index column_block(const NarrowLayout& layout) {
  const Index columns = std::min(kBlockBytes / column_bytes(layout), kMostBlockColumns);
  return std::max<Index>(columns / layout.column_step, 1) * layout.column_step;
}

Index tile_calls(const NarrowLayout& layout, Index columns) {
  return ceil_div(columns, column_block(layout)) * layout.tiles;
}

Index sum_step(const NarrowLayout& layout) {
  const Index rows = std::min(kSetRows, layout.rows());
  return plane_elements(layout, std::max(kSumElements / rows, 2 * layout.widest_tile));
}

Index sum_elements(const NarrowLayout& layout) {
  return std::min(kSetRows, layout.rows()) * sum_step(layout);
}

bool strips_fit(const NarrowLayout& layout) {
  Index left = strip_positions(layout);
  for (int axis = 0; axis < 3; ++axis) left /= 1 + span(layout, axis);
  return left >= 1;
}

Index planar_elements(const NarrowLayout& layout) {
  return layout.input_size * plane_elements(layout, strip_positions(layout) + layout.widest_tile);
}

namespace {

/// So many strips of q_h x q_w positions.
void charge_strip(Bill& bill, const NarrowLayout& layout, Index q_h, Index q_w, double strips) {
  const Index pitch_w = q_w + span(layout, 2);
  const Index columns = (q_h - 1) * pitch_w + q_w;
  const bool far = column_block(layout) * column_bytes(layout) > kMostNearBytes;
  double tiles = 0;
  for (const NarrowLayout::Width& width : layout.widths) {
    tiles += width.cost * static_cast<double>(ceil_div(columns, width.columns));
  }
  const double copied = static_cast<double>(layout.input_size * (1 + span(layout, 0)) * pitch_w);
  const auto add = [&](const Price& price, double count) { bill.add(price, strips * count); };
  add(kProduct, tiles);
  if (far) add(kFarProduct, tiles / layout.vector_time);
  add(kTileCall, static_cast<double>(tile_calls(layout, columns)));
  add(kCopy, copied * static_cast<double>(q_h));
  add(kMove, copied * static_cast<double>(span(layout, 1)));
  add(kFill, static_cast<double>((columns + layout.widest_tile) * layout.rows()));
  add(kWrite, static_cast<double>(q_h * q_w * layout.rows()));
  add(kRow, static_cast<double>(q_h * layout.axes[0].stride() * layout.axes[1].stride()));
}

Index positions_of(const CallAxis& axis) {
  return std::max<Index>(axis.q_end() - axis.q_begin(), 1);
}

/// Stacks of strips, each of all positions along h: along w and d, and of images.
double stacks(const CallAxis (&axes)[3], Index batches, Index strip_w) {
  return static_cast<double>(ceil_div(positions_of(axes[2]), strip_w)) *
         static_cast<double>(positions_of(axes[0])) *
         static_cast<double>(std::max<Index>(batches, 1));
}

/// So many stacks of strips of q_h x q_w positions; the last along h may have fewer.
void charge_stacks(Bill& bill, const NarrowLayout& layout, const CallAxis& h, Index q_h, Index q_w,
                   double count) {
  const Index all = positions_of(h), whole = ceil_div(all, q_h) - 1;
  if (whole > 0) charge_strip(bill, layout, q_h, q_w, count * static_cast<double>(whole));
  charge_strip(bill, layout, all - whole * q_h, q_w, count);
}

}  // namespace

StripShape choose_strips(const NarrowLayout& layout, const CallAxis (&axes)[3], Index batches,
                         Index least_strips) {
  const Index q[3] = {positions_of(axes[0]), positions_of(axes[1]), positions_of(axes[2])};
  const Index positions = strip_positions(layout) / (1 + span(layout, 0));
  const Index columns = most_columns(layout);

  StripShape shape;
  // Whole rows where they fit, else whole tiles.
  shape.q[2] = std::min({q[2], positions / (1 + span(layout, 1)) - span(layout, 2), columns});
  if (shape.q[2] < q[2] && shape.q[2] > layout.column_step) {
    shape.q[2] -= shape.q[2] % layout.column_step;
  }
  shape.pitch[2] = shape.q[2] + span(layout, 2);
  const Index most_h = std::clamp<Index>(std::min(positions / shape.pitch[2] - span(layout, 1),
                                                  (columns - shape.q[2]) / shape.pitch[2] + 1),
                                         1, q[1]);
  // Fewer strips copy less; more may fill their last tiles better.
  const double beside = stacks(axes, batches, shape.q[2]);
  const double wanted = std::ceil(static_cast<double>(least_strips) / beside);
  const Index fewest = std::min(q[1], std::max(ceil_div(q[1], most_h), static_cast<Index>(wanted)));
  double least = std::numeric_limits<double>::infinity();
  for (Index strips = fewest; strips < fewest + kStripCounts && strips <= q[1]; ++strips) {
    const Index rows = ceil_div(q[1], strips);
    Bill bill;
    charge_stacks(bill, layout, axes[1], rows, shape.q[2], beside);
    if (bill.total >= least) continue;
    least = bill.total;
    shape.q[1] = rows;
  }
  shape.pitch[1] = shape.q[1] + span(layout, 1);
  shape.pitch[0] = 1 + span(layout, 0);
  shape.plane =
      plane_elements(layout, shape.pitch[0] * shape.pitch[1] * shape.pitch[2] + layout.widest_tile);
  return shape;
}

void charge_strips(Bill& bill, const NarrowLayout& layout, const CallAxis (&axes)[3],
                   Index batches) {
  const StripShape shape = choose_strips(layout, axes, batches, 1);
  charge_stacks(bill, layout, axes[1], shape.q[1], shape.q[2], stacks(axes, batches, shape.q[2]));
}

}  // namespace upconv::UPCONV_ABI::internal
