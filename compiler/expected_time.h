// What a planned layer is expected to take: what strategies are chosen by.
#pragma once

#include "plan.h"
#include "winograd_layout.h"

namespace upconv::compiler {

/// The layer as the library sees it, with the extents of the plan, which are constants.
internal::LayerFacts library_facts(const LayerPlan& plan);

/// Time of a call, in vector multiply-adds at full rate. All spatial extents are constants; images
/// that are an argument count as one. It does not depend on this machine.
double expected_time(const LayerPlan& plan);

/// The same of a call with transforms.
/// @param axes of the layer itself
double expected_time(const internal::WinogradLayout& layout, const internal::CallAxis (&axes)[3],
                     Index images);

}  // namespace upconv::compiler
