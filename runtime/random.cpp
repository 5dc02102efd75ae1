// Only +, -, *, / and square roots (which IEEE 754 defines to the last bit) go into a number, so
// the same seed means the same weights on every machine; std::log and std::cos differ between
// libraries.
#include "random.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a bijection
/// that turns a counter into random bits. No state, so any element can be made on its own.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t seed) {
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
    key0 += 0x9E3779B9;  // the golden ratio and sqrt(3) - 1, as in the paper
    key1 += 0xBB67AE85;
  }
  return counter;
}

/// 64 random bits for draw number `draw` of element `index`.
std::uint64_t random_bits(std::uint64_t seed, Index index, std::uint32_t draw) {
  const auto position = static_cast<std::uint64_t>(index);
  const auto block = philox(
      {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), draw, 0},
      seed);
  return (std::uint64_t{block[1]} << 32) | block[0];
}

/// In (0, 1), an odd multiple of 2^-53: never an end, where the normal quantile is infinite.
double open_unit(std::uint64_t bits) { return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52; }

/// Natural logarithm of a positive normal number, to about 1e-15.
double portable_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // in [0.5, 1)
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  // log(m) = 2 atanh((m - 1) / (m + 1)); the argument is below 0.172, so 12 terms are enough.
  const double t = (mantissa - 1) / (mantissa + 1);
  double sum = 0;
  for (int power = 23; power >= 1; power -= 2) sum = sum * t * t + 1.0 / power;
  return exponent * std::numbers::ln2 + 2 * t * sum;
}

template <std::size_t N>
double polynomial(const std::array<double, N>& coefficients, double x) {
  double sum = 0;
  for (std::size_t i = N; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

/// The normal quantile function: Wichura 1988, algorithm AS 241 (PPND16), to about 1e-16.
double normal_quantile(double p) {
  constexpr std::array kA = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                             1.9715909503065514427e+3, 1.3731693765509461125e+4,
                             4.5921953931549871457e+4, 6.7265770927008700853e+4,
                             3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr std::array kB = {1.0,
                             4.2313330701600911252e+1,
                             6.8718700749205790830e+2,
                             5.3941960214247511077e+3,
                             2.1213794301586595867e+4,
                             3.9307895800092710610e+4,
                             2.8729085735721942674e+4,
                             5.2264952788528545610e+3};
  constexpr std::array kC = {1.42343711074968357734e0,  4.63033784615654529590e0,
                             5.76949722146069140550e0,  3.64784832476320460504e0,
                             1.27045825245236838258e0,  2.41780725177450611770e-1,
                             2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr std::array kD = {1.0,
                             2.05319162663775882187e0,
                             1.67638483018380384940e0,
                             6.89767334985100004550e-1,
                             1.48103976427480074590e-1,
                             1.51986665636164571966e-2,
                             5.47593808499534494600e-4,
                             1.05075007164441684324e-9};
  constexpr std::array kE = {6.65790464350110377720e0,  5.46378491116411436990e0,
                             1.78482653991729133580e0,  2.96560571828504891230e-1,
                             2.65321895265761230930e-2, 1.24266094738807843860e-3,
                             2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr std::array kF = {1.0,
                             5.99832206555887937690e-1,
                             1.36929880922735805310e-1,
                             1.48753612908506148525e-2,
                             7.86869131145613259100e-4,
                             1.84631831751005468180e-5,
                             1.42151175831644588870e-7,
                             2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kA, r) / polynomial(kB, r);
  }
  const double r = std::sqrt(-portable_log(q < 0 ? p : 1 - p));
  const double size = r <= 5 ? polynomial(kC, r - 1.6) / polynomial(kD, r - 1.6)
                             : polynomial(kE, r - 5) / polynomial(kF, r - 5);
  return q < 0 ? -size : size;
}

/// Draw number `draw` of element `index`.
double draw_standard_normal(std::uint64_t seed, Index index, std::uint32_t draw) {
  return normal_quantile(open_unit(random_bits(seed, index, draw)));
}

}  // namespace

double standard_uniform(std::uint64_t seed, Index index) {
  return static_cast<double>(random_bits(seed, index, 0) >> 11) * 0x1p-53;
}

double standard_normal(std::uint64_t seed, Index index) {
  return draw_standard_normal(seed, index, 0);
}

double truncated_standard_normal(std::uint64_t seed, Index index) {
  double value = 0;
  std::uint32_t draw = 0;
  do {  // one draw in 22 is outside and is made again
    value = draw_standard_normal(seed, index, draw++);
  } while (std::abs(value) > 2);
  return value;
}

}  // namespace upconv::UPCONV_ABI::internal
