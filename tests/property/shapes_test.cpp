// Corners of shapes: any batch axes, nothing to compute, one element, gaps, large primes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261127;

class Shapes : public testing::TestWithParam<Isa> {
 protected:
  /// For both dtypes.
  static void expect_reference(const Problem& problem) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      test::expect_reference(problem, dtype, GetParam());
    }
  }
};

Problem two_dimensions() {
  Problem problem = one_dimension(3, 3, 2, 1, "VALID");
  for (std::vector<Index>* values :
       {&problem.input, &problem.filter, &problem.strides, &problem.dilations}) {
    values->push_back(values->front() + (values == &problem.dilations ? 0 : 1));
  }
  return problem;
}

TEST_P(Shapes, TenBatchAxes) {
  Problem problem = two_dimensions();
  problem.batch = {1, 2, 1, 3, 1, 1, 2, 1, 2, 1};
  expect_reference(problem);
}

TEST_P(Shapes, AsManyBatchAxesAsATensorMayHave) {
  Problem problem = two_dimensions();
  problem.batch.assign(kMaxAxes - 3, 1);
  problem.batch[7] = problem.batch[40] = 2;
  expect_reference(problem);
}

TEST_P(Shapes, NoBatchAxis) {
  Problem problem = two_dimensions();
  problem.batch = {};
  expect_reference(problem);
}

TEST_P(Shapes, AnEmptyBatchGivesAnEmptyResult) {
  Random random(kSeed);
  for (const std::vector<Index>& batch :
       std::vector<std::vector<Index>>{{0}, {3, 0}, {0, 3}, {2, 0, 2}}) {
    Problem problem = two_dimensions();
    problem.batch = batch;
    const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam());
    const Tensor y = layer(ConstTensorView(nullptr, c.dtype, c.input_shape()));
    EXPECT_EQ(y.size(), 0);
    EXPECT_EQ(to_string(y.shape()), to_string(layer.output_shape(c.input_shape())));
    EXPECT_EQ(y.shape().size(), batch.size() + 3);
    layer(ConstTensorView(nullptr, c.dtype, c.input_shape()),
          TensorView(nullptr, c.dtype, y.shape()));
  }
}

TEST_P(Shapes, AnEmptyExtentGivesTheActivatedBias) {
  Random random(kSeed);
  Problem problem = two_dimensions();
  problem.padding = "VALID";
  for (const std::vector<Index>& input : std::vector<std::vector<Index>>{{0, 4}, {3, 0}, {0, 0}}) {
    problem.input = input;
    expect_reference(problem);
    Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    c.use_bias = true;
    c.bias = {-1, 2, 0, -3, 4};
    const ConvolutionTranspose layer = layer_of(c, GetParam(), "relu");
    const Tensor y = layer(ConstTensorView(nullptr, c.dtype, c.input_shape()));
    const std::vector<double> got = values_of(y);
    ASSERT_GT(got.size(), 0U) << problem.text();
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i], std::max(c.bias[i % 5], 0.0)) << "element " << i;
    }
  }
  // (i - 1) * s + k' = k' - s: nothing is left where the stride is longer.
  problem = one_dimension(0, 2, 3, 1);
  Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
  EXPECT_EQ(to_string(layer_of(c, GetParam()).output_shape({2, 0, 3})), "[2, 0, 5]");
  c.problem.padding = "SAME";
  EXPECT_EQ(to_string(layer_of(c, GetParam()).output_shape({2, 0, 3})), "[2, 0, 5]");
}

TEST_P(Shapes, AnEmptyWindowGivesAnEmptyResult) {
  Random random(kSeed);
  Problem problem = one_dimension(4, 3, 2, 1);  // 9 elements
  problem.pairs = {{4, 5}};
  const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
  const ConvolutionTranspose layer = layer_of(c, GetParam(), "gelu");
  EXPECT_EQ(to_string(layer(c.input()).shape()), "[2, 0, 5]");
  EXPECT_EQ(layer(c.input(), {.threads = 4}).size(), 0);
}

