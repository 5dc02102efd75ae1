// Threads: who runs the tasks that a call is cut into.
#pragma once

#include <functional>
#include <memory>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// Runs tasks for a call. Implement it to use a thread pool of your own.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Calls task(0) ... task(count - 1), each exactly once, on any threads and in any order, the
  /// calling thread included, and returns when all have returned. `task` does not throw. Several
  /// threads may call run at the same time.
  virtual void run(int count, const std::function<void(int)>& task) = 0;
};

/// A plain pool of std::threads. The calling thread works too, so a pool of n starts n - 1 threads.
/// Of up to n tasks, each thread has the same in every job (the caller the first) unless it comes
/// late: another takes it then. Between jobs a thread looks for the next one for about 50
/// microseconds before it sleeps. Calls from several threads take turns; a task that uses its own
/// pool runs inline. What a task throws comes out of run() when all tasks have returned. The
/// destructor joins. Do not use a pool in a child after fork(): its threads stay in the parent.
class ThreadPool final : public Executor {
 public:
  /// @throws Error kInvalidArgument when threads < 1, kOutOfMemory when the system refuses them.
  explicit ThreadPool(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;
  void run(int count, const std::function<void(int)>& task) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace upconv::UPCONV_ABI
