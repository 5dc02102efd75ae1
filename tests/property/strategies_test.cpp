// The direct strategies compute every layer that they accept, whatever the choice among them would
// be, and they agree bit for bit (but for the sign of a zero: the narrow one adds products with the
// zeros around x).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "cases.h"
#include "checks.h"
#include "layers.h"
#include "plans.h"

namespace upconv::test {
namespace {

class Strategies : public testing::TestWithParam<Isa> {};

TEST_P(Strategies, AgreeOnRandomLayers) {
  std::uint64_t narrow = 0;
  for (std::uint64_t seed = 1; seed <= cases(400); ++seed) {
    Random random(seed);
    const Problem problem = random_problem(random);
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(problem, dtype, Values::kNormal, random);
    const Plans plans(c, GetParam());
    if (plans.narrow == nullptr) continue;
    ++narrow;
    const Tensor x = c.input();
    ASSERT_EQ(values_of(plans.run(*plans.narrow, x)), values_of(plans.run(*plans.wide, x)))
        << "seed " << seed << " " << problem.text();
  }
  EXPECT_GT(narrow, cases(350));
}

// Layers that the narrow strategy cuts into many strips, sets of rows or pieces.
const std::vector<Problem>& cut_problems() {
  static const std::vector<Problem> all = {
      make_problem({2}, {37, 41}, 61, 1, {9, 9}, {3, 3}, {1, 1}, "SAME"),  // strips of rows
      make_problem({2}, {19, 23}, 56, 1, {9, 9}, {2, 2}, {1, 1}, "SAME"),  // a piece per tap row
      make_problem({2}, {700}, 130, 2, {16}, {8}, {1}, "SAME"),            // strips along a row
      make_problem({2}, {40}, 33, 3, {100}, {70}, {1}, "VALID"),  // sets of rows; bias alone
      make_problem({2}, {21}, 17, 2, {512}, {256}, {1}, "SAME"),  // long phases
      make_problem({2}, {9, 300}, 90, 3, {4, 4}, {2, 2}, {1, 1}, "SAME"),  // few rows a strip
      make_problem({2}, {5, 6, 31}, 20, 3, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}, "SAME"),
      make_problem({2}, {4, 7, 9}, 12, 2, {5, 3, 4}, {2, 3, 2}, {1, 2, 3},
                   "VALID"),  // many origins
      make_problem({2}, {50, 3}, 40, 5, {2, 7}, {3, 2}, {2, 3}, "SAME"),
      make_problem({2}, {300, 2}, 8, 4, {3, 3}, {1, 1}, {4, 1}, "SAME"),
  };
  return all;
}

TEST_P(Strategies, AgreeWhereWorkIsCut) {
  for (const Problem& problem : cut_problems()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      Random random(7);
      const Case c = make_case(problem, dtype, Values::kNormal, random);
      const Plans plans(c, GetParam());
      ASSERT_NE(plans.narrow, nullptr) << problem.text();
      const Tensor x = c.input();
      const std::vector<double> expected = values_of(plans.run(*plans.wide, x));
      EXPECT_EQ(values_of(plans.run(*plans.narrow, x)), expected) << problem.text();
      for (const int threads : {2, 5}) {
        EXPECT_EQ(values_of(plans.run(*plans.narrow, x, {.threads = threads})), expected)
            << threads << " threads " << problem.text();
      }
    }
  }
}

TEST_P(Strategies, AgreeOnResidualsActivationsAndChannelSlices) {
  for (const char* activation : {"linear", "relu6", "tanh"}) {
    for (std::uint64_t seed = 1; seed <= cases(40); ++seed) {
      Random random(seed);
      const Problem problem = random_problem(random);
      const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
      const Plans plans(c, GetParam(), activation);
      if (plans.narrow == nullptr) continue;
      const Tensor x = c.input();
      CallOptions call;
      const Tensor residual = plans.run(*plans.wide, x);
      if (seed % 2 == 0) call.residual = residual;
      const std::vector<double> expected = values_of(plans.run(*plans.wide, x, call));

      // Into the middle channels of a bigger tensor.
      MiddleChannels middle(residual.shape());
      const TensorView into = middle.view();
      plans.run(*plans.narrow, x, call, &into);
      ASSERT_EQ(values_of(into), expected) << activation << " seed " << seed;
      middle.expect_others_untouched(std::string(activation) + " seed " + std::to_string(seed));
    }
  }
}

TEST_P(Strategies, NarrowKeepsAnInfinityOfXToTheOutputsThatReadIt) {
  const Problem& problem = cut_problems()[0];
  Random random(3);
  Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  for (std::size_t i = 0; i < c.x.size(); i += 977) {
    c.x[i] =
        i % 2 ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  }
  const Plans plans(c, GetParam());
  const Tensor x = c.input();
  const std::vector<double> wide = values_of(plans.run(*plans.wide, x));
  const std::vector<double> narrow = values_of(plans.run(*plans.narrow, x));
  for (std::size_t i = 0; i < wide.size(); ++i) {
    ASSERT_TRUE(wide[i] == narrow[i] || (std::isnan(wide[i]) && std::isnan(narrow[i]))) << i;
  }
}

TEST_P(Strategies, NarrowRefusesWeightsThatAreNotFinite) {
  for (const double value :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    Random random(5);
    Case c = make_case(one_dimension(9, 4, 2, 1), DType::kFloat32, Values::kNormal, random);
    EXPECT_NE(Plans(c, GetParam()).narrow, nullptr);
    c.kernel[11] = value;
    EXPECT_EQ(Plans(c, GetParam()).narrow, nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Strategies, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
