// Layers that one of Halide's autoschedulers schedules, in the place of schedules/layer_tiles.h.
#pragma once

#include <string>

#include "Halide.h"
#include "leaf.h"
#include "plan.h"

namespace upconv::compiler {

/// @throws Error kInvalidArgument for a name that is none, or one that makes schedules for GPUs
///         alone; the message lists what there is.
void check_autoscheduler(const std::string& name, const TargetInfo& target);

/// The layer as plan.autoscheduler schedules it: (packed, x) -> y, with what it keeps between
/// stages at `heap`, a pointer aligned to kHeapAlignment. @param heap_bytes is set to how much
/// @param constant the packed weights, where they are constants
/// @throws Error kUnsupported where the autoscheduler fails, or Halide has none of its plugins
Leaf autoscheduled_layer(Halide::Module& module, const LayerPlan& plan,
                         const Halide::Buffer<void>& constant, const std::string& heap,
                         Index& heap_bytes);

}  // namespace upconv::compiler
