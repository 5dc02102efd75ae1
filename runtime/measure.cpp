#include "measure.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "upconv/error.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

using Clock = std::chrono::steady_clock;

template <typename Function>
double seconds_of(const Function& function) {
  const Clock::time_point start = Clock::now();
  function();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

double best_rate(int threads, const std::function<Work()>& make) {
  constexpr int kRuns = 10;
  constexpr double kRunSeconds = 5e-3;
  if (threads < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                "threads is " + std::to_string(threads) + "; it must be at least 1");
  }
  std::mutex mutex;
  double rates[kRuns] = {};
  bool failed = false;
  std::barrier start(threads);
  const auto body = [&] {
    Work work{[](std::int64_t) {}, 0};
    std::int64_t repetitions = 1;
    try {
      work = make();
      // How many repetitions fill a run; this also warms up clocks and caches.
      while (seconds_of([&] { work.run(repetitions); }) < kRunSeconds) repetitions *= 2;
    } catch (...) {
      const std::lock_guard lock(mutex);
      failed = true;
    }
    for (double& rate : rates) {
      start.arrive_and_wait();
      const double seconds = seconds_of([&] { work.run(repetitions); });
      const std::lock_guard lock(mutex);
      rate += work.amount * static_cast<double>(repetitions) / seconds;
    }
  };
  std::vector<std::thread> others;
  try {
    others.reserve(static_cast<std::size_t>(threads - 1));
    while (others.size() + 1 < static_cast<std::size_t>(threads)) others.emplace_back(body);
  } catch (const std::system_error&) {
    {
      const std::lock_guard lock(mutex);
      failed = true;
    }
    for (int missing = threads - 1 - static_cast<int>(others.size()); missing > 0; --missing) {
      start.arrive_and_drop();
    }
  }
  body();
  for (std::thread& thread : others) thread.join();
  if (failed) {
    throw Error(ErrorKind::kOutOfMemory,
                "the system refuses memory or threads for a measurement on " +
                    std::to_string(threads) + " threads");
  }
  return *std::max_element(std::begin(rates), std::end(rates));
}

}  // namespace upconv::UPCONV_ABI::internal
