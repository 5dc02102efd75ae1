#include "narrow_groups.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace upconv::compiler {

namespace {

using internal::Phase;

/// More is code that takes long to make and is no better than vectors of channels.
constexpr std::size_t kMostPieces = 96;

// Costs in vector multiply-adds at full rate (a core does two a cycle), fitted on AVX2.
constexpr double kLoadCost = 1.45;    ///< of a load in a register tile
constexpr double kLatency = 8;        ///< of sums that wait for themselves
constexpr double kTileCost = 30;      ///< of a register tile beside its sums, for each piece
constexpr double kTileTime = 1.1;     ///< of a register tile, to what it would take alone
constexpr double kFarTileTime = 1.4;  ///< the same where x and weights leave the nearest cache
constexpr double kNearBytes = 65536;

/// A range of phases or taps.
struct Range {
  int begin = 0, end = 0;
};

/// Taps of these phases, cut where their number changes; one by one where that is asked for.
std::vector<Range> tap_ranges(const NarrowAxis& axis, int first, int phases, bool single) {
  std::vector<Range> ranges;
  int begin = 0;
  for (int n = phases; n-- > 0;) {  // fewest taps first
    const auto taps = static_cast<int>((axis.phases.begin() + first + n)->taps);
    while (begin < taps) {
      const int end = single ? begin + 1 : taps;
      ranges.push_back({begin, end});
      begin = end;
    }
  }
  return ranges;
}

/// Sets the pieces of a group.
void add_pieces(NarrowGroup& group, const LayerPlan& plan, const std::array<NarrowAxis, 3>& axes) {
  // A row sums its taps in row-major order, so where an inner axis is cut, those around it go tap
  // by tap.
  std::array<std::vector<Range>, 3> ranges;
  bool single = false;
  for (std::size_t axis = 3; axis-- > 0;) {
    ranges[axis] = tap_ranges(axes[axis], group.first[axis], group.phases[axis], single);
    single = single || ranges[axis].size() > 1;
  }
  for (const Range& d : ranges[0]) {
    for (const Range& h : ranges[1]) {
      for (const Range& w : ranges[2]) {
        const std::array<Range, 3> range = {d, h, w};
        generators::PieceSums piece;
        std::array<int, 3> first_taps;
        for (std::size_t axis = 0; axis < 3; ++axis) {
          const auto first = axes[axis].phases.begin() + group.first[axis];
          piece.taps[axis] = range[axis].end - range[axis].begin;
          first_taps[axis] = range[axis].begin;
          piece.phases[axis] =
              static_cast<int>(std::count_if(first, first + group.phases[axis], [&](const auto& p) {
                return p.taps >= range[axis].end;
              }));
          // Where they are in planes is known when the strips are.
          piece.steps[axis] = static_cast<int>(plan.axes[axis].phases.input_step());
          for (int n = 0; n < piece.phases[axis]; ++n) {
            piece.columns[axis].push_back(
                static_cast<int>(axes[axis].reach_most - (first + n)->origin -
                                 range[axis].begin * plan.axes[axis].phases.input_step()));
          }
        }
        group.pieces.push_back(std::move(piece));
        group.first_taps.push_back(first_taps);
      }
    }
  }
}

/// Cost of a vector of columns of a tile of all rows of a group.
double tile_cost(const NarrowGroup& group, const LayerPlan& plan, int vectors) {
  const double v = vectors;
  // A load that does not begin at a vector's multiple touches two cache lines at times.
  const double lines =
      1 + static_cast<double>(plan.target.lanes) * static_cast<double>(plan.element_bytes()) / 64;
  double cost = 0;
  for (const generators::PieceSums& piece : group.pieces) {
    const double rows = piece.phases[0] * piece.phases[1] * piece.phases[2] * group.channels;
    const double taps = piece.taps[0] * piece.taps[1] * piece.taps[2];
    cost += taps * static_cast<double>(plan.input_size()) *
                std::max({rows * v, (v * lines + rows) * kLoadCost, kLatency}) +
            kTileCost;
  }
  // Rows of x that all taps reach, and the weights.
  double rows_h = 1, weights = group.channels;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto most = static_cast<double>(
        plan.axes[axis].phases.with_taps().empty() ? 0 : plan.axes[axis].phases.most_taps());
    if (axis < 2) rows_h *= most;
    weights *= most * group.phases[axis];
  }
  const double bytes = static_cast<double>(plan.input_size()) *
                       static_cast<double>(plan.element_bytes()) *
                       (rows_h * v * static_cast<double>(plan.target.lanes) + weights);
  const double time = bytes > kNearBytes ? kFarTileTime : kTileTime;
  return (cost * time + group.rows() * v * 2) / v;
}