TEST_P(Shapes, ACallableIsNotCalledForAnEmptyResult) {
  bool called = false;
  const ConvolutionTranspose layer(
      {.input_size = 1,
       .output_size = 1,
       .filter_shape = 2,
       .rank = 1,
       .activation_fn = Activation::Function([&](const TensorView&) { called = true; }),
       .isa = GetParam()});
  layer(ConstTensorView(nullptr, DType::kFloat32, {0, 5, 1}));
  EXPECT_FALSE(called);
}

TEST_P(Shapes, OneElement) {
  for (const char* padding : {"VALID", "SAME"}) {
    for (const Index filter : {1, 2, 5}) {
      for (const Index stride : {1, 2, 7}) {
        Problem problem = one_dimension(1, filter, stride, 1, padding);
        expect_reference(problem);
        problem.input = {1, 1, 1};
        problem.filter.assign(3, filter);
        problem.strides.assign(3, stride > 2 ? 2 : stride);
        problem.dilations.assign(3, 1);
        problem.input_size = problem.output_size = 1;
        expect_reference(problem);
      }
    }
  }
}

TEST_P(Shapes, AStrideLongerThanTheFilterLeavesGapsWithTheBias) {
  for (const char* padding : {"VALID", "SAME"}) {
    expect_reference(one_dimension(5, 2, 7, 1, padding));
    expect_reference(one_dimension(5, 1, 64, 1, padding));
    expect_reference(one_dimension(3, 2, 6, 4, padding));  // and one that dilation makes
    expect_reference(one_dimension(4, 3, 4, 4, padding));
  }
}

TEST_P(Shapes, LargePrimes) {
  expect_reference(one_dimension(101, 89, 53, 1, "SAME"));
  expect_reference(one_dimension(7, 3, 9973, 1, "VALID"));
  expect_reference(one_dimension(7, 3, 1, 9973, "VALID"));
  expect_reference(one_dimension(5, 4, 9973, 7919, "SAME"));
  Problem problem = two_dimensions();
  problem.input = {17, 19};
  problem.filter = {13, 11};
  problem.strides = {7, 5};
  problem.dilations = {3, 11};
  problem.input_size = 23;
  problem.output_size = 29;
  expect_reference(problem);
}

TEST_P(Shapes, PaddingMuchLongerThanTheFilter) {
  Problem problem = one_dimension(6, 3, 2, 1);
  for (const auto& pair : std::vector<std::pair<Index, Index>>{
           {-500, -700}, {12, -300}, {-300, 12}, {1000, -1000}, {-1000, 1000}}) {
    problem.pairs = {pair};
    expect_reference(problem);
  }
}

TEST_P(Shapes, EveryNumberOfPixelsAndChannelsAroundATile) {
  // Twice the tallest tile and the widest block, and one more.
  for (Index pixels = 1; pixels <= 49; ++pixels) {
    Problem problem = one_dimension(pixels, 1, 1, 1, "VALID");
    problem.batch = {};
    expect_reference(problem);
  }
  for (Index channels = 1; channels <= 97; ++channels) {
    Problem problem = one_dimension(3, 2, 1, 1, "VALID");
    problem.output_size = channels;
    expect_reference(problem);
  }
}

TEST_P(Shapes, TheLayersShapeIsTheResults) {
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(50); ++seed) {
    Random random(seed);
    const Case c = make_case(random_problem(random), DType::kFloat32, Values::kIntegers, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam());
    Dims expected;
    for (const Index extent : c.problem.batch) expected.push_back(extent);
    for (const Index extent : reference_window(c.problem).output) expected.push_back(extent);
    expected.push_back(c.problem.output_size);
    EXPECT_EQ(to_string(layer.output_shape(c.input_shape())), to_string(expected))
        << "seed " << seed << ", " << c.problem.text();
    EXPECT_EQ(to_string(layer(c.input()).shape()), to_string(expected));
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Shapes, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
