// Prefetches of compiled x86 code: to which cache they bring a line.
#pragma once

#include <string>

namespace upconv::compiler {

/// Makes the prefetches of an x86-64 ELF object bring their lines to the second-level cache, as the
/// library's do (cmake/UpconvKernels.cmake). Halide has only the prefetch for data that is used
/// once (prefetchnta), whose lines Intel's processors keep out of that cache: every tile would
/// fetch its weights from memory.
/// @param assembly the same code as LLVM prints it: it says which bytes are prefetches, and is
///        changed alike
/// @return false, and both are as they were, where that is not certain
bool bring_nearer(std::string& object, std::string& assembly);

}  // namespace upconv::compiler
