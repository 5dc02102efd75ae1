// The scatter strategy computes what the definition says, within the error of fast arithmetic, and
// the same bits for every number of threads.
#include <gtest/gtest.h>

#include <utility>

#include "checks.h"
#include "layers.h"
#include "plan_checks.h"
#include "plans.h"
#include "rounding.h"

namespace upconv::test {
namespace {

class Scatter : public testing::TestWithParam<Isa> {};

TEST_P(Scatter, IsTheDefinitionOnRandomLayers) {
  check_random_layers(GetParam(), &Plans::scatter, 400, 380);
}

/// Layers of many chunks, bands and parts; outputs that meet no tap, one, and many.
const std::vector<Problem>& large_problems() {
  static const std::vector<Problem> all = {
      make_problem({2}, {37, 41}, 64, 3, {4, 4}, {2, 2}, {1, 1}, "SAME"),
      make_problem({1}, {23, 300}, 33, 1, {8, 8}, {1, 1}, {1, 1}, "SAME"),  // chunks along a row
      make_problem({2}, {116}, 300, 3, {88}, {32}, {1}, "SAME"),            // bands along w
      make_problem({3}, {41, 2}, 16, 4, {11, 11}, {3, 3}, {1, 1}, "VALID"),
      make_problem({2}, {19, 23}, 32, 3, {2, 2}, {2, 2}, {1, 1}, "SAME"),   // once
      make_problem({2}, {21, 14}, 20, 5, {3, 3}, {3, 3}, {1, 1}, "VALID"),  // once
      make_problem({1}, {30, 17}, 24, 2, {2, 1}, {5, 3}, {1, 1}, "VALID"),  // gaps
      make_problem({1}, {40, 27}, 50, 2, {3, 3}, {5, 5}, {4, 4}, "VALID"),
      make_problem({1}, {25, 30}, 18, 7, {3, 4}, {2, 2}, {2, 3}, "SAME"),
      make_problem({2}, {5, 6, 31}, 80, 3, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}, "SAME"),
      make_problem({9}, {1, 1}, 70, 2, {7, 7}, {1, 1}, {1, 1}, "VALID"),    // once, by one input
      make_problem({2}, {1, 19}, 40, 3, {7, 2}, {3, 2}, {1, 1}, "SAME"),    // once, by both
      make_problem({2}, {1, 4}, 24, 3, {2, 2}, {5, 2}, {1, 1}, "SAME"),     // gaps beside one input
      make_problem({1}, {11, 9}, 600, 96, {5, 5}, {2, 2}, {1, 1}, "SAME"),  // wide
      make_problem({2}, {3, 3}, 2, 37, {13, 13}, {2, 2}, {1, 1}, "VALID"),  // many columns
      // Taps in groups, of which the last is smaller: of w, h and d.
      make_problem({2}, {9}, 72, 20, {1024}, {100}, {1}, "SAME"),
      make_problem({1}, {3, 5}, 64, 40, {11, 13}, {2, 3}, {1, 1}, "VALID"),
      make_problem({1}, {4, 5}, 70, 50, {9, 11}, {2, 1}, {3, 2}, "SAME"),
      make_problem({2}, {2, 3, 2}, 72, 24, {7, 7, 7}, {2, 3, 1}, {1, 1, 1}, "VALID"),
      make_problem({2}, {3, 4}, 100, 60, {9, 10}, {9, 10}, {1, 1}, "VALID"),  // once
  };
  return all;
}

TEST_P(Scatter, HasTheSameBitsForEveryNumberOfThreads) {
  check_threads(large_problems(), GetParam(), &Plans::scatter);
}

// Sums of sums: the error of fast arithmetic without that of a transform (docs/accuracy.md).
TEST_P(Scatter, RootMeanSquareErrorIsAboutThatOfDirectSumsOrLess) {
  for (const Problem& problem : large_problems()) {
    for (const bool positive : {false, true}) {
      const Case c = normal_case(problem, positive);
      const Plans plans(c, GetParam());
      const Expected expected(c);
      const Tensor x = c.input();
      const Errors fast = errors_of(values_of(plans.run(*plans.scatter, x)), expected.values);
      const Errors direct = errors_of(values_of(plans.run(*plans.wide, x)), expected.values);
      EXPECT_LT(fast.rms, 1.5 * direct.rms) << problem.text() << (positive ? " positive" : "");
    }
  }
}

TEST_P(Scatter, AppliesActivationsAndResidualsAndWritesOnlyItsChannels) {
  for (const char* activation : {"linear", "relu6", "tanh"}) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      Random random(seed);
      // Every third one has outputs that meet one tap each.
      const Problem problem = seed % 3 == 0
                                  ? make_problem({2}, {draw(random, 1, 9), draw(random, 1, 30)}, 7,
                                                 draw(random, 1, 6), {2, 3}, {2, 3}, {1, 1}, "SAME")
                                  : random_problem(random);
      const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
      const Plans plans(c, GetParam(), activation);
      if (plans.scatter == nullptr) continue;
      const Tensor x = c.input();
      CallOptions call;
      const Tensor residual = plans.run(*plans.wide, x);
      if (seed % 2 == 0) call.residual = residual;
      const std::vector<double> expected = values_of(plans.run(*plans.wide, x, call));
      const std::string text =
          std::string(activation) + " seed " + std::to_string(seed) + " " + problem.text();

      // No activation here has a slope above 1.
      const double most = 32 * epsilon_of(DType::kFloat32) * Expected(c).magnitude;
      const Tensor whole = plans.run(*plans.scatter, x, call);
      EXPECT_LE(errors_of(values_of(whole), expected).largest, most) << text;
      MiddleChannels middle(residual.shape());
      const TensorView into = middle.view();
      plans.run(*plans.scatter, x, call, &into);
      EXPECT_TRUE(same_bits(into, whole.view())) << text;
      middle.expect_others_untouched(text);
    }
  }
}

