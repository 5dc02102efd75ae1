// Memory that shows when something beside it was written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "upconv/tensor.h"

namespace upconv::test {

/// 64-byte aligned memory of exactly `size` bytes, each `fill`, with guards around it.
class Guarded {
 public:
  explicit Guarded(std::size_t size, unsigned char fill)
      : memory_(DType::kFloat64, {static_cast<Index>((size + 2 * kGuard) / 8 + 1)}), size_(size) {
    std::memset(memory_.data(), kUntouched, static_cast<std::size_t>(memory_.size()) * 8);
    std::memset(bytes().data(), fill, size);
  }

  std::span<std::byte> bytes() { return {static_cast<std::byte*>(memory_.data()) + kGuard, size_}; }

  bool guards_are_whole() const {
    const auto* first = static_cast<const unsigned char*>(memory_.data());
    const auto* last = first + static_cast<std::size_t>(memory_.size()) * 8;
    const auto is_guard = [](unsigned char byte) { return byte == kUntouched; };
    return std::all_of(first, first + kGuard, is_guard) &&
           std::all_of(first + kGuard + size_, last, is_guard);
  }

 private:
  static constexpr std::size_t kGuard = 4096;
  static constexpr unsigned char kUntouched = 0x5A;

  Tensor memory_;
  std::size_t size_;
};

}  // namespace upconv::test
