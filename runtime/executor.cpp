#include "upconv/executor.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "upconv/error.h"

namespace upconv {

/// One job at a time: run() publishes it under `lock`, the workers and the caller take task numbers
/// from it until none is left, and run() waits for the last to finish.
struct ThreadPool::State {
  std::mutex turn;  // held by the one caller whose job is running
  std::mutex lock;  // guards what follows
  std::condition_variable wake, done;
  const std::function<void(int)>* task = nullptr;
  int next = 0;
  int count = 0;
  int running = 0;
  bool stopping = false;
  std::vector<std::thread> workers;

  /// Runs tasks of the current job until none is left. `guard` holds `lock` on entry and on exit.
  void help(std::unique_lock<std::mutex>& guard) {
    while (task != nullptr && next < count) {
      const int mine = next++;
      const std::function<void(int)>& run = *task;
      ++running;
      guard.unlock();
      run(mine);
      guard.lock();
      if (--running == 0 && next >= count) done.notify_all();
    }
  }

  void work() {
    std::unique_lock guard(lock);
    while (!stopping) {
      help(guard);
      if (stopping) break;
      wake.wait(guard, [&] { return stopping || (task != nullptr && next < count); });
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

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                "ThreadPool: threads is " + std::to_string(threads) + "; it must be at least 1");
  }
  try {
    for (int n = 1; n < threads; ++n) state_->workers.emplace_back([this] { state_->work(); });
  } catch (const std::system_error& error) {
    state_->stop();
    throw Error(ErrorKind::kOutOfMemory,
                "ThreadPool: the system refused one of " + std::to_string(threads) +
                    " threads: " + error.what());
  }
}

ThreadPool::~ThreadPool() { state_->stop(); }

int ThreadPool::threads() const noexcept { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run(int count, const std::function<void(int)>& task) {
  const std::lock_guard turn(state_->turn);
  std::unique_lock guard(state_->lock);
  state_->task = &task;
  state_->next = 0;
  state_->count = count;
  state_->wake.notify_all();
  state_->help(guard);
  state_->done.wait(guard, [&] { return state_->running == 0; });
  state_->task = nullptr;
}

}  // namespace upconv
