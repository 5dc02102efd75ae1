// The functions of a layer of few output channels: loops over strips, rows and groups around its
// pipelines.
#pragma once

#include "Halide.h"
#include "narrow_leaves.h"
#include "plan.h"

namespace upconv::compiler {

/// Adds `NAME_run` and, unless weights are constants, `NAME_pack`.
void add_narrow_functions(Halide::Module& module, const LayerPlan& plan,
                          const NarrowLeaves& leaves);

}  // namespace upconv::compiler
