// Which rows of a layer of few output channels are summed in one register tile (narrow_plan.h).
#pragma once

#include "narrow_plan.h"

namespace upconv::compiler {

/// Sets the groups of least cost for all rows of `narrow`, whose axes are set. Columns of their
/// pieces are counted in inputs along each axis.
/// @return their cost for a vector of columns; infinite where rows are too many for registers
double choose_groups(NarrowPlan& narrow, const LayerPlan& plan);

}  // namespace upconv::compiler
