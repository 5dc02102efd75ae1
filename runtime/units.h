// Units of a call, shared out among threads: a range of them to each, the same in every call, so
// that a thread meets the x, weights and y again that its cache may still hold. Who is done with
// his own range helps with the others'.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <span>

#include "upconv/executor.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// More threads than this would only wait for each other.
inline constexpr int kMostThreads = 256;

/// How far every thread's range is claimed, by itself and those who help.
class Ranges {
 public:
  /// The next unit of a range, counted from its first; past its end when there is none.
  Index claim(int range) {
    return next_[static_cast<std::size_t>(range)].value.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  struct alignas(64) Counter {
    std::atomic<Index> value{0};
  };
  std::array<Counter, kMostThreads> next_;
};

/// The units of a range, of so many in all.
struct Range {
  Index begin = 0;
  Index end = 0;

  Range(Index units, int range, int ranges)
      : begin(units * range / ranges), end(units * (range + 1) / ranges) {}
};

/// start(scratch, range) gives what runs units of a range, one of `threads`: run(n) its n-th, n
/// ascending, or false when it has no more. One thread is a plain loop, without the executor.
/// @param scratch of all threads, `share` bytes each
template <typename Start>
void for_each_range(int threads, Executor* executor, std::span<std::byte> scratch,
                    std::size_t share, Start start) {
  if (threads == 1) {
    auto run = start(scratch, 0);
    for (Index n = 0; run(n);) ++n;
    return;
  }
  Ranges ranges;
  executor->run(threads, [&](int thread) {
    const auto mine = scratch.subspan(static_cast<std::size_t>(thread) * share, share);
    for (int n = 0; n < threads; ++n) {
      const int range = (thread + n) % threads;
      auto run = start(mine, range);
      while (run(ranges.claim(range))) continue;
    }
  });
}

/// Runs units 0 to `units` - 1, each once. start(scratch) gives what runs the units that a thread
/// claims of one range, in ascending order.
template <typename Start>
void for_each_unit(Index units, int threads, Executor* executor, std::span<std::byte> scratch,
                   std::size_t share, Start start) {
  for_each_range(threads, executor, scratch, share, [&](std::span<std::byte> mine, int range) {
    return [of = Range(units, range, threads), run = start(mine)](Index n) mutable {
      if (n >= of.end - of.begin) return false;
      run(of.begin + n);
      return true;
    };
  });
}

/// For units that are found by walking all of them: asked about each in turn, says whether a thread
/// runs it. A thread walks twice: first those of its own range, then those of the others'.
class Claims {
 public:
  /// @param cost of all units
  Claims(Ranges& ranges, int threads, double cost, int thread, bool own)
      : ranges_(ranges), per_cost_(threads / cost), threads_(threads), thread_(thread), own_(own) {}

  bool operator()(double cost) {
    const int range = std::min(static_cast<int>(done_ * per_cost_), threads_ - 1);
    done_ += cost;
    if (range != range_) {
      range_ = range;
      at_ = 0;
      claimed_ = (range == thread_) == own_ ? ranges_.claim(range) : kNone;
    }
    if (at_++ != claimed_) return false;
    claimed_ = ranges_.claim(range);
    return true;
  }

 private:
  static constexpr Index kNone = -1;

  Ranges& ranges_;
  double per_cost_, done_ = 0;
  int threads_, thread_, range_ = -1;
  bool own_;
  Index at_ = 0, claimed_ = kNone;  ///< units of the range: where the walk is; the one to run next
};

}  // namespace upconv::UPCONV_ABI::internal
