// What holds for every layer: the reference's values, on every ISA, for every thread count.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "layers.h"

namespace upconv::test {
namespace {

/// A seed per case, printed when it fails: `Random random(seed)` repeats it.
class LayerProperty : public testing::TestWithParam<Isa> {
 protected:
  Isa isa() const { return GetParam(); }
};

constexpr std::uint64_t kSeed = 20261122;

TEST_P(LayerProperty, IntegerValuesMatchTheReferenceExactly) {
  for (std::uint64_t n = 0; n < 600; ++n) {
    Random random(kSeed + n);
    const Problem problem = random_problem(random);
    const DType dtype = n % 4 == 3 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(problem, dtype, Values::kIntegers, random);
    ConvolutionTransposeOptions options = c.options();
    options.isa = isa();
    const ConvolutionTranspose layer(options);
    ASSERT_TRUE(matches_reference(c, Values::kIntegers, layer(c.input()))) << "seed " << kSeed + n;
  }
}

TEST_P(LayerProperty, NormalValuesMatchTheReferenceWithinTheSumsRoundingError) {
  for (std::uint64_t n = 0; n < 200; ++n) {
    Random random(2 * kSeed + n);
    const Problem problem = random_problem(random);
    const DType dtype = n % 2 == 1 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(problem, dtype, Values::kNormal, random);
    ConvolutionTransposeOptions options = c.options();
    options.isa = isa();
    const ConvolutionTranspose layer(options);
    ASSERT_TRUE(matches_reference(c, Values::kNormal, layer(c.input())))
        << "seed " << 2 * kSeed + n;
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, LayerProperty, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
