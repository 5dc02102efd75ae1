// One layer called by several threads at once, with other shapes and instruction sets in each.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261130;

/// Runs body(0) ... body(count - 1), each on a thread of its own.
template <typename Body>
void at_once(int count, Body body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int n = 0; n < count; ++n) threads.emplace_back([&body, n] { body(n); });
  for (std::thread& thread : threads) thread.join();
}

Problem small_problem() {
  Problem problem;
  problem.input = {5, 6};
  problem.filter = {4, 3};
  problem.strides = {2, 2};
  problem.dilations = {1, 2};
  problem.padding = "SAME";
  problem.input_size = 9;
  problem.output_size = 29;
  return problem;
}

/// The layer's case with another input.
Case with_input(const Case& c, const std::vector<Index>& batch, const std::vector<Index>& input,
                std::uint64_t seed) {
  Case other = c;
  other.problem.batch = batch;
  other.problem.input = input;
  Random random(seed);
  other.x = make_case(other.problem, c.dtype, Values::kNormal, random).x;
  return other;
}

TEST(Concurrency, CallsWithOtherShapesAndIsasFromFourThreads) {
  Random random(kSeed);
  const Case c = make_case(small_problem(), DType::kFloat32, Values::kNormal, random);
  const ConvolutionTranspose layer = layer_of(c, isas().front(), "sigmoid");
  std::vector<Case> cases = {c, with_input(c, {2}, {9, 1}, 1), with_input(c, {}, {1, 17}, 2),
                             with_input(c, {1, 3}, {4, 4}, 3)};
  std::vector<Tensor> inputs;
  std::vector<std::vector<Tensor>> expected(cases.size());
  for (std::size_t n = 0; n < cases.size(); ++n) {
    inputs.push_back(cases[n].input());
    for (const Isa isa : isas()) expected[n].push_back(layer_of(c, isa, "sigmoid")(inputs[n]));
  }
  std::atomic<int> wrong{0};
  at_once(4, [&](int thread) {
    for (std::size_t round = 0; round < 60; ++round) {
      const std::size_t n = (round + static_cast<std::size_t>(thread)) % cases.size();
      const std::size_t isa = (round / 3 + static_cast<std::size_t>(thread)) % isas().size();
      const Tensor y = layer(inputs[n], {.isa = isas()[isa]});
      wrong += !same_bits(y, expected[n][isa]);
      wrong += layer.packed_bytes() == 0;
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Concurrency, CallsShareAThreadPool) {
  ThreadPool pool(3);
  Random random(kSeed + 1);
  Problem problem = small_problem();
  problem.input = {40, 42};  // enough work for three threads
  const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  const ConvolutionTranspose layer = layer_of(c, isas().back());
  const Tensor x = c.input(), y = layer(x);
  std::atomic<int> wrong{0};
  at_once(4, [&](int) {
    for (int round = 0; round < 10; ++round) {
      wrong += !same_bits(layer(x, {.threads = 3, .executor = &pool}), y);
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Concurrency, ManyLayersShareOnePoolAndEachIsUsedFromManyThreads) {
  ThreadPool pool(4);
  struct One {
    ConvolutionTranspose layer;
    Tensor x, y;
  };
  std::vector<One> all;
  for (std::uint64_t n = 0; n < 6; ++n) {
    Random random(kSeed + 10 + n);
    Problem problem = small_problem();
    problem.input = {20 + static_cast<Index>(n), 31};
    problem.output_size = n % 2 == 0 ? 2 : 40;  // narrow and wide
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    ConvolutionTranspose layer = layer_of(c, isas()[n % isas().size()]);
    Tensor x = c.input();
    Tensor y = layer(x);
    all.push_back({std::move(layer), std::move(x), std::move(y)});
  }
  std::atomic<int> wrong{0};
  at_once(5, [&](int thread) {
    for (std::size_t round = 0; round < 24; ++round) {
      const One& one = all[(round + static_cast<std::size_t>(thread)) % all.size()];
      wrong += !same_bits(one.layer(one.x, {.threads = 4, .executor = &pool}), one.y);
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Concurrency, LayersAreMadeCopiedAndDestroyedOnAnyThread) {
  Random random(kSeed + 2);
  const Case c = make_case(small_problem(), DType::kFloat64, Values::kNormal, random);
  const ConvolutionTranspose layer = layer_of(c, isas().back());
  const Tensor x = c.input(), y = layer(x);
  std::atomic<int> wrong{0};
  at_once(4, [&](int thread) {
    for (int round = 0; round < 10; ++round) {
      // Copies while others make the layer pack for another instruction set.
      // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): copying is what is tested.
      const ConvolutionTranspose copy = layer;
      wrong += !same_bits(copy(x), y);
      layer(x, {.isa = isas()[static_cast<std::size_t>(thread + round) % isas().size()]});
      wrong += !same_bits(layer_of(c, isas().back())(x), y);
    }
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace upconv::test
