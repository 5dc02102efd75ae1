#include "narrow_plan.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "expected_time.h"
#include "finite.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

using internal::ceil_div;
using internal::Phase;

/// More is code that takes long to make and is no better than vectors of channels.
constexpr Index kMostRows = 64;
constexpr std::size_t kMostPieces = 96;

// Costs in vector multiply-adds at full rate (a core does two a cycle), of a vector of elements
// where they are of elements. Fitted on AVX2.
constexpr double kLoadCost = 1.45;  ///< of a load in a register tile
constexpr double kLatency = 8;      ///< of sums that wait for themselves
constexpr double kTileTime = 1.1;   ///< of a register tile, to what it would take alone
constexpr double kFarTileTime =
    1.4;                          ///< the same where its x and weights leave the first-level cache
constexpr double kTileCost = 30;  ///< of a register tile beside its sums, for each piece
constexpr double kCopyCost = 10;  ///< a vector of x into planes
constexpr double kMoveCost = 3;   ///< a vector of a plane to the next strip
constexpr double kWriteCost = 8;  ///< a vector of sums to y
constexpr double kPlaneRowCost = 6;  ///< a row of a plane, beside its elements
constexpr double kRowCost = 100;     ///< a row of y
constexpr double kCallCost = 200;
constexpr double kTileStoreCost = 20;  ///< of vectors of channels: a pixel's, in each row of y

constexpr Index kBlockBytes = Index{12} * 1024;
constexpr double kNearBytes = 64 * 1024;

NarrowAxis narrow_axis(const PlannedAxis& of) {
  NarrowAxis axis;
  const Index stride = of.axis.stride;
  for (Index residue = 0; residue < stride; ++residue) {
    axis.phases.push_back(of.phases.phase(residue));
  }
  std::stable_sort(axis.phases.begin(), axis.phases.end(),
                   [](const Phase& a, const Phase& b) { return a.taps > b.taps; });
  axis.order.resize(static_cast<std::size_t>(stride));
  axis.reach_least = std::numeric_limits<Index>::max();
  for (std::size_t n = 0; n < axis.phases.size(); ++n) {
    const Phase& phase = axis.phases[n];
    axis.order[static_cast<std::size_t>(phase.residue)] = static_cast<int>(n);
    if (phase.taps == 0) continue;
    const Index last = phase.origin + (phase.taps - 1) * of.phases.input_step();
    axis.reach_most = std::max(axis.reach_most, last);
    axis.reach_least = std::min(axis.reach_least, phase.origin);
  }
  const internal::CallAxis call{&of.phases, *of.input, of.window};
  axis.first_q = call.q_begin();
  axis.positions = call.q_end() - call.q_begin();
  return axis;
}

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
    const auto most = static_cast<double>(plan.axes[axis].phases.with_taps().empty()
                                              ? 0
                                              : plan.axes[axis].phases.with_taps().front().taps);
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

/// The groups of least cost for all rows. @return their cost for a vector of columns
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

/// Rounds up to an odd number of cache lines: planes then fall on all sets of a cache.
Index odd_lines(Index elements, Index element_bytes) {
  const Index line = 64 / element_bytes;
  return (ceil_div(elements, line) | 1) * line;
}

/// Whole tiles of every group, whose x is about a third of a first-level cache or more.
Index block_columns(const NarrowPlan& narrow, const LayerPlan& plan) {
  Index whole = 1, slices = 1;
  for (const NarrowGroup& group : narrow.groups) {
    whole = std::lcm(whole, Index{group.vectors} * plan.target.lanes);
  }
  for (const int axis : {0, 1}) slices *= 1 + narrow.axes[static_cast<std::size_t>(axis)].span();
  const Index bytes = slices * plan.input_size() * static_cast<Index>(plan.element_bytes());
  return whole * std::max<Index>(1, kBlockBytes / (whole * bytes));
}

