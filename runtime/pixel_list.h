// Pixels for a kernel, collected with 64-bit offsets and handed over with 32-bit ones.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "chunk.h"

namespace upconv::internal {

/// What a kernel takes of a list: pixel p begins at base[array] + offsets[array][p] of each of its
/// arrays, in elements. No offset is negative.
template <std::size_t kArrays>
struct Pixels {
  Index count = 0;
  std::array<Index, kArrays> base{};
  std::array<std::array<std::int32_t, kTablePixels>, kArrays> offsets;
};

/// Hands pixels over whenever the next would be one too many or too far away.
template <std::size_t kArrays, typename Run>
class PixelList {
 public:
  /// @param run is called with Pixels<kArrays>
  explicit PixelList(Run run) : run_(run) {}
  PixelList(const PixelList&) = delete;
  PixelList& operator=(const PixelList&) = delete;

  void add(const std::array<Index, kArrays>& at) {
    if (pixels_.count == kTablePixels || !reaches(at)) flush();
    if (pixels_.count == 0) pixels_.base = lowest_ = highest_ = at;
    for (std::size_t a = 0; a < kArrays; ++a) {
      lowest_[a] = std::min(lowest_[a], at[a]);
      highest_[a] = std::max(highest_[a], at[a]);
      pixels_.offsets[a][static_cast<std::size_t>(pixels_.count)] =
          static_cast<std::int32_t>(at[a] - pixels_.base[a]);
    }
    ++pixels_.count;
  }

  /// Hands over what is left.
  void flush() {
    if (pixels_.count == 0) return;
    for (std::size_t a = 0; a < kArrays; ++a) {
      const std::int32_t shift = static_cast<std::int32_t>(pixels_.base[a] - lowest_[a]);
      pixels_.base[a] = lowest_[a];
      if (shift == 0) continue;
      for (Index p = 0; p < pixels_.count; ++p) {
        pixels_.offsets[a][static_cast<std::size_t>(p)] += shift;
      }
    }
    run_(std::as_const(pixels_));
    pixels_.count = 0;
  }

 private:
  bool reaches(const std::array<Index, kArrays>& at) const {
    for (std::size_t a = 0; a < kArrays && pixels_.count > 0; ++a) {
      const Index span = std::max(highest_[a], at[a]) - std::min(lowest_[a], at[a]);
      if (span > kLargestOffset) return false;
    }
    return true;
  }

  Run run_;
  std::array<Index, kArrays> lowest_{}, highest_{};
  Pixels<kArrays> pixels_;
};

}  // namespace upconv::internal
