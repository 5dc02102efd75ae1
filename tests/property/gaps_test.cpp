// Gaps of a large output are filled row by row; with a residual they are computed phase by phase,
// and the values are the same.
#include "gaps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "call.h"
#include "checks.h"
#include "layers.h"

namespace upconv::test {
namespace {

class Gaps : public testing::TestWithParam<Isa> {};

/// A layer with filters below the stride on one axis or more, and an output of some 100,000 values.
Problem gappy_problem(Random& random) {
  const int rank = static_cast<int>(draw(random, 1, 3));
  const Index positions[] = {4000, 60, 14};
  std::vector<Index> input, filter, stride, dilation;
  for (int axis = 0; axis < rank; ++axis) {
    stride.push_back(draw(random, axis == 0 ? 2 : 1, 5));
    filter.push_back(draw(random, 1, axis == 0 ? stride.back() / 2 : stride.back() + 1));
    dilation.push_back(draw(random, 1, 2));
    input.push_back(std::max<Index>(1, positions[rank - 1] / stride.back()));
  }
  return make_problem({draw(random, 1, 2)}, input, draw(random, 1, 3), draw(random, 16, 40), filter,
                      stride, dilation, draw(random, 0, 1) == 0 ? "SAME" : "VALID");
}

/// A layer whose taps are farther apart than x is long, and an output as large.
Problem scattered_problem(Random& random) {
  const int rank = static_cast<int>(draw(random, 1, 3));
  const Index positions[] = {4000, 60, 14};
  std::vector<Index> input, filter, stride, dilation;
  for (int axis = 0; axis < rank; ++axis) {
    const Index length = positions[rank - 1];
    input.push_back(draw(random, 1, length / 15 + 1));
    stride.push_back(draw(random, 1, 2));
    filter.push_back(draw(random, 2, 4));
    dilation.push_back(draw(random, length / 4, length / 3));
  }
  return make_problem({draw(random, 1, 2)}, input, draw(random, 1, 3), draw(random, 16, 40), filter,
                      stride, dilation, "VALID");
}

TEST_P(Gaps, HaveTheValueThatTheyHaveWithAResidual) {
  for (std::uint64_t seed = 1; seed <= 36; ++seed) {
    Random random(seed);
    const Problem problem = seed <= 24 ? gappy_problem(random) : scattered_problem(random);
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(problem, dtype, Values::kNormal, random);
    SCOPED_TRACE("seed " + std::to_string(seed) + " " + problem.text());
    const char* activations[] = {"linear", "relu", "tanh", "sigmoid"};
    const ConvolutionTranspose layer = layer_of(c, GetParam(), activations[seed % 4]);

    const Tensor x = c.input();
    const Dims shape = layer.output_shape(x.shape());
    const Tensor nothing = Tensor::zeros(dtype, shape);
    const Tensor expected = layer(x, {.residual = nothing});
    ASSERT_EQ(values_of(layer(x)), values_of(expected));
    ASSERT_EQ(values_of(layer(x, {.threads = 3})), values_of(expected));

    // Into channels of a bigger tensor.
    Dims wider = shape;
    wider[wider.size() - 1] += 2;
    Tensor big = Tensor::zeros(dtype, wider);
    const std::size_t last = shape.size() - 1;
    const ConstTensorView part = slice(big.view(), last, 1, shape[last]);
    const TensorView into(const_cast<void*>(part.data()), dtype, part.shape(), part.strides());
    layer(x, into);
    ASSERT_EQ(values_of(into), values_of(expected));
    for (const Index outside : {Index{0}, shape[last] + 1}) {
      for (const double value : values_of(slice(big.view(), last, outside, 1))) ASSERT_EQ(value, 0);
    }
  }
}

TEST_P(Gaps, AreThoseOfTheDefinition) {
  for (std::uint64_t seed = 101; seed <= 118; ++seed) {
    Random random(seed);
    const Problem problem = seed <= 112 ? gappy_problem(random) : scattered_problem(random);
    SCOPED_TRACE("seed " + std::to_string(seed) + " " + problem.text());
    expect_reference(problem, DType::kFloat32, GetParam());
  }
}

TEST(GapsPay, InALargeOutputThatIsMostlyGapsAndHasNoResidual) {
  const internal::AxisPhases one(1, 1, 1), third(1, 3, 1), most(2, 3, 1);
  internal::Call call;
  const auto pays = [&](const internal::AxisPhases& h, Index output, const std::byte* residual) {
    call.axes[0] = {&one, 1, {1, 0}};
    call.axes[1] = {&h, (output + 2) / 3, {output, 0}};
    call.axes[2] = {&one, 100, {100, 0}};
    call.residual = residual;
    return internal::gaps_pay(call, 32);
  };
  const std::byte residual{};
  EXPECT_TRUE(pays(third, 99, nullptr));
  EXPECT_FALSE(pays(third, 9, nullptr)) << "a small output";
  EXPECT_FALSE(pays(most, 99, nullptr)) << "a third of it gaps";
  EXPECT_FALSE(pays(third, 99, &residual)) << "a residual";

  const internal::AxisPhases near(3, 1, 4), far(3, 1, 40);
  const auto dilated_pays = [&](const internal::AxisPhases& h) {
    const Index output = 4 + 2 * h.dilation();
    call.axes[1] = {&h, 5, {output, 0}};
    call.axes[2] = {&one, 500, {500, 0}};
    call.residual = nullptr;
    return internal::gaps_pay(call, 32);
  };
  EXPECT_TRUE(dilated_pays(far)) << "five inputs, taps 40 apart";
  EXPECT_FALSE(dilated_pays(near)) << "five inputs, taps 4 apart";
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Gaps, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