/// Tiles bring the next strip's x nearer, where its rows are one run of memory: all groups' about
/// as many lines, and at most one for two input channels of every tap.
void share_ahead(NarrowPlan& narrow, const LayerPlan& plan) {
  if (narrow.strips(1) == 1 || narrow.strips(2) > 1) return;
  const Index bytes = narrow.strip_h * *plan.axes[2].input * plan.input_size() *
                      static_cast<Index>(plan.element_bytes());
  const Index columns = (narrow.strip_h - 1) * narrow.pitch[2] + narrow.strip_w;
  Index left = ceil_div(ceil_div(bytes, Index{64}), ceil_div(columns, narrow.block));  // of a block
  auto groups = static_cast<Index>(narrow.groups.size());
  for (NarrowGroup& group : narrow.groups) {
    const Index tiles = narrow.block / (Index{group.vectors} * plan.target.lanes);
    Index most = 0;
    for (const generators::PieceSums& piece : group.pieces) {
      most += Index{piece.taps[0]} * piece.taps[1] * piece.taps[2] * ceil_div(plan.input_size(), 2);
    }
    group.ahead_lines = std::min(most, ceil_div(left, tiles * groups--));
    left = std::max<Index>(0, left - group.ahead_lines * tiles);
  }
}

/// The strips of least time. @param vector_cost of all groups' tiles
/// @return the time of a call; infinite where none fits the memory that is meant for one
double choose_strips(NarrowPlan& narrow, const LayerPlan& plan, double vector_cost) {
  const auto real = [](Index value) { return static_cast<double>(value); };
  const NarrowAxis &d = narrow.axes[0], &h = narrow.axes[1], &w = narrow.axes[2];
  const auto bytes = static_cast<Index>(plan.element_bytes());
  const Index lanes = plan.target.lanes, ci = plan.input_size();
  const Index rows = plan.output_size() * plan.axes[0].axis.stride * plan.axes[1].axis.stride *
                     plan.axes[2].axis.stride;
  Index widest = 1;
  for (const NarrowGroup& group : narrow.groups) {
    widest = std::max<Index>(widest, Index{group.vectors} * lanes);
  }
  const Index slices = 1 + d.span();
  const Index most = Index{2} * plan.target.strip_bytes / bytes;  // elements
  double least = std::numeric_limits<double>::infinity();
  Index last_width = 0;
  for (Index cuts = 1; cuts <= 64 && cuts <= w.positions; ++cuts) {
    const Index width = ceil_div(w.positions, cuts);
    if (width == last_width) continue;
    last_width = width;
    // Rows are not cut where whole ones fit: a strip's x is one run of memory then.
    if (cuts > 1 && least < std::numeric_limits<double>::infinity()) break;
    const Index pitch = width + w.span();
    for (Index height = 1; height <= h.positions; ++height) {
      const Index columns = (height - 1) * pitch + width;
      const Index planar = slices * (height + h.span()) * pitch * ci;
      const Index sums = rows * (columns + widest);
      if (planar + sums > most && !(planar + sums <= 2 * most && height == 1)) break;
      const Index strips_h = ceil_div(h.positions, height);
      if (ceil_div(h.positions, strips_h) != height) continue;  // as many strips, of fewer rows
      const double tiles = [&] {
        const auto vectors = [&](Index count) {
          return real(ceil_div(count, widest)) * real(widest / lanes);
        };
        const Index rest = h.positions - (strips_h - 1) * height;
        return real(strips_h - 1) * vectors(columns) + vectors((rest - 1) * pitch + width);
      }();
      const double in_rows = real(h.positions + h.span()), all_h = real(strips_h);
      const double row_vectors = real(ci) * real(pitch) / real(lanes);
      double time = tiles * vector_cost +
                    real(slices) * in_rows * (row_vectors * kCopyCost + real(ci) * kPlaneRowCost) +
                    real(slices) * (all_h - 1) * real(h.span()) * row_vectors * kMoveCost +
                    real(h.positions) * (real(rows) * real(width) / real(lanes) * kWriteCost +
                                         real(plan.axes[0].axis.stride) *
                                             real(plan.axes[1].axis.stride) * kRowCost);
      time *= real(ceil_div(w.positions, width)) * real(d.positions) *
              real(plan.spec.images.value_or(1));
      if (time >= least) continue;
      least = time;
      narrow.strip_h = height;
      narrow.strip_w = width;
    }
  }
  narrow.widest = widest;
  narrow.block = block_columns(narrow, plan);
  share_ahead(narrow, plan);
  narrow.pitch = {slices, narrow.strip_h + h.span(), narrow.strip_w + w.span()};
  narrow.plane = odd_lines(narrow.pitch[0] * narrow.pitch[1] * narrow.pitch[2] + lanes, bytes);
  narrow.sums_step =
      odd_lines((narrow.strip_h - 1) * narrow.pitch[2] + narrow.strip_w + widest, bytes);
  return least + kCallCost;
}

