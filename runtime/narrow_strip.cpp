#include "narrow_strip.h"

#include <algorithm>
#include <limits>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Elements of accumulators: a set's rows x columns.
constexpr Index kSumElements = Index{32} * 1024;

/// x of a block of columns, for the first-level cache.
constexpr Index kBlockBytes = Index{24} * 1024;
constexpr Index kMostBlockColumns = 192;

/// Numbers of strips along h that are weighed against each other; most positions along d.
constexpr Index kStripCounts = 8;
constexpr Index kMostDepth = 8;

constexpr Price kProduct = {"product", 1.11};
constexpr Price kCopy = {"copy", 1.5};            ///< an element of x into a plane
constexpr Price kCopyRow = {"copied row", 12.8};  ///< of x, of a channel
constexpr Price kTap = {"tile at a tap", 40};     ///< a loop over input channels begins and ends
constexpr Price kMove = {"move", 1.09};           ///< an element of a plane to the next strip
constexpr Price kFill = {"fill", 1.28};           ///< an accumulator's bias
constexpr Price kWrite = {"write", 0.69};         ///< an accumulator to y
constexpr Price kRow = {"row", 515};              ///< of y
constexpr Price kTileCall = {"tile call", 536};   ///< a call of a kernel

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

/// So many strips of q_d x q_h x q_w positions.
void charge_strip(Bill& bill, const NarrowLayout& layout, Index q_d, Index q_h, Index q_w,
                  double strips) {
  const Index pitch_w = q_w + span(layout, 2);
  const Index columns = (q_h - 1) * pitch_w + q_w;
  double tiles = 0, taps = 0;
  for (const NarrowLayout::Width& width : layout.widths) {
    const auto count = static_cast<double>(ceil_div(columns, width.columns));
    tiles += width.cost * count;
    taps += width.taps * count;
  }
  const double copied = static_cast<double>(layout.input_size * (q_d + span(layout, 0)) * pitch_w);
  bill.add(kCopy, strips * copied * static_cast<double>(q_h));
  bill.add(kCopyRow, strips * copied / static_cast<double>(pitch_w) * static_cast<double>(q_h));
  bill.add(kMove, strips * copied * static_cast<double>(span(layout, 1)));
  const double times = strips * static_cast<double>(q_d);
  const auto add = [&](const Price& price, double count) { bill.add(price, times * count); };
  add(kProduct, tiles);
  add(kTap, taps);
  add(kTileCall, static_cast<double>(tile_calls(layout, columns)));
  add(kFill, static_cast<double>((columns + layout.widest_tile) * layout.rows()));
  add(kWrite, static_cast<double>(q_h * q_w * layout.rows()));
  add(kRow, static_cast<double>(q_h * layout.axes[0].stride() * layout.axes[1].stride()));
}

Index positions_of(const CallAxis& axis) {
  return std::max<Index>(axis.q_end() - axis.q_begin(), 1);
}

/// All strips of q positions; the last ones along h and d may have fewer.
void charge_all(Bill& bill, const NarrowLayout& layout, const CallAxis (&axes)[3], Index batches,
                const Index (&q)[3]) {
  const double beside = static_cast<double>(ceil_div(positions_of(axes[2]), q[2])) *
                        static_cast<double>(std::max<Index>(batches, 1));
  const auto along = [&](int axis, auto charge) {
    const Index all = positions_of(axes[axis]), whole = ceil_div(all, q[axis]) - 1;
    if (whole > 0) charge(q[axis], static_cast<double>(whole));
    charge(all - whole * q[axis], 1.0);
  };
  along(0, [&](Index q_d, double count_d) {
    along(1, [&](Index q_h, double count_h) {
      charge_strip(bill, layout, q_d, q_h, q[2], beside * count_d * count_h);
    });
  });
}

}  // namespace

StripShape choose_strips(const NarrowLayout& layout, const CallAxis (&axes)[3], Index batches,
                         Index least_strips) {
  const Index q[3] = {positions_of(axes[0]), positions_of(axes[1]), positions_of(axes[2])};
  const Index columns = most_columns(layout);

  StripShape shape;
  double least = std::numeric_limits<double>::infinity();
  // More positions along d share planes; then each has fewer rows.
  for (Index depth = 1; depth <= std::min(q[0], kMostDepth); depth *= 2) {
    const Index positions = strip_positions(layout) / (depth + span(layout, 0));
    // Whole rows where they fit, else whole tiles.
    Index width = std::min({q[2], positions / (1 + span(layout, 1)) - span(layout, 2), columns});
    if (width < 1) break;
    if (width < q[2] && width > layout.column_step) width -= width % layout.column_step;
    const Index pitch = width + span(layout, 2);
    const Index most_h = std::clamp<Index>(
        std::min(positions / pitch - span(layout, 1), (columns - width) / pitch + 1), 1, q[1]);
    // Fewer strips copy less; more may fill their last tiles better.
    // Those beside one another along the other axes count as well; their product may overflow.
    Index least_h = least_strips;
    for (const Index beside : {ceil_div(q[2], width), ceil_div(q[0], depth), batches}) {
      least_h = ceil_div(least_h, std::max<Index>(beside, 1));
    }
    const Index fewest = std::min(q[1], std::max(ceil_div(q[1], most_h), least_h));
    for (Index strips = fewest; strips < fewest + kStripCounts && strips <= q[1]; ++strips) {
      const Index tried[3] = {depth, ceil_div(q[1], strips), width};
      Bill bill;
      charge_all(bill, layout, axes, batches, tried);
      if (bill.total >= least) continue;
      least = bill.total;
      std::copy(std::begin(tried), std::end(tried), shape.q);
    }
  }
  for (int axis = 0; axis < 3; ++axis) shape.pitch[axis] = shape.q[axis] + span(layout, axis);
  shape.plane =
      plane_elements(layout, shape.pitch[0] * shape.pitch[1] * shape.pitch[2] + layout.widest_tile);
  return shape;
}

void charge_strips(Bill& bill, const NarrowLayout& layout, const CallAxis (&axes)[3],
                   Index batches) {
  const StripShape shape = choose_strips(layout, axes, batches, 1);
  charge_all(bill, layout, axes, batches, shape.q);
}

}  // namespace upconv::UPCONV_ABI::internal
