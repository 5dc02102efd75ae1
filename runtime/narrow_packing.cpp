#include "narrow_packing.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "finite.h"
#include "narrow_strip.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// More would take more to describe and to keep than they are worth.
constexpr Index kMostRows = 4096;
constexpr Index kMostTaps = 4096;                                         ///< per axis
constexpr std::size_t kMostPieces = 256;                                  ///< of a set
constexpr Index kMostWeights = std::numeric_limits<std::int32_t>::max();  ///< of a set

/// The residues and channel of a row.
struct Row {
  Index residue[3] = {};
  Index channel = 0;
};

Row row_of(const LayerFacts& facts, Index m) {
  Row row;
  row.channel = m % facts.output_size;
  m /= facts.output_size;
  for (int axis = 2; axis >= 0; --axis) {
    row.residue[axis] = m % facts.axes[axis].stride();
    m /= facts.axes[axis].stride();
  }
  return row;
}

/// Tiles of exactly `count` rows, of least cost.
std::vector<NarrowTile> choose_tiles(Index count, std::span<const TileKernel> kernels) {
  struct Choice {
    double cost = std::numeric_limits<double>::infinity();
    const TileKernel* last = nullptr;
  };
  std::vector<Choice> best(static_cast<std::size_t>(count) + 1);
  best[0].cost = 0;
  for (std::size_t n = 1; n < best.size(); ++n) {
    for (const TileKernel& kernel : kernels) {
      const std::size_t pixels = static_cast<std::size_t>(kernel.pixels);
      if (pixels > n) continue;
      const double cost = best[n - pixels].cost + kernel.pixels * kernel.cost / kernel.vectors;
      if (cost < best[n].cost) best[n] = {cost, &kernel};
    }
  }
  std::vector<NarrowTile> tiles;
  for (Index left = count; left > 0; left -= tiles.back().kernel->pixels) {
    tiles.push_back({best[static_cast<std::size_t>(left)].last, 0});
  }
  std::sort(tiles.begin(), tiles.end(), [](const NarrowTile& a, const NarrowTile& b) {
    return a.kernel->pixels > b.kernel->pixels;  // the highest first
  });
  Index first = 0;
  for (NarrowTile& tile : tiles) {
    tile.first = first;
    first += tile.kernel->pixels;
  }
  return tiles;
}

/// Taps [begin, end) of an axis that the same phases have.
struct TapRange {
  Index begin = 0;
  Index end = 0;
};

/// Cuts the taps of phases where their number changes.
std::vector<TapRange> tap_ranges(std::vector<Index> counts) {
  std::sort(counts.begin(), counts.end());
  std::vector<TapRange> ranges;
  Index begin = 0;
  for (const Index count : counts) {
    if (count > begin) ranges.push_back({begin, count});
    begin = count;
  }
  return ranges;
}

/// Splits ranges into single taps.
std::vector<TapRange> single_taps(const std::vector<TapRange>& ranges) {
  std::vector<TapRange> singles;
  for (const TapRange& range : ranges) {
    for (Index tap = range.begin; tap < range.end; ++tap) singles.push_back({tap, tap + 1});
  }
  return singles;
}

