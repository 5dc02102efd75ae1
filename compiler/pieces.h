// Whether a layer is summed in pieces: one tap, and some input channels, at a time, with the sums
// in y between pieces (runtime/wide_pieces.h has the reasons).
#pragma once

#include "plan.h"

namespace upconv::compiler {

/// Input channels of a piece; 0 where sums in pieces do not pay, or their order would be another
/// one: with direct arithmetic and padded blocks of channels, whose sums y cannot hold. Extents
/// that a call will tell are taken as large.
int piece_inputs(const LayerPlan& plan);

}  // namespace upconv::compiler
