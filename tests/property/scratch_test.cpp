// Scratch memory: the caller's is used and nothing beyond it, and its amount does not grow with
// extents or taps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261129;
constexpr std::size_t kGuard = 4096;

/// 64-byte aligned memory of exactly `size` bytes with guards around it.
class Guarded {
 public:
  explicit Guarded(std::size_t size, unsigned char fill)
      : memory_(DType::kFloat64, {static_cast<Index>((size + 2 * kGuard) / 8 + 1)}), size_(size) {
    std::memset(memory_.data(), 0x5A, static_cast<std::size_t>(memory_.size()) * 8);
    std::memset(bytes().data(), fill, size);
  }
  std::span<std::byte> bytes() { return {static_cast<std::byte*>(memory_.data()) + kGuard, size_}; }
  bool guards_are_whole() {
    const auto* first = static_cast<const unsigned char*>(memory_.data());
    const auto* last = first + static_cast<std::size_t>(memory_.size()) * 8;
    const auto is_guard = [](unsigned char byte) { return byte == 0x5A; };
    return std::all_of(first, first + kGuard, is_guard) &&
           std::all_of(first + kGuard + size_, last, is_guard);
  }

 private:
  Tensor memory_;
  std::size_t size_;
};

class ScratchMemory : public testing::TestWithParam<Isa> {};

TEST_P(ScratchMemory, OfExactlyTheStatedSizeIsEnoughWhateverItHolds) {
  for (std::uint64_t seed = kSeed; seed < kSeed + 150; ++seed) {
    Random random(seed);
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(random_problem(random), dtype, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam(), seed % 2 == 0 ? "linear" : "tanh");
    const Tensor x = c.input(), y = layer(x);
    for (const unsigned char fill :
         {static_cast<unsigned char>(0), static_cast<unsigned char>(0xFF)}) {
      Guarded scratch(layer.scratch_bytes(x.shape()), fill);
      EXPECT_TRUE(same_bits(layer(x, {.scratch = scratch.bytes()}), y))
          << "seed " << seed << ", " << c.problem.text();
      EXPECT_TRUE(scratch.guards_are_whole()) << "seed " << seed << ", " << c.problem.text();
    }
  }
}

TEST_P(ScratchMemory, OfSeveralThreadsIsEnoughForEach) {
  Random random(kSeed);
  Problem problem;
  problem.batch = {2};
  problem.input = {30, 31};
  problem.filter = {4, 4};
  problem.strides = {2, 2};
  problem.dilations = {1, 1};
  problem.padding = "SAME";
  problem.input_size = 16;
  problem.output_size = 37;
  const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  const ConvolutionTranspose layer = layer_of(c, GetParam(), "elu");
  const Tensor x = c.input(), y = layer(x);
  for (int threads = 1; threads <= 4; ++threads) {
    Guarded scratch(layer.scratch_bytes(x.shape(), threads), 0xFF);
    EXPECT_TRUE(same_bits(layer(x, {.threads = threads, .scratch = scratch.bytes()}), y));
    EXPECT_TRUE(scratch.guards_are_whole()) << threads << " threads";
  }
}

TEST_P(ScratchMemory, IsEnoughForEveryIsa) {
  Random random(kSeed + 1);
  const Case c = make_case(random_problem(random), DType::kFloat32, Values::kNormal, random);
  const ConvolutionTranspose layer = layer_of(c, GetParam());
  const Tensor x = c.input();
  for (const Isa other : isas()) {
    Guarded scratch(layer.scratch_bytes(x.shape()), 0xFF);
    EXPECT_TRUE(
        same_bits(layer(x, {.scratch = scratch.bytes(), .isa = other}), layer_of(c, other)(x)));
    EXPECT_TRUE(scratch.guards_are_whole()) << to_string(other);
  }
}

TEST_P(ScratchMemory, DoesNotGrowWithExtentsOrTaps) {
  const auto bytes = [](Index filter, Index input, int threads) {
    return ConvolutionTranspose({.input_size = 2,
                                 .output_size = 50,
                                 .filter_shape = filter,
                                 .rank = 1,
                                 .strides = 2,
                                 .isa = GetParam()})
        .scratch_bytes({input, 2}, threads);
  };
  EXPECT_EQ(bytes(1, 1, 1), bytes(1, 1 << 20, 1));
  EXPECT_EQ(bytes(1, 1, 1), bytes(5000, 1, 1));
  EXPECT_EQ(bytes(3, 9, 4), 4 * bytes(3, 9, 1));
  EXPECT_LE(bytes(3, 9, 1), 64U * 1024);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, ScratchMemory, testing::ValuesIn(isas()),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace upconv::test
