// The functions of a compiled layer that its header declares: a few statements that call pipelines.
#pragma once

#include "Halide.h"
#include "pipelines.h"
#include "plan.h"

namespace upconv::compiler {

/// What `NAME_run` and `NAME_pack` return.
enum RunStatus {
  kRunDone = 0,
  kRunBadExtent = 1,  ///< an extent is below 1, or the output's would be negative
  kRunTooLarge = 2,   ///< input or output has more than 2147483647 elements
  kRunNoIsa = 3,      ///< of a library that chooses: the processor has none of its instruction sets
  kPackNotFinite = 4,  ///< a weight is infinite or NaN, and the strategy cannot take it
};

/// Adds `NAME_run` and, unless weights are constants, `NAME_pack`.
void add_functions(Halide::Module& module, const LayerPlan& plan, const LayerPipelines& pipelines);

/// The arguments of NAME_run and of NAME_pack.
std::vector<Halide::Internal::LoweredArgument> run_arguments(const LayerPlan& plan);
std::vector<Halide::Internal::LoweredArgument> pack_arguments(const LayerPlan& plan);

/// An argument of such a function: a number, or a pointer (Halide::Handle()).
Halide::Internal::LoweredArgument argument(const std::string& name, Halide::Type type);

/// The output length of upconv/shape.h for an input length, both 64-bit integers.
Halide::Expr output_length(const Axis& axis, const Halide::Expr& input);

/// `images`, `depth`, `height` and `width`: those that are arguments of NAME_run, in its order.
std::vector<std::string> extent_arguments(const LayerPlan& plan);

}  // namespace upconv::compiler