/// Adds the pieces of those rows of a set (indices within it) whose phases have this origin.
/// @return false when there are too many
bool add_pieces(NarrowLayout& layout, NarrowSet& set, const Index (&origin)[3],
                const std::vector<std::int32_t>& rows) {
  const auto phase_of = [&](std::int32_t row, int axis) {
    return layout.axes[axis].phase(row_of(layout, set.first + row).residue[axis]);
  };
  std::vector<TapRange> ranges[3];
  for (int axis = 0; axis < 3; ++axis) {
    std::vector<Index> counts;
    counts.reserve(rows.size());
    for (const std::int32_t row : rows) counts.push_back(phase_of(row, axis).taps);
    ranges[axis] = tap_ranges(std::move(counts));
  }
  // A row sums its taps in row-major order, so where an inner axis is cut, those around it go tap
  // by tap.
  const bool cut_w = ranges[2].size() > 1;
  if (cut_w) ranges[1] = single_taps(ranges[1]);
  if (cut_w || ranges[1].size() > 1) ranges[0] = single_taps(ranges[0]);

  if (set.pieces.size() + ranges[0].size() * ranges[1].size() * ranges[2].size() > kMostPieces) {
    return false;
  }
  for (const TapRange& d : ranges[0]) {
    for (const TapRange& h : ranges[1]) {
      for (const TapRange& w : ranges[2]) {
        const TapRange* range[3] = {&d, &h, &w};
        NarrowPiece piece;
        for (const std::int32_t row : rows) {
          bool has = true;
          for (int axis = 0; axis < 3; ++axis) has &= phase_of(row, axis).taps >= range[axis]->end;
          if (has) piece.rows.push_back(row);
        }
        if (piece.rows.empty()) continue;
        for (int axis = 0; axis < 3; ++axis) {
          piece.first_tap[axis] = range[axis]->begin;
          piece.taps[axis] = range[axis]->end - range[axis]->begin;
          piece.reach[axis] = origin[axis] + range[axis]->begin * layout.axes[axis].input_step();
        }
        set.pieces.push_back(std::move(piece));
      }
    }
  }
  return true;
}

/// @return false when the set has too many pieces
bool add_set(NarrowLayout& layout, Index first, Index count) {
  NarrowSet set{.first = first, .count = count, .pieces = {}};
  using Origin = std::tuple<Index, Index, Index>;
  std::map<Origin, std::vector<std::int32_t>> by_origin;
  for (Index m = 0; m < count; ++m) {
    const Row row = row_of(layout, first + m);
    Phase phase[3];
    for (int axis = 0; axis < 3; ++axis) phase[axis] = layout.axes[axis].phase(row.residue[axis]);
    // Rows without taps are bias alone.
    if (phase[0].taps == 0 || phase[1].taps == 0 || phase[2].taps == 0) continue;
    by_origin[{phase[0].origin, phase[1].origin, phase[2].origin}].push_back(
        static_cast<std::int32_t>(m));
  }
  for (const auto& [origin, rows] : by_origin) {
    const auto& [d, h, w] = origin;
    if (!add_pieces(layout, set, {d, h, w}, rows)) return false;
  }
  layout.sets.push_back(std::move(set));
  return true;
}

/// Places a piece's weights, chooses its tiles and adds their cost.
void place(NarrowLayout& layout, NarrowPiece& piece, std::span<const TileKernel> kernels) {
  const Index taps = piece.taps[0] * piece.taps[1] * piece.taps[2];
  const Index row_weights = taps * layout.input_size;
  piece.offset = layout.weights;
  for (std::size_t row = 0; row < piece.rows.size(); ++row) {
    piece.weights.push_back(static_cast<std::int32_t>(static_cast<Index>(row) * row_weights));
  }
  layout.weights += static_cast<Index>(piece.rows.size()) * row_weights;
  piece.tiles = choose_tiles(static_cast<Index>(piece.rows.size()), kernels);
  for (const NarrowTile& tile : piece.tiles) {
    const TileKernel& kernel = *tile.kernel;
    const Index columns = layout.lanes * kernel.vectors;
    auto width = std::find_if(layout.widths.begin(), layout.widths.end(),
                              [&](const auto& other) { return other.columns == columns; });
    if (width == layout.widths.end()) width = layout.widths.insert(width, {columns, 0, 0});
    width->cost +=
        static_cast<double>(row_weights) * kernel.pixels * kernel.time(layout.vector_time);
    width->taps += static_cast<double>(taps);
    layout.column_step = std::lcm(layout.column_step, columns);
    layout.widest_tile = std::max(layout.widest_tile, columns);
    ++layout.tiles;
  }
}

}  // namespace

