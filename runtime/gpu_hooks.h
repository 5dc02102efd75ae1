// What Halide's GPU run time says when something fails, for the call that it happened in.
#pragma once

#include <cstddef>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI::internal {

/// The `user_context` of every call into the run time.
struct GpuReport {
  static constexpr std::size_t kMost = 240;
  char text[kMost] = {};  ///< what was said first, on one line; empty when all went well
};

}  // namespace upconv::UPCONV_ABI::internal
