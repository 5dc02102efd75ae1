// The functions of a layer with transforms: loops over rounds, tiles, phases and points around
// their pipelines.
#pragma once

#include "Halide.h"
#include "plan.h"
#include "winograd_leaves.h"

namespace upconv::compiler {

/// Adds `NAME_run` and, unless weights are constants, `NAME_pack`.
void add_winograd_functions(Halide::Module& module, const LayerPlan& plan,
                            const WinogradLeaves& leaves);

}  // namespace upconv::compiler
