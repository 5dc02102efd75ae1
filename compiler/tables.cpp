#include "tables.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "phases.h"
#include "segments.h"
#include "whole_layer.h"

namespace upconv::compiler {

namespace {

using generators::kSegmentColumns;
using Halide::Buffer;
using Halide::Func;
using Halide::Param;
using internal::AxisPhases;
using internal::CallAxis;
using internal::Phase;
using internal::Segment;

using Row = std::array<int, kSegmentColumns>;

const PlannedAxis& axis_of(const LayerPlan& plan, int axis) {
  return plan.axes[static_cast<std::size_t>(axis)];
}

int number(Index value) { return static_cast<int>(value); }

/// A row of outputs that are whole, or of combined phases those from `low` to below `high`.
Row row_of(const PlannedAxis& axis, const Phase& phase, const Segment& segment, Index low = 0,
           Index high = 1) {
  return {number(segment.begin),
          number(segment.end),
          number(phase.taps_before + segment.tap_begin),
          number(segment.tap_end - segment.tap_begin),
          number(-phase.origin - segment.tap_begin * axis.phases.input_step()),
          number(phase.residue - axis.window.offset),
          number(low),
          number(high)};
}

/// The rows of each phase that has outputs; where gaps are filled, of those that taps reach.
std::vector<std::vector<Row>> segment_rows(const LayerPlan& plan, int n_axis) {
  const PlannedAxis& axis = axis_of(plan, n_axis);
  std::vector<std::vector<Row>> rows;
  const Index width = axis.combined, offset = axis.window.offset, output = axis.window.output;
  const CallAxis call{&axis.phases, *axis.input, axis.positions()};
  call.for_each_phase([&](const Phase& phase) {
    if (plan.fills_gaps && phase.taps == 0) return;
    std::vector<Row>& of = rows.emplace_back();
    internal::for_each_segment(
        call, phase, call.q_begin(), call.q_end(), [&](const Segment& segment) {
          if (plan.fills_gaps && segment.tap_begin == segment.tap_end) return;
          if (width == 1) {
            of.push_back(row_of(axis, phase, segment));
            return;
          }
          // Blocks that the window cuts are rows of their own.
          const Index whole_end = internal::floor_div(offset + output, width);
          for (Segment rest = segment; rest.begin < segment.end; rest.begin = rest.end) {
            const Index low = std::max<Index>(0, offset - rest.begin * width);
            const Index high = std::min(width, offset + output - rest.begin * width);
            const bool cut = low > 0 || high < width;
            rest.end = cut ? rest.begin + 1 : std::min(segment.end, whole_end);
            of.push_back(row_of(axis, phase, rest, low, high));
          }
        });
  });
  return rows;
}

/// A row for every tap.
std::vector<Row> reach_rows(const PlannedAxis& axis) {
  const CallAxis call{&axis.phases, *axis.input, axis.window};
  std::vector<Row> rows;
  for (const Phase& phase : axis.phases.with_taps()) {
    for (Index j = 0; j < phase.taps; ++j) {
      rows.push_back(row_of(axis, phase,
                            internal::reach_of_tap(call, phase, j, call.q_begin(), call.q_end())));
    }
  }
  return rows;
}

std::vector<std::vector<Row>> known_rows(const LayerPlan& plan, int axis) {
  if (plan.in_pieces()) return {reach_rows(axis_of(plan, axis))};
  return segment_rows(plan, axis);
}

/// Phases of an axis whose rows are a table's.
Index walked_phases(const LayerPlan& plan, const AxisPhases& phases) {
  return plan.fills_gaps ? static_cast<Index>(phases.with_taps().size()) : phases.stride();
}

}  // namespace

Func constants(const std::vector<int>& values) {
  Buffer<int> buffer(static_cast<int>(values.size()));
  std::copy(values.begin(), values.end(), buffer.begin());
  Halide::Var i("i");
  Func f;
  f(i) = buffer(i);
  return f;
}

TableShape table_shape(const LayerPlan& plan, int axis) {
  const PlannedAxis& of = axis_of(plan, axis);
  if (plan.in_pieces()) return {1, number(of.phases.filter())};
  if (!of.input) {
    // Two ends for every tap cut the outputs of a phase; the window's first and last block, too.
    const Index parts = of.combined > 1 ? 3 : 1;
    return {number(walked_phases(plan, of.phases)),
            number(parts * (2 * of.phases.most_taps() + 1))};
  }
  TableShape shape{0, 0};
  for (const std::vector<Row>& phase : segment_rows(plan, axis)) {
    ++shape.phases;
    shape.rows = std::max(shape.rows, static_cast<int>(phase.size()));
  }
  return shape;
}

Buffer<int> known_table(const LayerPlan& plan, int axis) {
  const TableShape shape = table_shape(plan, axis);
  // An empty output has no rows: nothing is walked.
  Buffer<int> table(kSegmentColumns, std::max(1, shape.phases * shape.rows));
  table.fill(0);
  int first = 0;
  for (const std::vector<Row>& phase : known_rows(plan, axis)) {
    int at = first;
    for (const Row& row : phase) {
      for (int column = 0; column < kSegmentColumns; ++column) {
        table(column, at) = row[static_cast<std::size_t>(column)];
      }
      ++at;
    }
    first += shape.rows;
  }
  return table;
}

Leaf add_table(Halide::Module& module, const LayerPlan& plan, int axis) {
  const PlannedAxis& planned = axis_of(plan, axis);
  const AxisPhases& phases = planned.phases;
  std::vector<int> residues, taps, before, origin;
  for (Index residue = 0; residue < phases.stride(); ++residue) {
    const Phase phase = phases.phase(residue);
    if (plan.fills_gaps && phase.taps == 0) continue;
    residues.push_back(number(residue));
    taps.push_back(number(phase.taps));
    before.push_back(number(phase.taps_before));
    origin.push_back(number(phase.origin));
  }
  std::vector<int> residue, reach;
  for (const Phase& phase : phases.with_taps()) {
    for (Index j = 0; j < phase.taps; ++j) {
      residue.push_back(number(phase.residue));
      reach.push_back(number(phase.origin + j * phases.input_step()));
    }
  }
  Param<int> input("input"), output("output"), offset("offset");
  Func table = plan.in_pieces()
                   ? generators::reach_table({.residue = constants(residue),
                                              .reach = constants(reach),
                                              .taps = number(phases.filter()),
                                              .stride = number(phases.stride()),
                                              .input = input,
                                              .output = output,
                                              .offset = offset})
                   : generators::segment_table({.residue = constants(residues),
                                                .taps = constants(taps),
                                                .taps_before = constants(before),
                                                .origin = constants(origin),
                                                .phases = number(walked_phases(plan, phases)),
                                                .combined = number(planned.combined),
                                                .stride = number(phases.stride()),
                                                .step = number(phases.input_step()),
                                                .most_taps = number(phases.most_taps()),
                                                .input = input,
                                                .output = output,
                                                .offset = offset});
  const TableShape shape = table_shape(plan, axis);
  table.output_buffer().dim(0).set_bounds(0, kSegmentColumns);
  table.output_buffer().dim(1).set_bounds(0, shape.phases * shape.rows).set_stride(kSegmentColumns);
  Leaf leaf(module, plan.spec.name + "_segments_" + std::to_string(axis), table, {},
            {input, output, offset});
  leaf.writes("table");
  return leaf;
}

Index first_table_row(const LayerPlan& plan, int axis) {
  Index row = 0;
  for (int before = 0; before < axis; ++before) {
    if (axis_of(plan, before).input) continue;
    const TableShape shape = table_shape(plan, before);
    row += Index{shape.phases} * shape.rows;
  }
  return row;
}

Index table_rows(const LayerPlan& plan) { return first_table_row(plan, 3); }

}  // namespace upconv::compiler
