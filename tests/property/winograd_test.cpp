// The winograd strategy computes what the definition says, within its stated error, and the same
// bits for every number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cases.h"
#include "checks.h"
#include "layers.h"
#include "plans.h"
#include "rounding.h"
#include "toom_cook.h"

namespace upconv::test {
namespace {

class Winograd : public testing::TestWithParam<Isa> {};

/// A plan of a layer: as it is, or with its phases as channels.
using PlanOf = std::shared_ptr<const internal::Plan> Plans::*;
constexpr PlanOf kBoth[] = {&Plans::winograd, &Plans::folded};

TEST_P(Winograd, IsTheDefinitionOnRandomLayers) {
  for (const PlanOf plan : kBoth) {
    const bool foldable = plan == &Plans::folded;
    std::uint64_t accepted = 0;
    for (std::uint64_t seed = 1; seed <= cases(250); ++seed) {
      Random random(seed);
      const Problem problem = random_winograd_problem(random, foldable);
      const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
      const Case c = make_case(problem, dtype, Values::kNormal, random);
      const Plans plans(c, GetParam());
      if (plans.*plan == nullptr) continue;
      ++accepted;
      const std::vector<double> got = values_of(plans.run(*(plans.*plan), c.input()));
      const Expected expected(c);
      ASSERT_EQ(got.size(), expected.values.size());
      EXPECT_LE(errors_of(got, expected.values).largest,
                16 * epsilon_of(dtype) * expected.magnitude)
          << "seed " << seed << " " << problem.text() << (foldable ? " folded" : "");
    }
    // A layer whose strides are all 1 has no fold.
    EXPECT_GT(accepted, cases(foldable ? 180 : 240));
  }
}

/// Layers of many rounds, parts and classes; a transform of every size.
const std::vector<Problem>& large_problems() {
  static const std::vector<Problem> all = {
      make_problem({1}, {33, 25}, 64, 96, {4, 4}, {2, 2}, {1, 1}, "SAME"),
      make_problem({1}, {30, 41}, 48, 70, {3, 3}, {2, 2}, {1, 1}, "SAME"),
      make_problem({1}, {40, 40}, 32, 48, {3, 3}, {1, 1}, {1, 1}, "SAME"),
      make_problem({1}, {23, 31}, 40, 33, {3, 3}, {1, 1}, {2, 3}, "VALID"),
      make_problem({2}, {900}, 64, 24, {16}, {8}, {1}, "SAME"),
      make_problem({1}, {700}, 48, 24, {8}, {2}, {1}, "SAME"),
      make_problem({1}, {9, 10, 11}, 32, 24, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}, "SAME"),
      make_problem({1}, {12, 17}, 64, 40, {5, 4}, {2, 3}, {3, 1}, "VALID"),
      make_problem({1}, {33, 30}, 16, 1, {9, 9}, {4, 4}, {1, 1}, "SAME"),
      make_problem({1}, {33, 30}, 24, 3, {4, 4}, {2, 2}, {1, 1}, "SAME"),
      make_problem({1}, {300}, 32, 1, {64}, {16}, {1}, "SAME"),
  };
  return all;
}

TEST_P(Winograd, HasTheSameBitsForEveryNumberOfThreads) {
  for (const Problem& problem : large_problems()) {
    Random random(11);
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const Plans plans(c, GetParam());
    ASSERT_NE(plans.winograd, nullptr) << problem.text();
    for (const PlanOf plan : kBoth) {
      if (plans.*plan == nullptr) continue;
      plans.run_on_any_threads(*(plans.*plan), c.input(), problem.text());
    }
  }
}

// The contract of Arithmetic::kFast (docs/accuracy.md).
TEST_P(Winograd, RootMeanSquareErrorIsBelowFourTimesTheDirectOne) {
  for (const Problem& problem : large_problems()) {
    for (const bool positive : {false, true}) {
      const Case c = normal_case(problem, positive);
      const Plans plans(c, GetParam());
      ASSERT_NE(plans.winograd, nullptr) << problem.text();
      const Expected expected(c);
      const Tensor x = c.input();
      const Errors direct = errors_of(values_of(plans.run(*plans.wide, x)), expected.values);
      for (const PlanOf plan : kBoth) {
        if (plans.*plan == nullptr) continue;
        const Errors fast = errors_of(values_of(plans.run(*(plans.*plan), x)), expected.values);
        EXPECT_LT(fast.rms, 4 * direct.rms) << problem.text() << (positive ? " positive" : "");
        EXPECT_LE(fast.largest, 16 * epsilon_of(DType::kFloat32) * expected.magnitude);
      }
    }
  }
}

TEST_P(Winograd, AppliesActivationsAndResidualsAndWritesOnlyItsChannels) {
  for (const char* activation : {"linear", "relu6", "tanh"}) {
    for (std::uint64_t seed = 1; seed <= cases(60); ++seed) {
      Random random(seed);
      const PlanOf plan = kBoth[seed / 2 % 2];
      const Problem problem = random_winograd_problem(random, plan == &Plans::folded);
      const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
      const Plans plans(c, GetParam(), activation);
      if (plans.*plan == nullptr) continue;
      const Tensor x = c.input();
      CallOptions call;
      const Tensor residual = plans.run(*plans.wide, x);
      if (seed % 2 == 0) call.residual = residual;
      const std::vector<double> expected = values_of(plans.run(*plans.wide, x, call));

      MiddleChannels middle(residual.shape());
      const TensorView into = middle.view();
      plans.run(*(plans.*plan), x, call, &into);
      // No activation here has a slope above 1.
      EXPECT_LE(errors_of(values_of(into), expected).largest,
                32 * epsilon_of(DType::kFloat32) * Expected(c).magnitude)
          << activation << " seed " << seed << " " << problem.text();
      middle.expect_others_untouched(std::string(activation) + " seed " + std::to_string(seed));
      const Tensor dense = plans.run(*(plans.*plan), x, call);
      EXPECT_TRUE(same_bits(dense.view(), into)) << activation << " seed " << seed;
    }
  }
}

TEST_P(Winograd, ReadsStridedInputs) {
  const Problem problem = make_problem({2}, {9, 11}, 24, 20, {4, 3}, {2, 1}, {1, 2}, "SAME");
  Random random(2);
  const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  const Plans plans(c, GetParam());
  ASSERT_NE(plans.winograd, nullptr);
  const Tensor x = c.input();
  const Tensor expected = plans.run(*plans.winograd, x);
  const BackwardsRows backwards(x);
  EXPECT_TRUE(same_bits(plans.run(*plans.winograd, backwards.view()).view(), expected.view()));
}

TEST_P(Winograd, KeepsANonFiniteInputToTheTilesThatReadIt) {
  const Problem problem = make_problem({1}, {40, 40}, 32, 16, {3, 3}, {1, 1}, {1, 1}, "SAME");
  Random random(3);
  Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  c.x[(20 * 40 + 20) * 32 + 7] = std::numeric_limits<double>::infinity();
  const Plans plans(c, GetParam());
  ASSERT_NE(plans.winograd, nullptr);
  const std::vector<double> y = values_of(plans.run(*plans.winograd, c.input()));
  for (Index h = 0; h < 40; ++h) {
    for (Index w = 0; w < 40; ++w) {
      // A tile has at most 4 outputs per axis: 3 further than the filter reaches.
      const bool far = std::max(std::abs(h - 20), std::abs(w - 20)) > 1 + 3;
      const double value = y[static_cast<std::size_t>((h * 40 + w) * 16)];
      if (far) {
        EXPECT_TRUE(std::isfinite(value)) << h << " " << w;
      } else if (h == 20 && w == 20) {
        EXPECT_FALSE(std::isfinite(value));
      }
    }
  }
}

TEST_P(Winograd, RefusesWeightsThatAreNotFinite) {
  Random random(5);
  Case c = make_case(make_problem({1}, {9}, 16, 16, {4}, {2}, {1}, "SAME"), DType::kFloat32,
                     Values::kNormal, random);
  EXPECT_NE(Plans(c, GetParam()).winograd, nullptr);
  c.kernel[11] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(Plans(c, GetParam()).winograd, nullptr);
}

TEST_P(Winograd, IsWhatALayerComputesWithUnlessToldOtherwise) {
  Random random(17);
  Case c = make_case(make_problem({2}, {40, 37}, 64, 70, {3, 3}, {1, 1}, {1, 1}, "SAME"),
                     DType::kFloat32, Values::kNormal, random);
  c.arithmetic = Arithmetic::kFast;
  const ConvolutionTranspose layer = layer_of(c, GetParam(), "relu");
  ASSERT_EQ(layer.kernel_choice(c.input_shape()).strategy, "winograd");
  const Tensor x = c.input();
  const Tensor y = layer(x);
  EXPECT_TRUE(same_bits(layer(x, {.threads = 3}).view(), y.view()));
  c.arithmetic = Arithmetic::kDirect;
  const Tensor direct = layer_of(c, GetParam(), "relu")(x);
  EXPECT_LE(errors_of(values_of(y), values_of(direct)).largest,
            32 * epsilon_of(DType::kFloat32) * Expected(c).magnitude);
  EXPECT_FALSE(same_bits(direct.view(), y.view()));
}

TEST_P(Winograd, IsNeverChosenForDirectArithmetic) {
  ConvolutionTransposeOptions options{.input_size = 256,
                                      .output_size = 256,
                                      .filter_shape = 3,
                                      .padding = "SAME",
                                      .isa = GetParam()};
  const Dims shape = {1, 64, 64, 256};
  const KernelChoice fast = ConvolutionTranspose(options).kernel_choice(shape);
  EXPECT_EQ(fast.strategy, "winograd");
  EXPECT_EQ(fast.arithmetic, Arithmetic::kFast);
  options.arithmetic = Arithmetic::kDirect;
  const KernelChoice direct = ConvolutionTranspose(options).kernel_choice(shape);
  EXPECT_EQ(direct.strategy, "wide");
  EXPECT_EQ(direct.arithmetic, Arithmetic::kDirect);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Winograd, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
