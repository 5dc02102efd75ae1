#include "narrow_plan.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "boxes_time.h"
#include "expected_time.h"
#include "finite.h"
#include "hints.h"
#include "narrow_groups.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

using internal::ceil_div;
using internal::Phase;

/// Of phases with taps: more is code that takes long to make and is no better than vectors of
/// channels. And of all phases.
constexpr Index kMostRows = 64, kMostRowsInAll = 128;

// Costs in vector multiply-adds at full rate (a core does two a cycle), fitted on AVX2. Of elements
// they are those of 32 bytes: what moves them does not gain by wider vectors.
constexpr double kCopyCost = 9;      ///< x into planes
constexpr double kMoveCost = 3;      ///< of a plane to the next strip
constexpr double kWriteCost = 8;     ///< sums to y
constexpr double kPlaneRowCost = 6;  ///< a row of a plane, beside its elements
constexpr double kRowCost = 100;     ///< a row of y
constexpr double kCallCost = 200;

constexpr Index kBlockBytes = Index{12} * 1024;

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
  const double move = real(bytes) / 32;  // of an element
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
      if (planar + sums > most && (planar + sums > 2 * most || height > 1)) break;
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
      const double row_moves = real(ci) * real(pitch) * move;
      double time = tiles * vector_cost +
                    real(slices) * in_rows * (row_moves * kCopyCost + real(ci) * kPlaneRowCost) +
                    real(slices) * (all_h - 1) * real(h.span()) * row_moves * kMoveCost +
                    real(h.positions) * (real(rows) * real(width) * move * kWriteCost +
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

/// Why a layer cannot be computed so; empty: it may be.
std::string reason_against(const LayerPlan& plan) {
  Index rows = plan.output_size(), all_rows = rows;
  double inputs = 1;
  for (const PlannedAxis& axis : plan.axes) {
    if (!axis.input) return "an extent of x is an argument of the call";
    if (axis.window.output < 1) return "the output is empty";
    rows *= std::min(static_cast<Index>(axis.phases.with_taps().size()), kMostRows + 1);
    all_rows *= std::min(axis.axis.stride, kMostRowsInAll + 1);
    if (rows > kMostRows || all_rows > kMostRowsInAll) {
      return "phases and output channels are more than " + std::to_string(kMostRows) +
             " rows, or with those that no tap reaches more than " + std::to_string(kMostRowsInAll);
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
    // As the other strategies are: one tap has too little to compute while lines come from memory.
    if (waits_for_lines(own) && has_one_tap(own)) narrow.time += far_time(own);
    if (narrow.time == std::numeric_limits<double>::infinity()) {
      reason = "its rows are too many for registers, or a strip of x for the cache";
    }
  }
  if (!reason.empty()) {
    if (!asked) return;
    throw Error(
        ErrorKind::kUnsupported,
        plan.spec.checked.label + ": " + reason +
            "; --strategy narrow takes layers with finite weights, spatial extents that "
            "are constants, and few output channels: with all phases that have taps at most " +
            std::to_string(kMostRows));
  }
  if (!asked && narrow.time >= expected_time(plan)) return;
  own.parts.clear();
  own.packed_elements = place(narrow, own);
  own.narrow = std::make_shared<const NarrowPlan>(std::move(narrow));
  plan = std::move(own);
}

}  // namespace upconv::compiler