/// Taps' places in planes and in the packed weights. @return elements of these
Index place(NarrowPlan& narrow, const LayerPlan& plan) {
  const std::array<int, 3> steps = {static_cast<int>(narrow.pitch[1] * narrow.pitch[2]),
                                    static_cast<int>(narrow.pitch[2]), 1};
  Index at = 0;
  for (NarrowGroup& group : narrow.groups) {
    for (generators::PieceSums& piece : group.pieces) {
      Index weights = plan.input_size() * group.channels;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        piece.steps[axis] *= steps[axis];
        for (int& column : piece.columns[axis]) column *= steps[axis];
        weights *= Index{piece.taps[axis]} * piece.phases[axis];
      }
      piece.weights_at = static_cast<int>(at);
      at += weights;
    }
  }
  narrow.bias_at = at;
  return at + plan.output_size();
}

/// Of a plan with vectors of channels, what its stores take: expected_time() counts sums, which are
/// most where channels are many.
double store_time(const LayerPlan& plan) {
  double stores = static_cast<double>(plan.spec.images.value_or(1));
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[axis];
    const double outputs = static_cast<double>(of.window.output);
    stores *= axis == 2 ? outputs / static_cast<double>(of.combined) : outputs;
  }
  return stores * kTileStoreCost;
}

/// Why a layer cannot be computed so; empty: it may be.
std::string reason_against(const LayerPlan& plan) {
  Index rows = plan.output_size();
  double inputs = 1;
  for (const PlannedAxis& axis : plan.axes) {
    if (!axis.input) return "an extent of x is an argument of the call";
    if (axis.window.output < 1) return "the output is empty";
    rows *= std::min(axis.axis.stride, kMostRows + 1);
    if (rows > kMostRows) {
      return "phases and output channels are more than " + std::to_string(kMostRows) + " rows";
    }
    inputs *= static_cast<double>((axis.axis.filter - 1) * axis.axis.dilation + 1);
  }
  inputs *= static_cast<double>(plan.input_size() * static_cast<Index>(plan.element_bytes()));
  if (inputs > 2.0 * plan.target.strip_bytes) return "an output sees too many inputs";
  if (plan.spec.kernel && !internal::all_finite(*plan.spec.kernel)) {
    return "a weight is not finite";
  }
  return {};
}

}  // namespace

Index NarrowPlan::strips(int axis) const {
  const Index size = axis == 1 ? strip_h : axis == 2 ? strip_w : 1;
  return ceil_div(axes[static_cast<std::size_t>(axis)].positions, size);
}

Index NarrowPlan::ahead_lines(Index lanes) const {
  Index lines = 0;
  for (const NarrowGroup& group : groups)
    lines += group.ahead_lines * block / (group.vectors * lanes);
  return lines;
}

Index NarrowPlan::row(int d, int h, int w, Index output_size) const {
  const auto count = [&](std::size_t axis) { return static_cast<Index>(axes[axis].phases.size()); };
  return ((d * count(1) + h) * count(2) + w) * output_size;
}

Index NarrowPlan::sums_elements(Index output_size) const {
  return row(static_cast<int>(axes[0].phases.size()), 0, 0, output_size) * sums_step;
}

