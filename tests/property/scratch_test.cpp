// Scratch memory: the caller's is used and nothing beyond it, and its amount does not grow with
// extents or taps.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"
#include "guarded.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261129;

class ScratchMemory : public testing::TestWithParam<Isa> {};

TEST_P(ScratchMemory, OfExactlyTheStatedSizeIsEnoughWhateverItHolds) {
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(150); ++seed) {
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

TEST_P(ScratchMemory, OfAnotherIsaIsEnoughForIt) {
  Random random(kSeed + 1);
  const Case c = make_case(random_problem(random), DType::kFloat32, Values::kNormal, random);
  const ConvolutionTranspose layer = layer_of(c, GetParam());
  const Tensor x = c.input();
  for (const Isa other : isas()) {
    Guarded scratch(layer.scratch_bytes(x.shape(), 1, other), 0xFF);
    EXPECT_TRUE(
        same_bits(layer(x, {.scratch = scratch.bytes(), .isa = other}), layer_of(c, other)(x)));
    EXPECT_TRUE(scratch.guards_are_whole()) << to_string(other);
  }
}

TEST_P(ScratchMemory, DoesNotGrowWithExtentsOrTaps) {
  // Channels that fill blocks: one strategy for all of these.
  const auto bytes = [](Index filter, Index input, int threads) {
    return ConvolutionTranspose({.input_size = 2,
                                 .output_size = 48,
                                 .filter_shape = filter,
                                 .rank = 1,
                                 .strides = 2,
                                 .arithmetic = Arithmetic::kDirect,
                                 .isa = GetParam()})
        .scratch_bytes({input, 2}, threads);
  };
  EXPECT_EQ(bytes(1, 1, 1), bytes(1, 1 << 20, 1));
  EXPECT_EQ(bytes(1, 1, 1), bytes(5000, 1, 1));
  EXPECT_EQ(bytes(3, 9, 4), 4 * bytes(3, 9, 1));
  EXPECT_LE(bytes(3, 9, 1), 80U * 1024);
}

TEST_P(ScratchMemory, OfFewOutputChannelsIsBoundedForAnyInputChannels) {
  for (const Index channels : {1, 64, 512, 2048, 20000}) {
    const ConvolutionTranspose layer({.input_size = channels,
                                      .output_size = 1,
                                      .filter_shape = 9,
                                      .rank = 1,
                                      .init_kernel_fn = initializers::zeros(),
                                      .isa = GetParam()});
    for (const Index extent : {1, 64, 1 << 16}) {
      EXPECT_LE(layer.scratch_bytes({extent, channels}), 2U << 20) << channels;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, ScratchMemory, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
