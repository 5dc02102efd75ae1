// A layer for several instruction sets in one library: NAME_run takes the best that the processor
// has.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "Halide.h"
#include "plan.h"

namespace upconv::compiler {

/// What NAME_isa returns, in ascending order: each has all that those before it have.
enum RunIsa { kIsaNone = 0, kIsaSse41 = 1, kIsaAvx2 = 2, kIsaAvx512 = 3 };

/// The targets that `sse41+avx2` names, least first; one where there is no `+`.
/// @throws Error kInvalidArgument for targets among which no library can choose.
std::vector<std::string> split_targets(const std::string& name);

/// The plan of one of them: its functions are NAME_sse41_run and so on.
LayerPlan variant_of(LayerPlan plan);

/// NAME_run and, unless weights are constants, NAME_pack: they call those of the best variant.
/// @param variants of the layer `name`, least first
Halide::Module choosing_module(const std::string& name, const std::vector<LayerPlan>& variants);

/// Writes the object that has NAME_isa.
void write_isa_object(const std::string& name, const std::filesystem::path& path);

}  // namespace upconv::compiler
