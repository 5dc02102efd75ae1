// The functions of a layer that multiplies first: loops over inputs and taps around their
// pipelines.
#pragma once

#include "Halide.h"
#include "plan.h"
#include "scatter_leaves.h"

namespace upconv::compiler {

/// Adds `NAME_run` and, unless weights are constants, `NAME_pack`.
void add_scatter_functions(Halide::Module& module, const LayerPlan& plan,
                           const ScatterLeaves& leaves);

}  // namespace upconv::compiler
