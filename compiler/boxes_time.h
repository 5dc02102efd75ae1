// What a layer that is summed in boxes or in pieces is expected to take.
#pragma once

#include "plan.h"

namespace upconv::compiler {

/// A vector of y, written: what every strategy does, and beside which what it does else is small
/// where there is little to sum.
inline constexpr double kOutputTime = 9;

/// Time of a register tile of so many pixels for a row of weights, in vector multiply-adds at full
/// rate.
double tile_time(const TileRow& row, int height);

/// What a call whose outputs take one tap waits for x and y where these are in memory. (With more,
/// products take long beside it.)
double far_time(const LayerPlan& plan);

/// Time of a call by `wide` or `combined`, in those. All spatial extents are constants; images that
/// are an argument count as one. It does not depend on this machine.
double boxes_time(const LayerPlan& plan, bool in_pieces);

}  // namespace upconv::compiler
