// What all initialisers do: refuse arguments, and fill a tensor element by element.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "upconv/error.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// @throws Error kInvalidArgument with "who: text".
[[noreturn]] inline void refuse(std::string_view who, const std::string& text) {
  throw Error(ErrorKind::kInvalidArgument, std::string(who) + ": " + text);
}

inline void require_finite(std::string_view who, std::string_view name, double value) {
  if (!std::isfinite(value)) {
    refuse(who, std::string(name) + " is " + std::to_string(value) + "; it must be finite");
  }
}

/// A tensor whose element i, in C order, is `make(i)` rounded to the dtype.
template <typename Make>
Tensor filled(const Dims& shape, DType dtype, const Make& make) {
  Tensor tensor(dtype, shape);
  if (dtype == DType::kFloat32) {
    const std::span<float> values = tensor.values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(make(static_cast<Index>(i)));
    }
  } else {
    const std::span<double> values = tensor.values<double>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = make(static_cast<Index>(i));
  }
  return tensor;
}

}  // namespace upconv::UPCONV_ABI::internal
