// A planned layer to files.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "chain.h"
#include "plan.h"

namespace upconv::compiler {

/// What `--emit` adds to a package, in its folder `emit`.
enum class Emit { kStmt, kAssembly, kLlvm, kHtml };

/// Compiles a layer into the folder `prefix`, which exists:
///
///   lib/libNAME.a  include/NAME.h  include/NAME.hpp  include/NAME_upconv.hpp  share/NAME.json
///   lib/cmake/NAME/NAMEConfig.cmake  lib/pkgconfig/NAME.pc
///
/// @param variants of one layer: for one target, or several among which it chooses (choose.h);
///        their heap_bytes are set
/// @param command for the manifest: what makes the same again
/// @return its objects, in the folder `objects`, which is the caller's to remove
/// @throws Error kIo
std::vector<std::filesystem::path> compile_layer(std::vector<LayerPlan>& variants,
                                                 const std::filesystem::path& prefix,
                                                 const std::set<Emit>& emit,
                                                 const std::vector<std::string>& command);

/// The same files for the layers of a chain as one, of which `objects` are those of the layers.
/// @throws Error kIo
void compile_chain(const Chain& chain, const std::vector<std::filesystem::path>& objects,
                   const std::filesystem::path& prefix, const std::vector<std::string>& command);

}  // namespace upconv::compiler
