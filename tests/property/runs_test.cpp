// The wide strategy with runs (taps along w and input channels in one loop) computes what the
// definition says, and the same bits for every number of threads and every view of x.
#include <gtest/gtest.h>

#include <vector>

#include "cases.h"
#include "checks.h"
#include "layers.h"
#include "plan_checks.h"
#include "plans.h"
#include "rounding.h"

namespace upconv::test {
namespace {

class Runs : public testing::TestWithParam<Isa> {};

TEST_P(Runs, AreTheDefinitionOnRandomLayers) {
  check_random_layers(GetParam(), &Plans::runs, cases(400), cases(60));
}

/// Layers of many boxes, chunks and blocks, folded ones, and all that cut runs: borders, crops,
/// phases of unequal taps, dilations that a stride divides.
const std::vector<Problem>& problems() {
  static const std::vector<Problem> all = {
      make_problem({2}, {37, 41}, 3, 75, {5, 5}, {1, 1}, {1, 1}, "SAME"),
      make_problem({1}, {30, 29}, 6, 40, {5, 5}, {4, 2}, {1, 1}, "SAME"),
      make_problem({1}, {9, 70}, 21, 21, {16, 16}, {8, 8}, {1, 1}, "SAME"),  // folded
      make_problem({2}, {11, 13}, 1, 16, {4, 3}, {1, 1}, {1, 1}, "VALID"),
      make_problem({1}, {400}, 2, 33, {31}, {4}, {1}, "SAME"),
      make_problem({3}, {9, 5}, 5, 17, {3, 7}, {2, 3}, {3, 3}, "SAME"),  // inputs are neighbours
      make_problem({2}, {4, 5, 6}, 7, 24, {3, 3, 3}, {2, 1, 2}, {1, 1, 1}, "SAME"),
      make_problem({5}, {1, 1}, 4, 50, {9, 9}, {2, 2}, {1, 1}, "VALID"),  // fewer inputs than taps
      make_problem({1}, {3, 2}, 32, 9, {2, 9}, {1, 1}, {1, 1}, "SAME"),
  };
  return all;
}

TEST_P(Runs, HaveTheSameBitsForEveryNumberOfThreads) {
  check_threads(problems(), GetParam(), &Plans::runs);
}

TEST_P(Runs, RootMeanSquareErrorIsAboutThatOfTheDirectOrder) {
  for (const Problem& problem : problems()) {
    const Case c = normal_case(problem, false);
    const Plans plans(c, GetParam());
    const Expected expected(c);
    const Tensor x = c.input();
    const Errors fast = errors_of(values_of(plans.run(*plans.runs, x)), expected.values);
    const Errors direct = errors_of(values_of(plans.run(*plans.wide, x)), expected.values);
    EXPECT_LT(fast.rms, 1.5 * direct.rms) << problem.text();
  }
}

TEST_P(Runs, ApplyActivationsAndResidualsAndWriteOnlyTheirChannels) {
  for (const char* activation : {"linear", "relu6", "tanh"}) {
    for (const Problem& problem : problems()) {
      Random random(5);
      const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
      const Plans plans(c, GetParam(), activation);
      const Tensor x = c.input();
      const Tensor residual = plans.run(*plans.wide, x);
      CallOptions call;
      call.residual = residual;
      const Tensor expected = plans.run(*plans.wide, x, call);
      MiddleChannels middle(residual.shape());
      const TensorView into = middle.view();
      plans.run(*plans.runs, x, call, &into);
      EXPECT_EQ(values_of(into), values_of(expected)) << activation << " " << problem.text();
      middle.expect_others_untouched(problem.text());
    }
  }
}

// Where pixels do not follow one another, taps are a loop again, in the same order.
TEST_P(Runs, HaveTheSameBitsForEveryViewOfTheInput) {
  for (const bool dilated : {false, true}) {
    const Index d = dilated ? 2 : 1;
    const Problem problem = make_problem({2}, {9, 11}, 24, 3, {4, 5}, {2, d}, {1, d}, "SAME");
    Random random(2);
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const Plans plans(c, GetParam());
    const Tensor x = c.input();
    const Tensor expected = plans.run(*plans.runs, x);
    const BackwardsRows backwards(x);
    EXPECT_TRUE(same_bits(plans.run(*plans.runs, backwards.view()).view(), expected.view()));
  }
}

TEST_P(Runs, ReadAnInputThatLiesBackwardsAlongW) {
  const Index width = 37, channels = 5;
  const Problem problem = make_problem({1}, {width}, channels, 9, {6}, {2}, {1}, "SAME");
  Random random(8);
  const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  const Plans plans(c, GetParam());
  const Tensor x = c.input();
  std::vector<float> memory(static_cast<std::size_t>(x.size()));
  const float* from = x.values<float>().data();
  for (Index w = 0; w < width; ++w) {
    std::copy_n(from + w * channels, channels, memory.data() + (width - 1 - w) * channels);
  }
  const ConstTensorView backwards(memory.data() + (width - 1) * channels, DType::kFloat32,
                                  {1, width, channels}, {width * channels, -channels, 1});
  EXPECT_TRUE(
      same_bits(plans.run(*plans.runs, backwards).view(), plans.run(*plans.runs, x).view()));
}

TEST_P(Runs, KeepWhatIsNotFiniteToTheOutputsThatSeeIt) {
  check_infinities(problems(), GetParam(), &Plans::runs);
}

TEST_P(Runs, AreWhatALayerOfFewInputChannelsComputesWithUnlessToldOtherwise) {
  Random random(17);
  Case c = make_case(make_problem({1}, {54, 54}, 3, 299, {3, 3}, {1, 1}, {1, 1}, "SAME"),
                     DType::kFloat32, Values::kNormal, random);
  c.arithmetic = Arithmetic::kFast;
  const ConvolutionTranspose layer = layer_of(c, GetParam(), "relu");
  const KernelChoice fast = layer.kernel_choice(c.input_shape());
  ASSERT_EQ(fast.strategy, "runs");
  EXPECT_EQ(fast.arithmetic, Arithmetic::kFast);
  c.arithmetic = Arithmetic::kDirect;
  const ConvolutionTranspose direct = layer_of(c, GetParam(), "relu");
  EXPECT_EQ(direct.kernel_choice(c.input_shape()).strategy, "wide");
  const Tensor x = c.input();
  EXPECT_LE(errors_of(values_of(layer(x)), values_of(direct(x))).largest,
            32 * epsilon_of(DType::kFloat32) * Expected(c).magnitude);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Runs, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
