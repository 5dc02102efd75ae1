// The same bits, whoever computes them: any number of threads, any executor, any cut of the batch,
// any window, any call.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261123;

/// Runs tasks one by one, the last first, and counts what it is asked for.
class Backwards final : public Executor {
 public:
  void run(int count, const std::function<void(int)>& task) override {
    const std::lock_guard guard(lock_);
    ++runs;
    most_tasks = std::max(most_tasks, count);
    for (int n = count; n-- > 0;) task(n);
  }
  int runs = 0;
  int most_tasks = 0;

 private:
  std::mutex lock_;
};

/// Large enough that a call uses four threads (the first has over 50e6 multiply-adds), with tails
/// everywhere.
std::vector<Problem> large_problems() {
  return {
      {.batch = {5},
       .input = {20, 22},
       .input_size = 24,
       .output_size = 41,
       .filter = {5, 5},
       .strides = {2, 2},
       .dilations = {1, 1},
       .padding = "SAME",
       .pairs = {},
       .output_padding = {}},
      {.batch = {3},
       .input = {1777},
       .input_size = 16,
       .output_size = 31,
       .filter = {7},
       .strides = {3},
       .dilations = {2},
       .padding = "",
       .pairs = {{4, -3}},
       .output_padding = {}},
      {.batch = {5},
       .input = {7, 8, 9},
       .input_size = 13,
       .output_size = 21,
       .filter = {3, 3, 3},
       .strides = {2, 1, 2},
       .dilations = {1, 2, 1},
       .padding = "VALID",
       .pairs = {},
       .output_padding = {}},
  };
}

class Determinism : public testing::TestWithParam<Isa> {};

TEST_P(Determinism, EveryNumberOfThreadsAndExecutorGivesTheSameBits) {
  ThreadPool two(2), four(4);
  Backwards backwards;
  for (const Problem& problem : large_problems()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const char* activation = dtype == DType::kFloat32 ? "tanh" : "relu";
      Random random(kSeed);
      const Case c = make_case(problem, dtype, Values::kNormal, random);
      const ConvolutionTranspose layer = layer_of(c, GetParam(), activation);
      const Tensor x = c.input();
      const Tensor serial = layer(x);
      SCOPED_TRACE(problem.text() + " " + std::string(to_string(dtype)));
      for (int threads = 2; threads <= 4; ++threads) {
        for (Executor* executor :
             std::initializer_list<Executor*>{nullptr, &two, &four, &backwards}) {
          EXPECT_TRUE(same_bits(layer(x, {.threads = threads, .executor = executor}), serial))
              << threads << " threads";
        }
      }
      const ConstTensorView added = serial;
      EXPECT_TRUE(
          same_bits(layer(x, {.threads = 4, .residual = added}), layer(x, {.residual = added})));
    }
  }
  EXPECT_EQ(backwards.most_tasks, 4) << "the problems are too small to be cut into four tasks";
}

TEST_P(Determinism, OneThreadNeedsNoExecutor) {
  Backwards executor;
  Random random(kSeed);
  const Case c = make_case(large_problems()[0], DType::kFloat32, Values::kNormal, random);
  const ConvolutionTranspose layer = layer_of(c, GetParam());
  layer(c.input(), {.threads = 1, .executor = &executor});
  EXPECT_EQ(executor.runs, 0);
  layer(c.input(), {.threads = 3, .executor = &executor});
  EXPECT_EQ(executor.runs, 1);
  EXPECT_LE(executor.most_tasks, 3);
}

TEST_P(Determinism, RepeatedCallsGiveTheSameBits) {
  for (const Problem& problem : large_problems()) {
    Random random(kSeed + 1);
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam(), "gelu");
    const Tensor x = c.input();
    const Tensor first = layer(x, {.threads = 2});
    for (int n = 0; n < 5; ++n) {
      EXPECT_TRUE(same_bits(layer(x, {.threads = 2}), first)) << problem.text();
    }
  }
}

TEST_P(Determinism, AnImageOfABatchHasTheBitsItHasAlone) {
  for (std::uint64_t n = 0; n < 150; ++n) {
    Random random(kSeed + n);
    Problem problem = random_problem(random);
    problem.batch = {draw(random, 2, 5)};
    const DType dtype = n % 3 == 2 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(problem, dtype, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam(), n % 2 == 0 ? "linear" : "sigmoid");
    const Tensor x = c.input();
    const Tensor all = layer(x);
    for (Index image = 0; image < problem.batch[0]; ++image) {
      EXPECT_TRUE(same_bits(layer(slice(x, 0, image, 1)), slice(all, 0, image, 1)))
          << "image " << image << ", seed " << kSeed + n << ", " << problem.text();
    }
  }
}

TEST_P(Determinism, AWindowHasTheBitsOfTheFullResult) {
  for (std::uint64_t n = 0; n < 200; ++n) {
    Random random(2 * kSeed + n);
    Problem problem = random_problem(random);
    problem.padding.clear();
    problem.output_padding.reset();
    problem.pairs.assign(problem.input.size(), {0, 0});
    const Case full = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const Tensor y = layer_of(full, GetParam(), "softplus")(full.input());
    Case cropped = full;
    ConstTensorView expected = y;
    for (std::size_t axis = 0; axis < problem.input.size(); ++axis) {
      const std::size_t at = problem.batch.size() + axis;
      const Index length = expected.shape()[at];
      const Index begin = draw(random, 0, length - 1);
      const Index end = draw(random, 0, length - 1 - begin);
      cropped.problem.pairs[axis] = {begin, end};
      expected = slice(expected, at, begin, length - begin - end);
    }
    EXPECT_TRUE(same_bits(layer_of(cropped, GetParam(), "softplus")(cropped.input()), expected))
        << "seed " << 2 * kSeed + n << ", " << cropped.problem.text();
  }
}

TEST_P(Determinism, TheBatchMayBeAnyNumberOfAxes) {
  for (std::uint64_t n = 0; n < 60; ++n) {
    Random random(3 * kSeed + n);
    Problem problem = random_problem(random);
    problem.batch = {12};
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam());
    const Tensor x = c.input(), y = layer(x);
    for (const std::vector<Index>& batch :
         std::vector<std::vector<Index>>{{3, 4}, {2, 1, 6}, {2, 2, 3, 1}}) {
      Case other = c;
      other.problem.batch = batch;
      const Tensor got = layer(other.input());
      EXPECT_TRUE(same_bits(ConstTensorView(got.data(), got.dtype(), y.shape()), y))
          << "seed " << 3 * kSeed + n << ", " << other.problem.text();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Determinism, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