// Rows whose runs overlap are added by a kernel, a vector of outputs at a time, where y has no
// gaps.
TEST_P(Scatter, HasTheSameBitsWhetherOutputsAreNeighboursInMemoryOrNot) {
  struct Row {
    Index channels, filter, stride;
  };
  for (const Row& row : {Row{1, 3, 1}, Row{1, 9, 2}, Row{1, 7, 3}, Row{2, 5, 1}, Row{3, 4, 2},
                         Row{3, 11, 2}, Row{5, 16, 4}, Row{8, 9, 2}, Row{17, 5, 1}}) {
    for (const Index width : {1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 29, 31, 32, 33, 64, 250}) {
      for (const char* padding : {"SAME", "VALID"}) {
        const Problem problem = make_problem({1}, {2, width}, 19, row.channels, {3, row.filter},
                                             {2, row.stride}, {1, 1}, padding);
        Random random(static_cast<std::uint64_t>(width));
        const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
        const Plans plans(c, GetParam());
        ASSERT_NE(plans.scatter, nullptr) << problem.text();
        const Tensor x = c.input(), dense = plans.run(*plans.scatter, x);
        MiddleChannels apart(dense.shape());
        const TensorView into = apart.view();
        plans.run(*plans.scatter, x, {}, &into);
        EXPECT_TRUE(same_bits(into, dense.view())) << problem.text();
        apart.expect_others_untouched(problem.text());
      }
    }
  }
}

// Such a sum is one of bias and input channels, in the order that all strategies have. Up to 6
// columns are multiplied by kernels of their own, a vector of inputs at a time; those of 5 are
// padded to 6, and 8 columns are a part of a vector.
TEST_P(Scatter, HasTheBitsOfWideWhereOutputsMeetOneTap) {
  struct Columns {
    std::vector<Index> filter;
    Index channels;
  };
  for (const Columns& columns :
       {Columns{{1, 1}, 1}, Columns{{1, 2}, 1}, Columns{{1, 1}, 2}, Columns{{3, 1}, 1},
        Columns{{2, 2}, 1}, Columns{{1, 2}, 2}, Columns{{1, 5}, 1}, Columns{{1, 3}, 2},
        Columns{{1, 2}, 3}, Columns{{2, 2}, 2}}) {
    for (const Index input_size : {3, 4, 5, 6, 7, 8, 19, 64}) {
      for (const Index width : {1, 3, 4, 7, 8, 15, 16, 17, 33, 250}) {
        const Problem problem = make_problem({1}, {3, width}, input_size, columns.channels,
                                             columns.filter, columns.filter, {1, 1}, "SAME");
        for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
          Random random(static_cast<std::uint64_t>(width));
          const Case c = make_case(problem, dtype, Values::kNormal, random);
          const Plans plans(c, GetParam(), width % 2 == 0 ? "relu" : "linear");
          ASSERT_NE(plans.scatter, nullptr) << problem.text();
          const Tensor x = c.input(), y = plans.run(*plans.scatter, x);
          EXPECT_TRUE(same_bits(y.view(), plans.run(*plans.wide, x).view())) << problem.text();
          if (dtype != DType::kFloat32) continue;
          const BackwardsRows backwards(x);  // its rows do not follow one another
          EXPECT_TRUE(same_bits(plans.run(*plans.scatter, backwards.view()).view(), y.view()))
              << problem.text();
        }
      }
    }
  }
}

