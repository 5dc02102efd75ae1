// Units of a call: what threads claim one after the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "upconv/executor.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// Runs units 0 to `units` - 1, each once. On every thread, start(scratch) gives what runs the
/// units that the thread claims, in ascending order; one thread is a plain loop, without the
/// executor.
/// @param scratch of all threads, `share` bytes each
template <typename Start>
void for_each_unit(Index units, int threads, Executor* executor, std::span<std::byte> scratch,
                   std::size_t share, Start start) {
  if (threads == 1) {
    auto run = start(scratch);
    for (Index unit = 0; unit < units; ++unit) run(unit);
    return;
  }
  std::atomic<Index> next{0};
  executor->run(threads, [&](int thread) {
    auto run = start(scratch.subspan(static_cast<std::size_t>(thread) * share, share));
    for (Index unit; (unit = next.fetch_add(1, std::memory_order_relaxed)) < units;) run(unit);
  });
}

}  // namespace upconv::UPCONV_ABI::internal
