// A malloc that fails on purpose. The program that links failing_malloc.cpp has it in place of the
// C library's, for its own code, the library's, the standard library's, libzip's and zlib's.
#pragma once

namespace upconv::test {

/// While it lives, allocations of all threads are counted, and one of them, or all from one on,
/// return null.
class FailingMalloc {
 public:
  /// @param first number of the allocation that fails, from 0. @param and_later all after it, too.
  FailingMalloc(long first, bool and_later);
  FailingMalloc(const FailingMalloc&) = delete;
  FailingMalloc& operator=(const FailingMalloc&) = delete;
  ~FailingMalloc();

  /// Whether there was such an allocation.
  static bool failed();
};

/// Blocks that are in use, of all threads.
long blocks_in_use();

/// Allocations since the program began.
long allocations();

}  // namespace upconv::test
