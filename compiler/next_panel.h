// Which tiles of a compiled layer ask for the weights that come next (generators/prefetch.h).
#pragma once

#include "plan.h"

namespace upconv::compiler {

/// True where the weights of a layer are more than a cache holds, on targets that have hints.
bool has_far_weights(const LayerPlan& plan);

/// The tallest tiles of a part ask: where the weights of the layer are more than a cache holds, and
/// a tile has the time, as in the library (cmake/UpconvKernels.cmake): with fused multiply-adds,
/// and many vectors for each pixel.
bool wants_next_panel(const LayerPlan& plan, const PlannedPart& part);

}  // namespace upconv::compiler
