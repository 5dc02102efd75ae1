// Bugs that other libraries shipped in this very operator, each under its name; and good input that
// others refuse.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "checks.h"

namespace upconv::test {
namespace {

/// On every ISA.
void expect_reference(const Problem& problem) {
  for (const Isa isa : isas()) test::expect_reference(problem, DType::kFloat32, isa);
}

TEST(Regressions, PyTorch142457DilationTimesFilterOverflows32Bits) {
  // 1879048192 is a legal dilation of a filter of 2, as long as a window keeps the result small.
  Problem problem = one_dimension(3, 2, 1, 1879048192);
  problem.pairs = {{1879048190, 0}};
  expect_reference(problem);
  problem.pairs = {{-2, 1879048192}};
  expect_reference(problem);
}

TEST(Regressions, PyTorch5112DilationWithOutputPadding) {
  Problem problem = one_dimension(4, 3, 2, 3);
  problem.output_padding = {2};
  expect_reference(problem);
  problem.pairs = {{3, 1}};
  problem.output_padding = {1};
  expect_reference(problem);
}

TEST(Regressions, PyTorch9404LargeImagesDoNotOverflow) {
  // 1167 x 1167 x 64 x 5 x 5 is over 2^31; here no buffer has that size.
  const ConvolutionTranspose layer({.input_size = 1,
                                    .output_size = 4,
                                    .filter_shape = 5,
                                    .strides = 2,
                                    .padding = "SAME",
                                    .init_kernel_fn = initializers::ones()});
  const Tensor x = Tensor::from(
      std::span<const float>(std::vector<float>(std::size_t{1167} * 1167, 1)), {1, 1167, 1167, 1});
  const Tensor y = layer(x);
  EXPECT_EQ(to_string(y.shape()), "[1, 2334, 2334, 4]");
  EXPECT_LT(layer.scratch_bytes(x.shape()), 1'000'000U);
  // Row and column 1000 lie on phases of 2 and 3 taps or the other way round, far from the border.
  const std::span<const float> values = y.values<float>();
  const auto at = [&](Index h, Index w) {
    return values[static_cast<std::size_t>((h * 2334 + w) * 4)];
  };
  EXPECT_EQ(at(1000, 1000) + at(1000, 1001) + at(1001, 1000) + at(1001, 1001), 25);
  EXPECT_EQ(at(2332, 1000) + at(2332, 1001) + at(2331, 1000) + at(2331, 1001), 25);
}

TEST(Regressions, OnnxRuntime2518DilatedLengthIsNotFilterPlusDilation) {
  EXPECT_EQ(
      to_string(
          ConvolutionTranspose(
              {.input_size = 1, .output_size = 1, .filter_shape = 3, .rank = 1, .dilations = 3})
              .output_shape({91, 1})),
      "[97, 1]");
  expect_reference(one_dimension(91, 3, 1, 3));
}

TEST(Regressions, OnnxRuntime29446LongerOutputsDoNotReadBeyondTheInput) {
  Problem problem = one_dimension(4, 2, 3, 1);
  for (const Index end : {-1, -5, -100}) {
    problem.pairs = {{0, end}};
    expect_reference(problem);
    problem.pairs = {{end, 0}};
    expect_reference(problem);
  }
}

TEST(Regressions, CoreaiTorch79OutputPaddingBelowTheDilationIsLegal) {
  Problem problem = one_dimension(5, 3, 1, 3);
  problem.output_padding = {2};
  expect_reference(problem);
}

TEST(Regressions, TensorFlow24151HeightAndWidthAreNotSwapped) {
  Problem problem = one_dimension(3, 2, 3, 1);
  problem.input = {3, 7};
  problem.filter = {2, 5};
  problem.strides = {3, 2};
  problem.dilations = {1, 2};
  problem.pairs = {{1, 0}, {-2, 3}};
  expect_reference(problem);
  problem.padding = "SAME";
  expect_reference(problem);
}

TEST(Regressions, Rten1398TapsThatNoInputReaches) {
  Problem problem = one_dimension(1, 9, 1, 1);
  for (const auto& pair : std::vector<std::pair<Index, Index>>{{0, 8}, {8, 0}, {4, 4}, {3, 2}}) {
    problem.pairs = {pair};
    expect_reference(problem);
  }
  problem = one_dimension(2, 7, 5, 3);
  problem.pairs = {{9, 9}};
  expect_reference(problem);
}

TEST(Regressions, Tvm6236OutputPaddingStaysInBounds) {
  for (const Index stride : {2, 3, 5}) {
    Problem problem = one_dimension(3, 3, stride, 1);
    for (const char* padding : {"VALID", "SAME", ""}) {
      problem.padding = padding;
      problem.output_padding = {stride - 1};
      expect_reference(problem);
    }
  }
}

TEST(Regressions, Paddle79504ChannelsLastInThreeDimensions) {
  Problem problem = one_dimension(2, 2, 2, 1);
  problem.input = {2, 3, 4};
  problem.filter = {3, 2, 1};
  problem.strides = {1, 2, 3};
  problem.dilations = {2, 1, 1};
  problem.padding = "VALID";
  expect_reference(problem);
}

TEST(Regressions, KerasCore488SameWithAStrideLongerThanTheFilter) {
  for (const Index filter : {1, 2, 3}) {
    Problem problem = one_dimension(4, filter, 5, 1);
    problem.padding = "SAME";
    expect_reference(problem);
  }
}

TEST(Regressions, AndroidNnNegativeTailPadding) {
  Problem problem = one_dimension(4, 2, 3, 1);
  problem.pairs = {{0, -1}};  // SAME would have 12 elements; the taps end after 11
  expect_reference(problem);
}

/// The message of a layer [filter 3, 2 channels in, 3 out, rank 1] with a change that is refused.
template <typename Change>
std::string refusal_after(Change change) {
  ConvolutionTransposeOptions options{
      .input_size = 2, .output_size = 3, .filter_shape = 3, .rank = 1, .name = "up"};
  change(options);
  const Caught caught = error_of([&] { const ConvolutionTranspose layer(options); });
  return caught.text;
}

TEST(Regressions, TensorFlow85246StrideOver32Bits) {
  EXPECT_EQ(refusal_after([](auto& options) { options.strides = 5717580618211388939; }),
            "ConvolutionTranspose \"up\": strides[0] is 5717580618211388939; it must be from 1 to "
            "2147483647");
}

TEST(Regressions, Cve202141209EmptyFilter) {
  EXPECT_EQ(refusal_after([](auto& options) { options.filter_shape = 0; }),
            "ConvolutionTranspose \"up\": filter_shape[0] is 0; it must be from 1 to 2147483647");
}

TEST(Regressions, Cve202129602ZeroChannels) {
  EXPECT_EQ(refusal_after([](auto& options) { options.input_size = 0; }),
            "ConvolutionTranspose \"up\": input_size is 0; it must be from 1 to 2147483647");
}

TEST(Regressions, OnnxRuntime28731KernelOfAnotherRank) {
  EXPECT_EQ(refusal_after([](auto& options) {
              options.init_kernel_fn = [](const Dims&, DType dtype) {
                return Tensor::zeros(dtype, {3, 3, 2, 3});
              };
            }),
            "ConvolutionTranspose \"up\": initial kernel is float32 of shape [3, 3, 2, 3]; it must "
            "be float32 of shape [3, 2, 3]");
}

TEST(Regressions, OnnxRuntime28524ZeroDilationAndNegativeOutputPadding) {
  EXPECT_EQ(refusal_after([](auto& options) { options.dilations = 0; }),
            "ConvolutionTranspose \"up\": dilations[0] is 0; it must be from 1 to 2147483647");
  EXPECT_EQ(refusal_after([](auto& options) { options.output_padding = -1; }),
            "ConvolutionTranspose \"up\": output_padding[0] is -1; it must be at least 0");
}

TEST(Regressions, Oneflow10519NegativeChannelsAndStrides) {
  EXPECT_EQ(refusal_after([](auto& options) { options.output_size = -3; }),
            "ConvolutionTranspose \"up\": output_size is -3; it must be from 1 to 2147483647");
  EXPECT_EQ(refusal_after([](auto& options) { options.strides = -1; }),
            "ConvolutionTranspose \"up\": strides[0] is -1; it must be from 1 to 2147483647");
}

TEST(Accepted, NaNAndInfiniteWeights) {
  ConvolutionTranspose layer({.input_size = 1, .output_size = 2, .filter_shape = 1, .rank = 1});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  layer.kernel().assign(Tensor::from({nan, inf}, {1, 1, 2}));
  const Tensor y = layer(Tensor::from({2.0F}, {1, 1}));
  EXPECT_TRUE(std::isnan(y.values<float>()[0]));
  EXPECT_EQ(y.values<float>()[1], inf);
}

TEST(Accepted, PaddingInAnyCaseAndOneNumberForAllAxes) {
  const ConvolutionTranspose layer({.input_size = 1,
                                    .output_size = 1,
                                    .filter_shape = 3,
                                    .rank = 3,
                                    .strides = 2,
                                    .padding = "sAmE",
                                    .output_padding = 1});
  EXPECT_EQ(layer.options().filter_shape.values(), (std::vector<Index>{3, 3, 3}));
  EXPECT_EQ(layer.options().strides.values(), (std::vector<Index>{2, 2, 2}));
  EXPECT_EQ(layer.options().dilations.values(), (std::vector<Index>{1, 1, 1}));
  EXPECT_EQ(layer.options().output_padding->values(), (std::vector<Index>{1, 1, 1}));
  EXPECT_EQ(to_string(layer.options().padding), "SAME");
  EXPECT_EQ(to_string(layer.kernel().shape()), "[3, 3, 3, 1, 1]");
  EXPECT_EQ(to_string(layer.output_shape({4, 5, 6, 1})), "[8, 10, 12, 1]");
}

TEST(Accepted, PaddingLongerThanTheFilterCropsTheResult) {
  Problem problem = one_dimension(9, 3, 2, 1);
  problem.pairs = {{5, 6}};
  expect_reference(problem);
}

TEST(Accepted, LargestStrideOnASmallInput) {
  Problem problem = one_dimension(2, 3, 2147483647, 1);
  problem.pairs = {{2147483640, 0}};
  expect_reference(problem);
  problem.strides = {1073741824};
  problem.dilations = {1073741823};
  problem.filter = {3};
  problem.pairs = {{1073741820, 2147483640}};
  expect_reference(problem);
}

TEST(Accepted, AnOutputBesideTheInputInOneBlockOfMemory) {
  std::vector<float> memory(4 + 4, 1);
  const ConvolutionTranspose layer({.input_size = 1,
                                    .output_size = 1,
                                    .filter_shape = 1,
                                    .rank = 1,
                                    .init_kernel_fn = initializers::constant(3)});
  layer(ConstTensorView(memory.data(), {4, 1}), TensorView(memory.data() + 4, {4, 1}));
  EXPECT_EQ(memory, (std::vector<float>{1, 1, 1, 1, 3, 3, 3, 3}));
}

}  // namespace
}  // namespace upconv::test
