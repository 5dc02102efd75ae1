// How many random cases a property is tried on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace upconv::test {

/// `count`, or UPCONV_TEST_CASES_PERCENT of it and at least one where that is set: an emulator
/// takes ten times as long.
inline std::uint64_t cases(std::uint64_t count) {
  const char* const percent = std::getenv("UPCONV_TEST_CASES_PERCENT");
  if (percent == nullptr) return count;
  return std::max<std::uint64_t>(1, count * std::strtoull(percent, nullptr, 10) / 100);
}

}  // namespace upconv::test
