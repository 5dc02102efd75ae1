// Whether weights are finite. Strategies that multiply them by zeros around x need that.
#pragma once

#include <algorithm>
#include <cmath>

#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

inline bool all_finite(const Tensor& tensor) {
  const auto holds = [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](auto v) { return std::isfinite(v); });
  };
  return tensor.dtype() == DType::kFloat32 ? holds(tensor.values<float>())
                                           : holds(tensor.values<double>());
}

}  // namespace upconv::UPCONV_ABI::internal
