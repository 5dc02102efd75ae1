// The tables that a compiled layer walks: an axis' outputs, cut where the taps that they reach
// change.
#pragma once

#include "Halide.h"
#include "leaf.h"
#include "plan.h"

namespace upconv::compiler {

/// How a walk goes through the rows of a table: phase by phase.
struct TableShape {
  int phases = 1;
  int rows = 1;  ///< of each phase; some may be empty
};

/// In pieces an axis has a row for every tap, in packed order, all of one "phase": the outputs that
/// reach it.
TableShape table_shape(const LayerPlan& plan, int axis);

/// The table of an axis whose extents are known: (column, row).
Halide::Buffer<int> known_table(const LayerPlan& plan, int axis);

/// A pipeline (input, output, offset) -> table of an axis whose extents are arguments.
Leaf add_table(Halide::Module& module, const LayerPlan& plan, int axis);

/// The first row, of all tables that are made in a call, of an axis' own; and those of all.
Index first_table_row(const LayerPlan& plan, int axis);
Index table_rows(const LayerPlan& plan);

/// A constant list as a function (i).
Halide::Func constants(const std::vector<int>& values);

}  // namespace upconv::compiler
