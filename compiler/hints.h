// Which tiles of a compiled layer ask for the weights, x and y that come next
// (generators/prefetch.h).
#pragma once

#include "plan.h"

namespace upconv::compiler {

/// So many elements of weights are more than a cache holds.
bool are_far(const LayerPlan& plan, Index weights);

/// The tallest tiles of a part ask: where the weights of the layer are more than a cache holds, and
/// a tile has the time, as in the library (cmake/UpconvKernels.cmake): with fused multiply-adds,
/// and many vectors for each pixel.
bool wants_next_panel(const LayerPlan& plan, const PlannedPart& part);

/// Of x and y of a call of constant extents, where these are more than a cache holds; else 0.
double far_bytes(const LayerPlan& plan);

/// Every output takes one tap, if any: nothing of x is read by others before.
bool has_one_tap(const LayerPlan& plan);

/// True where multiply-adds wait for x and y in memory: with AVX-512, which passes a line in half
/// the time. (With AVX2 hints cost more than they bring.)
bool waits_for_lines(const LayerPlan& plan);

/// The tallest tiles of a part ask for the next tile's x and their own y: where these are far,
/// waits_for_lines() and has_one_tap().
bool wants_next_tile(const LayerPlan& plan, const PlannedPart& part);

/// True where some tiles of the layer ask, by the prefetches of x86: also those of the strategy
/// `narrow`, for the next strip.
bool has_hints(const LayerPlan& plan);

}  // namespace upconv::compiler