void plan_narrow(LayerPlan& plan, bool asked) {
  // Phases stay phases, also where the plan combines them.
  LayerPlan own = plan;
  for (PlannedAxis& axis : own.axes) {
    axis.combined = 1;
    axis.phases = internal::AxisPhases(axis.axis.filter, axis.axis.stride, axis.axis.dilation);
  }
  std::string reason = reason_against(own);
  NarrowPlan narrow;
  if (reason.empty()) {
    for (std::size_t axis = 0; axis < 3; ++axis) narrow.axes[axis] = narrow_axis(own.axes[axis]);
    const double vector_cost = choose_groups(narrow, own);
    narrow.time = choose_strips(narrow, own, vector_cost);
    if (narrow.time == std::numeric_limits<double>::infinity()) {
      reason = "its rows are too many for registers, or a strip of x for the cache";
    }
  }
  if (!reason.empty()) {
    if (!asked) return;
    throw Error(ErrorKind::kUnsupported,
                plan.spec.checked.label + ": " + reason +
                    "; --strategy narrow takes layers with finite weights, spatial extents that "
                    "are constants, and few output channels: with all phases at most " +
                    std::to_string(kMostRows));
  }
  if (!asked && narrow.time >= expected_time(plan) + store_time(plan)) return;
  own.parts.clear();
  own.packed_elements = place(narrow, own);
  own.narrow = std::make_shared<const NarrowPlan>(std::move(narrow));
  plan = std::move(own);
}

std::vector<int> kernel_elements(const LayerPlan& plan, const NarrowGroup& group, std::size_t at) {
  const generators::PieceSums& piece = group.pieces[at];
  std::vector<int> elements;
  const auto tap_of = [&](std::size_t axis, int phase, int j) {
    const Phase& of = *(plan.narrow->axes[axis].phases.begin() + group.first[axis] + phase);
    return of.first_tap + (group.first_taps[at][axis] + j) * plan.axes[axis].phases.tap_step();
  };
  for (int j_d = 0; j_d < piece.taps[0]; ++j_d) {
    for (int j_h = 0; j_h < piece.taps[1]; ++j_h) {
      for (int j_w = 0; j_w < piece.taps[2]; ++j_w) {
        for (int d = 0; d < piece.phases[0]; ++d) {
          for (int h = 0; h < piece.phases[1]; ++h) {
            for (int w = 0; w < piece.phases[2]; ++w) {
              const Index tap = (tap_of(0, d, j_d) * plan.axes[1].axis.filter + tap_of(1, h, j_h)) *
                                    plan.axes[2].axis.filter +
                                tap_of(2, w, j_w);
              for (int c = 0; c < group.channels; ++c) {
                elements.push_back(static_cast<int>(tap * plan.input_size() * plan.output_size() +
                                                    group.first_channel + c));
              }
            }
          }
        }
      }
    }
  }
  return elements;
}

namespace {

template <Element T>
Halide::Buffer<void> pack(const LayerPlan& plan) {
  const NarrowPlan& narrow = *plan.narrow;
  Halide::Buffer<T> packed(static_cast<int>(plan.packed_elements));
  T* to = packed.data();
  const T* const kernel = plan.spec.kernel->values<T>().data();
  for (const NarrowGroup& group : narrow.groups) {
    for (std::size_t n = 0; n < group.pieces.size(); ++n) {
      const std::vector<int> elements = kernel_elements(plan, group, n);
      const generators::PieceSums& piece = group.pieces[n];
      const Index taps = Index{piece.taps[0]} * piece.taps[1] * piece.taps[2];
      const std::size_t rows = elements.size() / static_cast<std::size_t>(taps);
      for (std::size_t tap = 0; tap < elements.size(); tap += rows) {
        for (Index ci = 0; ci < plan.input_size(); ++ci) {
          for (std::size_t row = 0; row < rows; ++row) {
            *to++ = kernel[elements[tap + row] + ci * plan.output_size()];
          }
        }
      }
    }
  }
  for (Index c = 0; c < plan.output_size(); ++c) {
    *to++ = plan.spec.bias ? plan.spec.bias->values<T>()[static_cast<std::size_t>(c)] : T{0};
  }
  return packed;
}

}  // namespace

Halide::Buffer<void> pack_narrow(const LayerPlan& plan) {
  return plan.spec.dtype() == DType::kFloat32 ? pack<float>(plan) : pack<double>(plan);
}

}  // namespace upconv::compiler
