// What activations must give: in long double, with the arguments of the two gelus held to more
// digits still.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "upconv/activation.h"

namespace upconv::test {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Real = long double;
#ifdef __SIZEOF_FLOAT128__
__extension__ using Wide = __float128;
#else
using Wide = long double;  // 113 bits where there is no __float128
#endif

inline Real logistic(Real u) {
  return u < 0 ? std::exp(u) / (1 + std::exp(u)) : 1 / (1 + std::exp(-u));
}

inline Real gelu(Real v) {
  const Wide sqrt2 = Wide(0x1.6a09e667f3bcdp+0) + Wide(-0x1.bdd3413b26456p-54);
  const Wide argument = -Wide(v) / sqrt2;
  const Real a = static_cast<Real>(argument);
  const Real lost = static_cast<Real>(argument - Wide(a));
  const Real two_over_sqrt_pi = 1.128379167095512573896158903121545172L;
  return v / 2 * (std::erfc(a) - lost * two_over_sqrt_pi * std::exp(-a * a));
}

inline Real gelu_tanh(Real v) {
  const Wide c = Wide(0x1.9884533d43651p+0) + Wide(-0x1.cbc0d30ebfd15p-54);  // 2 sqrt(2 / pi)
  const Wide argument = c * Wide(v) * (1 + Wide(44715) / 1000000 * Wide(v) * Wide(v));
  const Real u = static_cast<Real>(argument);
  const Real lost = static_cast<Real>(argument - Wide(u));
  return v * logistic(u) * (1 + lost * logistic(-u));
}

/// The activation of a finite v; p0 and p1 as the kernels have them.
inline Real reference(ActivationKind kind, Real v, Real p0, Real p1) {
  switch (kind) {
    case ActivationKind::kClamp:
      return std::min(std::max(v, p0), p1);
    case ActivationKind::kLeakyRelu:
      return v > 0 ? v : p0 * v;
    case ActivationKind::kElu:
      return v > 0 ? v : std::expm1(v);
    case ActivationKind::kSelu:
      return 1.0507009873554805L * (v > 0 ? v : 1.6732632423543772L * std::expm1(v));
    case ActivationKind::kGelu:
      return std::fabs(v) > 100 ? std::max(v, Real(0)) : gelu(v);
    case ActivationKind::kGeluTanh:
      return std::fabs(v) > 100 ? std::max(v, Real(0)) : gelu_tanh(v);
    case ActivationKind::kSigmoid:
      return logistic(v);
    case ActivationKind::kTanh:
      return std::tanh(v);
    case ActivationKind::kSoftplus:
      return v > 40 ? v + std::exp(-v) : std::log1p(std::exp(v));
    case ActivationKind::kSilu:
      return v * logistic(v);
    case ActivationKind::kHardSwish:
      return v <= -3 ? 0 : v >= 3 ? v : v * (v + 3) / 6;
    default:
      ADD_FAILURE() << "no reference";
      return 0;
  }
}

struct Limits {
  double at_minus_infinity, at_infinity;
};

inline Limits limits(ActivationKind kind, double p0, double p1) {
  switch (kind) {
    case ActivationKind::kClamp:
      return {p0, p1};
    case ActivationKind::kLeakyRelu:
      return {p0 * -kInf, kInf};
    case ActivationKind::kElu:
      return {-1, kInf};
    case ActivationKind::kSelu:
      return {-1.0507009873554805 * 1.6732632423543772, kInf};
    case ActivationKind::kSigmoid:
      return {0, 1};
    case ActivationKind::kTanh:
      return {-1, 1};
    default:
      return {0, kInf};
  }
}

/// The distance of `result` from the correctly rounded value of `exact`, in units of the last place
/// of T there; below the normal numbers, of the least of them.
template <typename T>
double ulps(T result, Real exact) {
  using Numbers = std::numeric_limits<T>;
  const T rounded = static_cast<T>(exact);
  if (rounded == result) return 0;  // infinities too
  const int exponent = exact == 0 ? Numbers::min_exponent - 1
                                  : std::max(std::ilogb(exact), Numbers::min_exponent - 1);
  const Real unit = std::ldexp(Real(1), exponent - (Numbers::digits - 1));
  return static_cast<double>(std::fabs(Real(result) - Real(rounded)) / unit);
}

}  // namespace upconv::test
