// For a program linked with --wrap=aligned_alloc and --wrap=free: every block of aligned_alloc (a
// Tensor's memory) ends at a page that nobody may touch.
#pragma once

#include <cstddef>

namespace upconv::test {

/// How many such blocks were handed out so far.
std::size_t guarded_allocations();

}  // namespace upconv::test
