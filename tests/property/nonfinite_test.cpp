// NaN and infinity go where the taps take them, and nowhere else: nothing is multiplied by a zero
// that stride, dilation, a border, a gap or a padded channel put there.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261125;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A case of ones (no zero can hide a path, no sum can cancel).
Case ones(Random& random) {
  const Problem problem = random_problem(random);
  Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
  for (std::vector<double>* values : {&c.x, &c.kernel, &c.bias}) {
    std::fill(values->begin(), values->end(), 1);
  }
  return c;
}

/// 1 where the result depends on the marked elements, by the reference, else 0.
std::vector<double> reached(const Case& c, const std::vector<double>& x,
                            const std::vector<double>& kernel, const std::vector<double>& bias) {
  std::vector<double> sums = reference(c.problem, x, kernel, bias);
  for (double& value : sums) value = value > 0 ? 1 : 0;
  return sums;
}

/// Compares a result with the reference's for finite values where nothing was reached.
void check(const Case& c, const std::vector<double>& got, const std::vector<double>& marks,
           double poison, const std::vector<double>& finite, const std::string& what) {
  ASSERT_EQ(got.size(), marks.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (marks[i] == 0) {
      ASSERT_EQ(got[i], finite[i]) << "element " << i << ", " << what << c.problem.text();
    } else if (std::isnan(poison)) {
      ASSERT_TRUE(std::isnan(got[i])) << "element " << i << ", " << what << c.problem.text();
    } else {
      ASSERT_EQ(got[i], poison) << "element " << i << ", " << what << c.problem.text();
    }
  }
}

class NonFinite : public testing::TestWithParam<Isa> {
 protected:
  std::vector<double> apply(const Case& c) const {
    return values_of(layer_of(c, GetParam())(c.input()));
  }
};

TEST_P(NonFinite, AnInputElementReachesExactlyTheOutputsItsTapsReach) {
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(150); ++seed) {
    Random random(seed);
    Case c = ones(random);
    const std::vector<double> finite = reference(c.problem, c.x, c.kernel, c.bias);
    const std::size_t at =
        static_cast<std::size_t>(draw(random, 0, static_cast<Index>(c.x.size()) - 1));
    std::vector<double> mark(c.x.size(), 0);
    mark[at] = 1;
    const std::vector<double> marks = reached(c, mark, c.kernel, {});
    for (const double poison : {kNaN, kInf, -kInf}) {
      c.x[at] = poison;
      check(c, apply(c), marks, poison, finite,
            "input element " + std::to_string(at) + ", seed " + std::to_string(seed) + ", ");
    }
  }
}

TEST_P(NonFinite, AWeightReachesExactlyTheOutputsWhoseTapItIs) {
  // Where the tap falls outside the input it must be left out, not multiplied by zero.
  for (std::uint64_t seed = 2 * kSeed; seed < 2 * kSeed + cases(150); ++seed) {
    Random random(seed);
    Case c = ones(random);
    const std::vector<double> finite = reference(c.problem, c.x, c.kernel, c.bias);
    const std::size_t at =
        static_cast<std::size_t>(draw(random, 0, static_cast<Index>(c.kernel.size()) - 1));
    std::vector<double> mark(c.kernel.size(), 0);
    mark[at] = 1;
    const std::vector<double> marks = reached(c, c.x, mark, {});
    for (const double poison : {kNaN, kInf}) {
      c.kernel[at] = poison;
      check(c, apply(c), marks, poison, finite,
            "weight " + std::to_string(at) + ", seed " + std::to_string(seed) + ", ");
    }
  }
}

TEST_P(NonFinite, InfiniteWeightsMakeNoNaNAtBordersAndInGaps) {
  // Every weight infinite, every input 1: an output is inf where any tap reaches it, else the bias.
  for (std::uint64_t seed = 3 * kSeed; seed < 3 * kSeed + cases(150); ++seed) {
    Random random(seed);
    Case c = ones(random);
    const std::vector<double> alone(c.x.size(), 0);
    const std::vector<double> bias_only = reference(c.problem, alone, c.kernel, c.bias);
    const std::vector<double> marks = reached(c, c.x, c.kernel, {});
    std::fill(c.kernel.begin(), c.kernel.end(), kInf);
    check(c, apply(c), marks, kInf, bias_only, "seed " + std::to_string(seed) + ", ");
  }
}

TEST_P(NonFinite, ABiasStaysInItsChannel) {
  for (std::uint64_t seed = 4 * kSeed; seed < 4 * kSeed + cases(60); ++seed) {
    Random random(seed);
    Case c = ones(random);
    c.use_bias = true;
    c.bias.assign(static_cast<std::size_t>(c.problem.output_size), 1);
    const std::vector<double> finite = reference(c.problem, c.x, c.kernel, c.bias);
    const Index channel = draw(random, 0, c.problem.output_size - 1);
    c.bias[static_cast<std::size_t>(channel)] = kNaN;
    std::vector<double> marks(finite.size());
    for (std::size_t i = 0; i < marks.size(); ++i) {
      marks[i] = static_cast<Index>(i) % c.problem.output_size == channel;
    }
    check(c, apply(c), marks, kNaN, finite, "seed " + std::to_string(seed) + ", ");
  }
}

TEST_P(NonFinite, NaNPassesThroughEveryActivation) {
  for (const std::string_view name : activation_names()) {
    for (const Index channels : {3, 8, 24}) {
      ConvolutionTranspose layer({.input_size = 1,
                                  .output_size = channels,
                                  .filter_shape = 2,
                                  .rank = 1,
                                  .init_kernel_fn = initializers::ones(),
                                  .activation_fn = name,
                                  .isa = GetParam()});
      const std::vector<double> y =
          values_of(layer(tensor_of(DType::kFloat32, {3, 1}, {1, kNaN, 1})));
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::size_t pixel = i / static_cast<std::size_t>(channels);
        EXPECT_EQ(std::isnan(y[i]), pixel == 1 || pixel == 2) << name << ", element " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, NonFinite, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