/// Takes the tile of least cost that fits the registers. @return its cost
double choose_vectors(NarrowGroup& group, const LayerPlan& plan) {
  double least = std::numeric_limits<double>::infinity();
  const int rows = group.rows();
  for (int vectors = 1; vectors <= 12; ++vectors) {
    if (rows * vectors + std::min(rows, vectors) + 1 > plan.target.tile_registers()) break;
    const double cost = tile_cost(group, plan, vectors);
    if (cost >= least) continue;
    least = cost;
    group.vectors = vectors;
  }
  return least;
}

/// Ways to cut the phases of an axis: as one, or where taps change, and then into runs of at most
/// so many.
std::vector<std::vector<Range>> partitions(int count, const std::function<bool(int)>& changes,
                                           int most_run) {
  std::vector<std::vector<Range>> all;
  for (const bool by_taps : {false, true}) {
    for (int most = 1; most <= std::min(count, most_run); ++most) {
      std::vector<Range> cut;
      for (int begin = 0; begin < count;) {
        int end = begin + 1;
        while (end < count && !(by_taps && changes(end))) ++end;
        // Runs of about the same length.
        const int parts = (end - begin + most - 1) / most;
        for (int n = 0; n < parts; ++n) {
          const int size = (end - begin) / (parts - n) + ((end - begin) % (parts - n) != 0 ? 1 : 0);
          cut.push_back({begin, begin + size});
          begin += size;
        }
      }
      const auto same = [&](const std::vector<Range>& other) {
        return std::equal(cut.begin(), cut.end(), other.begin(), other.end(),
                          [](Range a, Range b) { return a.begin == b.begin && a.end == b.end; });
      };
      if (std::none_of(all.begin(), all.end(), same)) all.push_back(std::move(cut));
    }
  }
  return all;
}

}  // namespace

double choose_groups(NarrowPlan& narrow, const LayerPlan& plan) {
  std::array<std::vector<std::vector<Range>>, 4> ways;
  const int most = plan.target.tile_registers() - 3;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::vector<Phase>& phases = narrow.axes[axis].phases;
    ways[axis] = partitions(
        static_cast<int>(phases.size()),
        [&](int n) {
          return phases[static_cast<std::size_t>(n)].taps !=
                 phases[static_cast<std::size_t>(n) - 1].taps;
        },
        most);
  }
  ways[3] = partitions(
      static_cast<int>(plan.output_size()), [](int) { return false; }, most);
  double least = std::numeric_limits<double>::infinity();
  for (const auto& d : ways[0]) {
    for (const auto& h : ways[1]) {
      for (const auto& w : ways[2]) {
        for (const auto& c : ways[3]) {
          std::vector<NarrowGroup> groups;
          double cost = 0;
          std::size_t pieces = 0;
          for (const Range& in_d : d) {
            for (const Range& in_h : h) {
              for (const Range& in_w : w) {
                for (const Range& in_c : c) {
                  if (cost >= least) continue;
                  NarrowGroup group{.first = {in_d.begin, in_h.begin, in_w.begin},
                                    .phases = {in_d.end - in_d.begin, in_h.end - in_h.begin,
                                               in_w.end - in_w.begin},
                                    .first_channel = in_c.begin,
                                    .channels = in_c.end - in_c.begin};
                  if (group.rows() > most) {
                    cost = std::numeric_limits<double>::infinity();
                    continue;
                  }
                  add_pieces(group, plan, narrow.axes);
                  pieces += group.pieces.size();
                  cost += choose_vectors(group, plan);
                  groups.push_back(std::move(group));
                }
              }
            }
          }
          if (cost >= least || pieces > kMostPieces) continue;
          least = cost;
          narrow.groups = std::move(groups);
        }
      }
    }
  }
  return least;
}

}  // namespace upconv::compiler