TEST_P(Scatter, OfNoInputsIsTheBias) {
  for (const std::vector<Index>& input :
       std::vector<std::vector<Index>>{{0}, {0, 4}, {3, 0}, {0, 0}, {2, 3, 0}, {2, 0, 3}}) {
    const std::vector<Index> filter(input.size(), 4), twos(input.size(), 2), ones(input.size(), 1);
    const Problem problem = make_problem({2}, input, 6, 3, filter, twos, ones, "VALID");
    Random random(4);
    const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    const Plans plans(c, GetParam());
    ASSERT_NE(plans.scatter, nullptr) << problem.text();
    for (const int threads : {1, 3}) {
      const Tensor y = plans.run(*plans.scatter, c.input(), {.threads = threads});
      ASSERT_GT(y.size(), 0) << problem.text();
      EXPECT_TRUE(matches_reference(c, Values::kIntegers, y.view())) << problem.text();
    }
  }
}

TEST_P(Scatter, ReadsStridedInputs) {
  const Problem problem = make_problem({2}, {9, 11}, 24, 3, {4, 3}, {2, 1}, {1, 2}, "SAME");
  Random random(2);
  const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  const Plans plans(c, GetParam());
  const Tensor x = c.input();
  const Tensor expected = plans.run(*plans.scatter, x);
  const BackwardsRows backwards(x);
  EXPECT_TRUE(same_bits(plans.run(*plans.scatter, backwards.view()).view(), expected.view()));

  // One pixel for all; gaps between pixels, all alike; and wider ones between rows.
  const Index height = 9, width = 11, channels = 24, pitch = 40;
  std::vector<float> memory;
  for (Index at = 0; at < 2 * height * width * pitch; ++at) {
    memory.push_back(x.values<float>()[static_cast<std::size_t>(at % x.size())]);
  }
  for (const auto& [step, row] :
       {std::pair<Index, Index>{0, 0}, {32, width * 32}, {32, width * pitch}}) {
    const ConstTensorView strided(memory.data(), x.shape(), {height * row, row, step, 1});
    std::vector<float> dense;
    for (Index pixel = 0; pixel < 2 * height * width; ++pixel) {
      const auto first = memory.begin() + pixel / width * row + pixel % width * step;
      dense.insert(dense.end(), first, first + channels);
    }
    const Tensor from_dense = plans.run(*plans.scatter, ConstTensorView(dense, x.shape()));
    EXPECT_TRUE(same_bits(plans.run(*plans.scatter, strided).view(), from_dense.view()))
        << "strides along h " << row << ", w " << step;
  }
}

TEST_P(Scatter, KeepsWhatIsNotFiniteToTheOutputsThatSeeIt) {
  check_infinities(large_problems(), GetParam(), &Plans::scatter);
}

// Phases of 5 taps have no transform.
TEST_P(Scatter, IsWhatALayerOfFewChannelsComputesWithUnlessToldOtherwise) {
  Random random(17);
  Case c = make_case(make_problem({2}, {40, 37}, 128, 3, {9, 9}, {2, 2}, {1, 1}, "SAME"),
                     DType::kFloat32, Values::kNormal, random);
  c.arithmetic = Arithmetic::kFast;
  const ConvolutionTranspose layer = layer_of(c, GetParam(), "relu");
  const KernelChoice fast = layer.kernel_choice(c.input_shape());
  ASSERT_EQ(fast.strategy, "scatter");
  EXPECT_EQ(fast.arithmetic, Arithmetic::kFast);
  const Tensor x = c.input();
  const Tensor y = layer(x);
  EXPECT_TRUE(same_bits(layer(x, {.threads = 3}).view(), y.view()));
  c.arithmetic = Arithmetic::kDirect;
  const ConvolutionTranspose direct = layer_of(c, GetParam(), "relu");
  EXPECT_EQ(direct.kernel_choice(c.input_shape()).arithmetic, Arithmetic::kDirect);
  EXPECT_LE(errors_of(values_of(y), values_of(direct(x))).largest,
            32 * epsilon_of(DType::kFloat32) * Expected(c).magnitude);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Scatter, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
