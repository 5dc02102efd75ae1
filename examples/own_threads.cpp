// Calls on threads that the program has already: a pool with a queue, and OpenMP. The results are
// those of one thread, bit by bit. `./dev build upconv_own_threads`, then
// build/bin/upconv_own_threads.
#include <upconv/upconv.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <iostream>
#include <latch>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace {

/// Stands for the program's own pool: workers that take jobs from a queue.
class Workers {
 public:
  explicit Workers(int count) {
    for (int n = 0; n < count; ++n) threads_.emplace_back([this] { work(); });
  }
  ~Workers() {
    {
      const std::lock_guard guard(lock_);
      stopping_ = true;
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void post(std::function<void()> job) {
    {
      const std::lock_guard guard(lock_);
      jobs_.push_back(std::move(job));
    }
    ready_.notify_one();
  }

 private:
  void work() {
    std::unique_lock guard(lock_);
    while (true) {
      ready_.wait(guard, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      guard.unlock();
      job();
      guard.lock();
    }
  }

  std::mutex lock_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// All an Executor must do: call each task once, and return when all have returned. The caller's
/// thread takes the first, so that a call goes on when all workers are busy elsewhere.
class OnWorkers final : public upconv::Executor {
 public:
  explicit OnWorkers(Workers& workers) : workers_(workers) {}

  void run(int count, const std::function<void(int)>& task) override {
    std::latch left(count - 1);
    for (int n = 1; n < count; ++n) {
      workers_.post([&, n] {
        task(n);
        left.count_down();
      });
    }
    task(0);
    left.wait();
  }

 private:
  Workers& workers_;
};

#ifdef _OPENMP
/// The same on OpenMP's threads.
class OnOpenMp final : public upconv::Executor {
 public:
  void run(int count, const std::function<void(int)>& task) override {
#pragma omp parallel for num_threads(count) schedule(static, 1)
    for (int n = 0; n < count; ++n) task(n);
  }
};
#endif

bool same_bits(const upconv::Tensor& a, const upconv::Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

}  // namespace

int main() {
  using namespace upconv;
  const ConvolutionTranspose2D up(
      {.input_size = 64, .output_size = 32, .filter_shape = 4, .strides = 2, .padding = "SAME"});
  const Tensor x = initializers::normal()({2, 32, 32, 64}, DType::kFloat32);
  const Tensor alone = up(x);

  Workers workers(3);
  OnWorkers pool(workers);
  bool same = same_bits(up(x, {.threads = 4, .executor = &pool}), alone);
  std::cout << "queue: " << (same ? "the same bits" : "OTHER BITS") << "\n";
#ifdef _OPENMP
  OnOpenMp open_mp;
  const bool omp_same = same_bits(up(x, {.threads = 4, .executor = &open_mp}), alone);
  std::cout << "OpenMP: " << (omp_same ? "the same bits" : "OTHER BITS") << "\n";
  same = same && omp_same;
#endif
  return same ? 0 : 1;
}
