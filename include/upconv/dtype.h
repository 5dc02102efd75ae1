// Element types.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// The element type of a layer's tensors, kernel and bias.
enum class DType { kFloat32, kFloat64 };

/// A C++ type that is the element type of some DType.
template <typename T>
concept Element = std::same_as<T, float> || std::same_as<T, double>;

/// The DType whose element type is T.
template <Element T>
inline constexpr DType kDTypeOf = std::same_as<T, float> ? DType::kFloat32 : DType::kFloat64;

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 4;
    case DType::kFloat64:
      return 8;
  }
  return 0;
}

/// "float32" or "float64".
constexpr std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float32";
    case DType::kFloat64:
      return "float64";
  }
  return "";
}

/// The DType of that name ("float32" or "float64").
/// @throws Error kInvalidArgument for any other name.
DType parse_dtype(std::string_view name);

}  // namespace upconv::UPCONV_ABI
