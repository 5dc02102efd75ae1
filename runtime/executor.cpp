#include "upconv/executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

/// True as soon as `happened` is, if that is soon. Going to sleep and being woken takes longer than
/// many calls of a layer, which follow each other closely.
template <typename Happened>
bool happens_soon(Happened happened) {
  constexpr auto kSoon = std::chrono::microseconds(50);
  constexpr int kLooks = 32;
  static const bool alone = std::thread::hardware_concurrency() == 1;
  if (alone) return false;
  const auto end = std::chrono::steady_clock::now() + kSoon;
  do {
    for (int look = 0; look < kLooks; ++look) {
      if (happened()) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

/// One job at a time: run() publishes it under `lock`, the workers and the caller take tasks from
/// it until none is left, and run() waits for the last to finish. Each begins with the task of its
/// own number, the caller with 0, if it comes in time: what that task had in cache in the job
/// before may still be there.
struct ThreadPool::State {
  /// The pool whose task this thread is in, if any.
  static thread_local const State* current;

  std::mutex turn;  // held by the one caller whose job is running
  std::mutex lock;  // guards what follows
  std::condition_variable wake, done;
  const std::function<void(int)>* task = nullptr;
  std::vector<char> taken;  // of the job's tasks
  std::size_t first = 0;    // those before it are taken
  int left = 0;             // not taken
  // Written under `lock`; looked at without it, too.
  std::atomic<int> running{0};
  std::atomic<int> job{0};  // changes with every job
  std::atomic<bool> stopping{false};
  std::exception_ptr error;  // the first that a task threw
  std::vector<std::thread> workers;

  /// Runs tasks of the current job until none is left. `guard` holds `lock` on entry and on exit.
  void help(std::unique_lock<std::mutex>& guard, std::size_t own) {
    while (task != nullptr && left > 0) {
      while (taken[first]) ++first;
      const std::size_t mine = own < taken.size() && !taken[own] ? own : first;
      taken[mine] = 1;
      --left;
      const std::function<void(int)>& run = *task;
      ++running;
      guard.unlock();
      std::exception_ptr thrown;
      const State* outer = std::exchange(current, this);
      try {
        run(static_cast<int>(mine));
      } catch (...) {
        thrown = std::current_exception();
      }
      current = outer;
      guard.lock();
      if (thrown && !error) error = thrown;
      if (--running == 0 && left == 0) done.notify_all();
    }
  }

  void work(std::size_t own) {
    std::unique_lock guard(lock);
    while (!stopping) {
      help(guard, own);
      if (stopping) break;
      const int last = job;
      guard.unlock();
      const bool soon = happens_soon([&] { return job != last || stopping; });
      guard.lock();
      if (soon) continue;
      wake.wait(guard, [&] { return stopping || (task != nullptr && left > 0); });
    }
  }

  void stop() {
    {
      const std::lock_guard guard(lock);
      stopping = true;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }
};

thread_local const ThreadPool::State* ThreadPool::State::current = nullptr;

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                "ThreadPool: threads is " + std::to_string(threads) + "; it must be at least 1");
  }
  try {
    for (int n = 1; n < threads; ++n) {
      state_->workers.emplace_back([this, n] { state_->work(static_cast<std::size_t>(n)); });
    }
  } catch (const std::exception& error) {
    state_->stop();
    throw Error(ErrorKind::kOutOfMemory, "ThreadPool: the system refused one of " +
                                             std::to_string(threads) + " threads: " + error.what());
  }
}

ThreadPool::~ThreadPool() { state_->stop(); }

int ThreadPool::threads() const noexcept { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run(int count, const std::function<void(int)>& task) {
  if (State::current == state_.get()) {
    // A task of this pool that uses the pool: waiting for a turn would wait for itself.
    for (int n = 0; n < count; ++n) task(n);
    return;
  }
  const std::lock_guard turn(state_->turn);
  std::unique_lock guard(state_->lock);
  state_->taken.assign(static_cast<std::size_t>(std::max(count, 0)), 0);
  state_->first = 0;
  state_->left = static_cast<int>(state_->taken.size());
  state_->task = &task;
  ++state_->job;
  state_->wake.notify_all();
  state_->help(guard, 0);
  if (state_->running != 0) {
    guard.unlock();
    happens_soon([&] { return state_->running == 0; });
    guard.lock();
  }
  state_->done.wait(guard, [&] { return state_->running == 0; });
  state_->task = nullptr;
  if (state_->error) std::rethrow_exception(std::exchange(state_->error, nullptr));
}

}  // namespace upconv::UPCONV_ABI
