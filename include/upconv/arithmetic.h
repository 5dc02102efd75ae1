// Arithmetic: whether a layer may use fast algorithms, which multiply less and round differently.
#pragma once

#include <optional>
#include <string_view>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

enum class Arithmetic {
  /// What is expected to be faster of two ways that sum in another order: Winograd's algorithm
  /// (Toom-Cook transforms), only with transforms whose root mean square error is measured below 4
  /// times that of kDirect, and products of all taps that are added afterwards, whose error is
  /// about
  /// that of kDirect or smaller (docs/accuracy.md). Results are bitwise equal for every number of
  /// threads and in every run; they may depend, within that error, on extents, batch and window. A
  /// NaN or an infinity in the input may also reach outputs up to 7 positions away per axis.
  kFast,
  /// One fixed order of summation (bias, taps, input channels), whatever the extents, the batch and
  /// the window: bitwise the same for all of these too. Non-finite inputs reach what sees them.
  kDirect,
};

/// "fast", "direct".
std::string_view to_string(Arithmetic arithmetic);

/// The Arithmetic of that name, or nothing.
std::optional<Arithmetic> parse_arithmetic(std::string_view name);

}  // namespace upconv::UPCONV_ABI