Index NarrowLayout::rows() const {
  return axes[0].stride() * axes[1].stride() * axes[2].stride() * output_size;
}

std::optional<NarrowLayout> narrow_layout(const LayerFacts& facts) {
  NarrowLayout layout;
  static_cast<LayerFacts&>(layout) = facts;
  const std::span<const TileKernel> kernels = rows_for(narrow_kernels(), facts.dtype, facts.isa);
  if (kernels.empty()) return std::nullopt;
  for (int axis = 0; axis < 3; ++axis) {
    const AxisPhases& phases = facts.axes[axis];
    if (phases.stride() > kMostRows || phases.filter() > kMostTaps) return std::nullopt;
    layout.reach_least[axis] = std::numeric_limits<Index>::max();
    for (const Phase& phase : phases.with_taps()) {
      const Index last = phase.origin + (phase.taps - 1) * phases.input_step();
      layout.reach_most[axis] = std::max(layout.reach_most[axis], last);
      layout.reach_least[axis] = std::min(layout.reach_least[axis], phase.origin);
    }
  }
  if (facts.output_size > kMostRows || layout.rows() > kMostRows) return std::nullopt;
  if (facts.taps() * facts.input_size > kMostWeights / kSetRows) return std::nullopt;
  if (!strips_fit(layout)) return std::nullopt;

  for (Index first = 0; first < layout.rows(); first += kSetRows) {
    if (!add_set(layout, first, std::min(kSetRows, layout.rows() - first))) return std::nullopt;
  }
  layout.lanes = kernels.front().lanes;
  for (NarrowSet& set : layout.sets) {
    for (NarrowPiece& piece : set.pieces) place(layout, piece, kernels);
  }
  // With many input channels, the columns that only fill up the last tile are what a strip is.
  const Index most = 2 * target_sizes(facts.isa).strip_bytes;
  if (planar_elements(layout) * static_cast<Index>(size_of(facts.dtype)) > most) {
    return std::nullopt;
  }
  return layout;
}

namespace {

template <Element T>
void pack_all(const NarrowLayout& layout, const T* kernel, T* packed) {
  for (const NarrowSet& set : layout.sets) {
    for (const NarrowPiece& piece : set.pieces) {
      for (const std::int32_t m : piece.rows) {
        const Row row = row_of(layout, set.first + m);
        Index first[3], step[3];
        for (int axis = 0; axis < 3; ++axis) {
          const AxisPhases& phases = layout.axes[axis];
          step[axis] = phases.tap_step();
          first[axis] =
              phases.phase(row.residue[axis]).first_tap + piece.first_tap[axis] * step[axis];
        }
        for (Index jd = 0; jd < piece.taps[0]; ++jd) {
          for (Index jh = 0; jh < piece.taps[1]; ++jh) {
            for (Index jw = 0; jw < piece.taps[2]; ++jw) {
              const Index tap =
                  ((first[0] + jd * step[0]) * layout.axes[1].filter() + first[1] + jh * step[1]) *
                      layout.axes[2].filter() +
                  first[2] + jw * step[2];
              const T* from = kernel + tap * layout.input_size * layout.output_size + row.channel;
              for (Index ci = 0; ci < layout.input_size; ++ci) {
                *packed++ = from[ci * layout.output_size];
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace

std::optional<Tensor> pack_narrow(const NarrowLayout& layout, const Tensor& kernel) {
  if (!all_finite(kernel)) return std::nullopt;
  Tensor packed(layout.dtype, {layout.weights}, layout.memory);
  if (layout.dtype == DType::kFloat32) {
    pack_all(layout, kernel.values<float>().data(), packed.values<float>().data());
  } else {
    pack_all(layout, kernel.values<double>().data(), packed.values<double>().data());
  }
  return packed;
}

}  // namespace upconv::UPCONV_ABI::internal
