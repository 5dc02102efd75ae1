// The initialisers that do not look at strides: constants and random numbers.
#include "upconv/initializers.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

#include "initializers_support.h"
#include "random.h"

namespace upconv::UPCONV_ABI::initializers {

namespace {

using internal::filled;
using internal::refuse;
using internal::require_finite;
using internal::standard_normal;
using internal::standard_uniform;
using internal::truncated_standard_normal;

/// [low, high) also after rounding to the dtype, which may take the largest numbers up to `high`.
Tensor uniform_tensor(const Dims& shape, DType dtype, double low, double high, std::uint64_t seed) {
  double most = high;
  if (low < high) {
    most = dtype == DType::kFloat32
               ? double{std::nextafter(static_cast<float>(high),
                                       -std::numeric_limits<float>::infinity())}
               : std::nextafter(high, low);
    most = std::max(low, most);  // an interval narrower than the dtype's steps
  }
  return filled(shape, dtype, [&](Index i) {
    const double u = standard_uniform(seed, i);
    // Not low + (high - low) * u: the difference may overflow.
    return std::clamp(low * (1 - u) + high * u, low, most);
  });
}

void check_normal(std::string_view who, double mean, double stddev) {
  require_finite(who, "mean", mean);
  require_finite(who, "stddev", stddev);
  if (stddev < 0) {
    refuse(who, "stddev is " + std::to_string(stddev) + "; it must be at least 0");
  }
}

enum class Mode { kAverage, kIn };

struct FanCounts {
  double in = 1;
  double out = 1;
};

FanCounts count_fans(const Dims& shape, Fans fans) {
  if (shape.empty()) return {};
  if (shape.size() == 1) {
    return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  }
  double taps = 1;
  for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) {
    taps *= static_cast<double>(shape[axis]);
  }
  const double out = static_cast<double>(shape.back());
  return {taps * static_cast<double>(shape[shape.size() - 2]),
          fans == Fans::kTfp2d ? out : taps * out};
}

/// scale / fan, the variance of a variance-scaling initialiser.
double scaled_variance(const Dims& shape, double scale, Mode mode, Fans fans) {
  const FanCounts counts = count_fans(shape, fans);
  const double fan = mode == Mode::kIn ? counts.in : (counts.in + counts.out) / 2;
  return scale / std::max(fan, 1.0);
}

Initializer variance_scaling_uniform(double scale, Mode mode, std::uint64_t seed, Fans fans) {
  return [=](const Dims& shape, DType dtype) {
    const double limit = std::sqrt(3 * scaled_variance(shape, scale, mode, fans));
    return uniform_tensor(shape, dtype, -limit, limit, seed);
  };
}

Initializer variance_scaling_normal(double scale, Mode mode, std::uint64_t seed, Fans fans) {
  return [=](const Dims& shape, DType dtype) {
    // Cutting a normal distribution at two standard deviations leaves it this narrow.
    constexpr double kTruncatedStddev = 0.87962566103423978;
    const double stddev = std::sqrt(scaled_variance(shape, scale, mode, fans)) / kTruncatedStddev;
    return filled(shape, dtype,
                  [&](Index i) { return stddev * truncated_standard_normal(seed, i); });
  };
}

}  // namespace

Initializer zeros() {
  return [](const Dims& shape, DType dtype) { return Tensor::zeros(dtype, shape); };
}

Initializer ones() { return constant(1); }

Initializer constant(double value) {
  return [value](const Dims& shape, DType dtype) {
    return filled(shape, dtype, [value](Index) { return value; });
  };
}

Initializer uniform(double low, double high, std::uint64_t seed) {
  require_finite("uniform", "low", low);
  require_finite("uniform", "high", high);
  if (low > high) {
    refuse("uniform",
           "low is " + std::to_string(low) + "; it must be at most high = " + std::to_string(high));
  }
  return
      [=](const Dims& shape, DType dtype) { return uniform_tensor(shape, dtype, low, high, seed); };
}

Initializer normal(double mean, double stddev, std::uint64_t seed) {
  check_normal("normal", mean, stddev);
  return [=](const Dims& shape, DType dtype) {
    return filled(shape, dtype, [=](Index i) { return mean + stddev * standard_normal(seed, i); });
  };
}

Initializer truncated_normal(double mean, double stddev, std::uint64_t seed) {
  check_normal("truncated_normal", mean, stddev);
  return [=](const Dims& shape, DType dtype) {
    return filled(shape, dtype,
                  [=](Index i) { return mean + stddev * truncated_standard_normal(seed, i); });
  };
}

Initializer glorot_uniform(std::uint64_t seed, Fans fans) {
  return variance_scaling_uniform(1, Mode::kAverage, seed, fans);
}

Initializer glorot_normal(std::uint64_t seed, Fans fans) {
  return variance_scaling_normal(1, Mode::kAverage, seed, fans);
}

Initializer he_uniform(std::uint64_t seed, Fans fans) {
  return variance_scaling_uniform(2, Mode::kIn, seed, fans);
}

Initializer he_normal(std::uint64_t seed, Fans fans) {
  return variance_scaling_normal(2, Mode::kIn, seed, fans);
}

Initializer lecun_uniform(std::uint64_t seed, Fans fans) {
  return variance_scaling_uniform(1, Mode::kIn, seed, fans);
}

Initializer lecun_normal(std::uint64_t seed, Fans fans) {
  return variance_scaling_normal(1, Mode::kIn, seed, fans);
}

}  // namespace upconv::UPCONV_ABI::initializers
