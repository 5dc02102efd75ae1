// Toom-Cook (Winograd) transforms F(m, r): m outputs of a correlation with r taps in m + r - 1
// multiplications, derived from interpolation points in rational arithmetic.
//
//   y[i] = sum over j of g[j] * d[i + j]          0 <= i < m, 0 <= j < r, n = m + r - 1 inputs d
//   y    = A ((G g) . (B d))                      . is element by element
//
// A correlation is the transpose of a polynomial product. The product of polynomials of degrees
// m - 1 and r - 1 has n coefficients, so its values at n points (the last at infinity: the leading
// coefficient) determine it; evaluation gives A and G, Lagrange's interpolation B, transposed.
// (S. Winograd, Arithmetic Complexity of Computations, 1980; with the names of A. Lavin and S.
// Gray, Fast Algorithms for Convolutional Neural Networks, 2016: A, B here are their A^T, B^T.) B
// depends on n alone, so one input transform serves all pairs of the same n.
#pragma once

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "upconv/version.h"

// The library has this file, too: its weights' transforms are the kernels' own.
namespace upconv::UPCONV_ABI::internal {

/// A fraction in lowest terms, denominator positive. No overflow occurs at the sizes used here.
struct Rational {
  std::int64_t numerator = 0, denominator = 1;

  constexpr Rational() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a whole number is a rational one.
  constexpr Rational(std::int64_t n, std::int64_t d = 1) {
    const std::int64_t sign = d < 0 ? -1 : 1, divisor = std::gcd(n, d);
    numerator = sign * n / divisor;
    denominator = sign * d / divisor;
  }
  constexpr double value() const {
    return static_cast<double>(numerator) / static_cast<double>(denominator);
  }
  friend constexpr Rational operator+(Rational a, Rational b) {
    return {a.numerator * b.denominator + b.numerator * a.denominator,
            a.denominator * b.denominator};
  }
  friend constexpr Rational operator-(Rational a, Rational b) { return a + b * -1; }
  friend constexpr Rational operator*(Rational a, Rational b) {
    return {a.numerator * b.numerator, a.denominator * b.denominator};
  }
  friend constexpr Rational operator/(Rational a, Rational b) {
    return {a.numerator * b.denominator, a.denominator * b.numerator};
  }
  friend constexpr bool operator==(Rational a, Rational b) = default;
};

using RationalMatrix = std::vector<std::vector<Rational>>;

struct ToomCook {
  RationalMatrix output;  ///< A: m rows of n
  RationalMatrix filter;  ///< G: n rows of r
  RationalMatrix input;   ///< B: n rows of n
};

/// The first finite points are used. With each point comes its negative or its negative inverse,
/// which keeps the errors of float sums small: 2 and -1/2 rather than 2 and -2 (docs/accuracy.md).
inline const std::vector<Rational>& toom_cook_points() {
  static const std::vector<Rational> points = {0, 1, -1, 2, {-1, 2}};
  return points;
}

/// F(m, r), m, r >= 1, with at most one point more than toom_cook_points() has. F(1, 1) multiplies
/// by one.
inline ToomCook toom_cook(int m, int r) {
  const int n = m + r - 1, finite = n - 1;
  const std::vector<Rational>& points = toom_cook_points();
  // Coefficients of the product of (x - p_k) over all finite points but `left_out`.
  const auto product = [&](int left_out) {
    std::vector<Rational> coefficients = {1};
    for (int k = 0; k < finite; ++k) {
      if (k == left_out) continue;
      const Rational p = points[static_cast<std::size_t>(k)];
      coefficients.emplace_back(0);
      for (std::size_t at = coefficients.size() - 1; at > 0; --at) {
        coefficients[at] = coefficients[at - 1] - p * coefficients[at];
      }
      coefficients[0] = coefficients[0] * p * -1;
    }
    coefficients.resize(static_cast<std::size_t>(n));
    return coefficients;
  };
  // Rows of powers p^0 ... p^(count - 1), times `factor`.
  const auto powers = [](Rational p, int count, Rational factor) {
    std::vector<Rational> row;
    for (int i = 0; i < count; ++i, factor = factor * p) row.push_back(factor);
    return row;
  };
  const auto leading = [](int count) {
    std::vector<Rational> row(static_cast<std::size_t>(count));
    row.back() = 1;
    return row;
  };

  ToomCook transform;
  RationalMatrix columns;  // of A
  for (int k = 0; k < finite; ++k) {
    const Rational p = points[static_cast<std::size_t>(k)];
    Rational others = 1;
    for (int j = 0; j < finite; ++j) {
      if (j != k) others = others * (p - points[static_cast<std::size_t>(j)]);
    }
    columns.push_back(powers(p, m, 1));
    transform.filter.push_back(powers(p, r, Rational(1) / others));
    transform.input.push_back(product(k));
  }
  columns.push_back(leading(m));
  transform.filter.push_back(leading(r));
  transform.input.push_back(product(-1));
  for (int i = 0; i < m; ++i) {
    std::vector<Rational> row;
    for (const auto& column : columns) row.push_back(column[static_cast<std::size_t>(i)]);
    transform.output.push_back(std::move(row));
  }
  return transform;
}

/// How much larger the root mean square error of a long float sum becomes along one axis, compared
/// with summing the r taps one by one (docs/accuracy.md has the derivation). Axes multiply.
inline double error_growth(int m, int r) {
  const ToomCook transform = toom_cook(m, r);
  const auto square_sum = [](const std::vector<Rational>& row) {
    double sum = 0;
    for (const Rational& entry : row) sum += entry.value() * entry.value();
    return sum;
  };
  double total = 0;
  for (const auto& row : transform.output) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      total += row[j].value() * row[j].value() * square_sum(transform.filter[j]) *
               square_sum(transform.input[j]);
    }
  }
  return std::sqrt(total / m) / r;
}

}  // namespace upconv::UPCONV_ABI::internal
