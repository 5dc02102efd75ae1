// The options of a layer as C++ that makes them.
#pragma once

#include <string>

#include "plan.h"

namespace upconv::compiler {

/// An initialiser of upconv::ConvolutionTransposeOptions. Sums in the order of compiled code, so
/// that calls which the library runs give the same bits; with transforms, the library may choose
/// them, too. Constant weights come from `compiled_kernel` and `compiled_bias`, two
/// upconv::Initializer.
std::string options_text(const LayerPlan& plan);

}  // namespace upconv::compiler
