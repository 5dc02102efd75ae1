// Numbers and choices out of a fuzzer's bytes; zeros when they are used up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>

#include "upconv/tensor.h"

namespace upconv::fuzz {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  /// Any 64-bit number.
  Index any() {
    Index value = 0;
    const std::size_t size = std::min(sizeof value, left_.size());
    std::memcpy(&value, left_.data(), size);
    left_ = left_.subspan(size);
    return value;
  }
  /// One of [low, high], of one byte.
  Index small(Index low, Index high) {
    Index value = 0;
    if (!left_.empty()) {
      value = left_.front();
      left_ = left_.subspan(1);
    }
    return low + value % (high - low + 1);
  }
  /// Mostly small, at times one of the numbers at which arithmetic goes wrong, at times any.
  Index odd() {
    constexpr Index kMax = std::numeric_limits<Index>::max();
    constexpr Index kEdges[] = {-1,      0,    2147483647, 2147483648, Index{1} << 31,
                                1 << 30, kMax, -kMax - 1,  kMax / 2,   Index{1} << 62};
    switch (small(0, 7)) {
      case 0:
        return kEdges[small(0, std::size(kEdges) - 1)];
      case 1:
        return any();
      default:
        return small(-3, 40);
    }
  }
  bool flip() { return small(0, 1) == 1; }

 private:
  std::span<const std::uint8_t> left_;
};

/// Ends the process, which is what a fuzzer reports, when something that must hold does not.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace upconv::fuzz
