// The constant weights of a layer as they were given: NAME_weights.
#pragma once

#include "Halide.h"
#include "plan.h"

namespace upconv::compiler {

/// A module of `NAME_weights(kernel, bias)`, which copies the constant weights to the pointers that
/// are not null. (What NAME_run reads is in an order of its own, and may be transformed.) It is for
/// an object of its own, so that programs that do not call it do not have the weights twice;
/// whatever instruction sets NAME_run is for, it needs none.
Halide::Module weights_module(const LayerPlan& plan);

}  // namespace upconv::compiler
