// Random numbers: counter-based, so that element i of a tensor depends on the seed and i only.
#pragma once

#include <cstdint>

#include "upconv/shape.h"

namespace upconv::UPCONV_ABI::internal {

/// Uniform on [0, 1), a multiple of 2^-53.
double standard_uniform(std::uint64_t seed, Index index);

double standard_normal(std::uint64_t seed, Index index);

/// Within two standard deviations.
double truncated_standard_normal(std::uint64_t seed, Index index);

}  // namespace upconv::UPCONV_ABI::internal
