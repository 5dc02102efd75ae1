// fork(): a child computes what its parent does, whatever the parent's threads are at.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "checks.h"
#include "sanitized.h"

namespace upconv::test {
namespace {

/// Runs `body` in a child of this process; its exit status, or -1 when it was ended by a signal
/// (after 60 seconds, in case it hangs).
int in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class Fork : public testing::Test {
 protected:
  const ConvolutionTranspose layer_{
      {.input_size = 16, .output_size = 24, .filter_shape = 4, .strides = 2}};
  const Tensor x_ =
      initializers::normal()({4, 30, 30, 16}, DType::kFloat32);  // enough for 3 threads
  const Tensor y_ = layer_(x_);
};

TEST_F(Fork, AChildComputesTheSameBitsWithItsOwnThreads) {
  ThreadPool pool(3);
  layer_(x_, {.threads = 3, .executor = &pool});  // the parent has threads, the child has not
  EXPECT_EQ(in_child([&] {
              ThreadPool own(3);
              bool same = static_cast<bool>(same_bits(layer_(x_), y_));
              same = same && same_bits(layer_(x_, {.threads = 3}), y_);
              same = same && same_bits(layer_(x_, {.threads = 3, .executor = &own}), y_);
              return same;
            }),
            0);
  EXPECT_TRUE(same_bits(layer_(x_, {.threads = 3, .executor = &pool}), y_));
}

TEST_F(Fork, AChildMakesLayersAndPacksForEveryIsa) {
  EXPECT_EQ(in_child([&] {
              const ConvolutionTranspose copy = layer_;
              bool same = true;
              for (const Isa isa : isas()) {
                same = same && same_bits(copy(x_, {.isa = isa}), layer_(x_, {.isa = isa}));
              }
              return same;
            }),
            0);
}

TEST_F(Fork, AChildMayCallALayerThatOtherThreadsAreCalling) {
  if (kSanitized) GTEST_SKIP() << "a lock of the sanitizer's allocator may be held at the fork";
#if defined(UPCONV_EMULATED)
  GTEST_SKIP() << "QEMU's own locks may be held at the fork: a program without this library hangs";
#endif
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  busy.reserve(2);
  for (int n = 0; n < 2; ++n) {
    busy.emplace_back([&] {
      while (!stop) layer_(x_, {.threads = 2});
    });
  }
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(in_child([&] {
                return same_bits(layer_(x_), y_) && same_bits(layer_(x_, {.threads = 2}), y_);
              }),
              0);
  }
  stop = true;
  for (std::thread& thread : busy) thread.join();
}

}  // namespace
}  // namespace upconv::test
