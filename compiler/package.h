// The text files beside a compiled library: header, C++ wrapper, manifest, CMake and pkg-config.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "chain.h"
#include "plan.h"

namespace upconv::compiler {

/// A file of a package: its path inside the prefix, and its text.
struct PackageFile {
  std::filesystem::path path;
  std::string text;
};

/// NAME.h: the C ABI, documented.
std::string c_header(const std::vector<LayerPlan>& variants);
/// NAME.hpp: the same as a C++17 class. @param layers those that NAME_run runs, one or several
std::string cxx_header(const std::string& name, const std::vector<const LayerPlan*>& layers);
/// NAME_upconv.hpp: the same as an upconv::ConvolutionTranspose.
std::string library_header(const LayerPlan& plan);
/// NAME.json: what was decided, sizes in bytes, and the command that makes it again.
std::string manifest(const std::vector<LayerPlan>& variants, std::uintmax_t library_bytes,
                     const std::vector<std::string>& command);
/// NAME.json of layers that run one after the other: what they are, and sizes in bytes.
std::string chain_manifest(const Chain& chain, std::uintmax_t library_bytes,
                           const std::vector<std::string>& command);
/// NAMEConfig.cmake and NAME.pc.
std::vector<PackageFile> package_files(const std::string& name);

}  // namespace upconv::compiler
