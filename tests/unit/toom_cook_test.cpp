// The transforms of generators/toom_cook.h against the definition, in rational arithmetic.
#include "toom_cook.h"

#include <gtest/gtest.h>

namespace upconv::internal {
namespace {

/// Element `row` of matrix times vector.
Rational times(const RationalMatrix& matrix, std::size_t row, const std::vector<Rational>& vector) {
  Rational sum;
  for (std::size_t k = 0; k < vector.size(); ++k) sum = sum + matrix[row][k] * vector[k];
  return sum;
}

std::vector<Rational> unit(int size, int at) {
  std::vector<Rational> vector(static_cast<std::size_t>(size));
  vector[static_cast<std::size_t>(at)] = 1;
  return vector;
}

// Both sides are linear in the filter and in the inputs, so unit vectors are all there is to check.
TEST(ToomCook, IsTheCorrelationExactly) {
  for (int m = 1; m <= 5; ++m) {
    for (int r = 1; m + r - 1 <= 6; ++r) {
      const ToomCook transform = toom_cook(m, r);
      const int n = m + r - 1;
      for (int j = 0; j < r; ++j) {
        for (int k = 0; k < n; ++k) {
          const std::vector<Rational> g = unit(r, j), d = unit(n, k);
          std::vector<Rational> product;
          for (std::size_t p = 0; p < static_cast<std::size_t>(n); ++p) {
            product.push_back(times(transform.filter, p, g) * times(transform.input, p, d));
          }
          for (int i = 0; i < m; ++i) {
            EXPECT_EQ(times(transform.output, static_cast<std::size_t>(i), product),
                      Rational(i + j == k ? 1 : 0))
                << "F(" << m << ", " << r << ") g" << j << " d" << k << " y" << i;
          }
        }
      }
    }
  }
}

TEST(ToomCook, InputTransformDependsOnTheNumberOfPointsAlone) {
  for (int n = 1; n <= 6; ++n) {
    for (int r = 2; r <= n; ++r) {
      EXPECT_EQ(toom_cook(n + 1 - r, r).input, toom_cook(n, 1).input) << n << " " << r;
    }
  }
}

TEST(ToomCook, OfOneOutputAndOneTapMultipliesByOne) {
  const RationalMatrix one = {{1}};
  EXPECT_EQ(toom_cook(1, 1).output, one);
  EXPECT_EQ(toom_cook(1, 1).filter, one);
  EXPECT_EQ(toom_cook(1, 1).input, one);
}

TEST(ToomCook, FractionsAreInLowestTermsWithAPositiveDenominator) {
  EXPECT_EQ(Rational(2, -4), Rational(-1, 2));
  EXPECT_EQ(Rational(-1, 2) - Rational(1, 3), Rational(-5, 6));
  EXPECT_EQ(Rational(3) / Rational(-9, 2), Rational(-2, 3));
  EXPECT_EQ(Rational(0, 7).denominator, 1);
}

// What docs/accuracy.md says.
TEST(ToomCook, ErrorGrowthIsWhatIsWrittenDown) {
  const struct {
    int m, r;
    double growth;
  } written[] = {{1, 1, 1.00}, {2, 2, 1.00}, {3, 2, 0.91}, {4, 2, 1.79},
                 {2, 3, 0.75}, {3, 3, 1.41}, {4, 3, 1.52}, {2, 4, 1.27}};
  for (const auto& row : written) {
    EXPECT_NEAR(error_growth(row.m, row.r), row.growth, 0.005)
        << "F(" << row.m << ", " << row.r << ")";
  }
}

}  // namespace
}  // namespace upconv::internal
