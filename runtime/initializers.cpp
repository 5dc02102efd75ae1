#include "upconv/initializers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upconv/error.h"

namespace upconv::initializers {

namespace {

[[noreturn]] void invalid(std::string_view who, const std::string& text) {
  throw Error(ErrorKind::kInvalidArgument, std::string(who) + ": " + text);
}

void require_finite(std::string_view who, std::string_view name, double value) {
  if (!std::isfinite(value)) {
    invalid(who, std::string(name) + " is " + std::to_string(value) + "; it must be finite");
  }
}

// ---- Random numbers
//
// Only +, -, *, / and square roots (which IEEE 754 defines to the last bit) go into a number, so
// the same seed means the same weights on every machine; std::log and std::cos differ between
// libraries.

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

/// In [0, 1), a multiple of 2^-53.
double half_open_unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

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

double standard_normal(std::uint64_t seed, Index index, std::uint32_t draw = 0) {
  return normal_quantile(open_unit(random_bits(seed, index, draw)));
}

/// Within two standard deviations; one draw in 22 is outside and is made again.
double truncated_standard_normal(std::uint64_t seed, Index index) {
  double value = 0;
  std::uint32_t draw = 0;
  do {
    value = standard_normal(seed, index, draw++);
  } while (std::abs(value) > 2);
  return value;
}

/// A tensor whose element i, in C order, is `make(i)` rounded to the dtype.
template <typename Make>
Tensor filled(const Dims& shape, DType dtype, const Make& make) {
  Tensor tensor(dtype, shape);
  if (dtype == DType::kFloat32) {
    const std::span<float> values = tensor.values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(make(static_cast<Index>(i)));
    }
  } else {
    const std::span<double> values = tensor.values<double>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = make(static_cast<Index>(i));
  }
  return tensor;
}

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
    const double u = half_open_unit(random_bits(seed, i, 0));
    // Not low + (high - low) * u: the difference may overflow.
    return std::clamp(low * (1 - u) + high * u, low, most);
  });
}

void check_normal(std::string_view who, double mean, double stddev) {
  require_finite(who, "mean", mean);
  require_finite(who, "stddev", stddev);
  if (stddev < 0) {
    invalid(who, "stddev is " + std::to_string(stddev) + "; it must be at least 0");
  }
}

// ---- Variance scaling

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

// ---- Up-sampling

/// A resize filter: the weight of an input at a distance, in input pixels.
using Profile = std::function<double(double distance)>;

void check_strides(std::string_view who, const Dims& strides) {
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    if (strides[axis] >= 1) continue;
    invalid(who, "strides[" + std::to_string(axis) + "] is " + std::to_string(strides[axis]) +
                     "; it must be at least 1");
  }
}

/// A kernel shape has one axis per stride, and two for channels.
void check_kernel_shape(std::string_view who, const Dims& shape, const Dims& strides) {
  if (shape.size() == strides.size() + 2) return;
  invalid(who, "strides are " + to_string(strides) + "; a kernel of shape " + to_string(shape) +
                   " needs " +
                   (shape.size() > 2 ? std::to_string(shape.size() - 2) + " of them"
                                     : "spatial axes and two of channels"));
}

/// The taps of one axis.
std::vector<double> axis_taps(Index filter, Index stride, const Profile& profile) {
  // Where SAME padding, which begins the output at this element of the full result, puts the centre
  // of input pixel 0's block of `stride` output pixels.
  const Index offset = std::max<Index>(filter - stride, 0) / 2;
  const double centre = static_cast<double>(offset) + static_cast<double>(stride - 1) / 2;
  std::vector<double> taps(static_cast<std::size_t>(filter));
  for (std::size_t t = 0; t < taps.size(); ++t) {
    taps[t] = profile((static_cast<double>(t) - centre) / static_cast<double>(stride));
  }
  const auto step = static_cast<std::size_t>(stride);
  for (std::size_t phase = 0; phase < std::min(step, taps.size()); ++phase) {
    double sum = 0;
    for (std::size_t t = phase; t < taps.size(); t += step) sum += taps[t];
    if (sum == 0) continue;  // nothing of the support in this phase: nothing to scale
    for (std::size_t t = phase; t < taps.size(); t += step) taps[t] /= sum;
  }
  return taps;
}

Initializer upsampling(std::string name, const Dims& strides, Profile profile) {
  check_strides(name, strides);
  return [name = std::move(name), strides, profile = std::move(profile)](const Dims& shape,
                                                                         DType dtype) {
    check_kernel_shape(name, shape, strides);
    const std::size_t rank = strides.size();
    const Index channels = shape.back();
    if (shape[rank] != channels) {
      invalid(name, "kernel has shape " + to_string(shape) + ", input_size " +
                        std::to_string(shape[rank]) + " and output_size " +
                        std::to_string(channels) + "; they must be equal");
    }
    std::vector<std::vector<double>> taps;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      taps.push_back(axis_taps(shape[axis], strides[axis], profile));
    }
    return filled(shape, dtype, [&](Index i) {
      const Index output = i % channels;
      const Index input = i / channels % channels;
      if (input != output) return 0.0;
      Index at = i / channels / channels;
      double weight = 1;
      for (std::size_t axis = rank; axis-- > 0; at /= shape[axis]) {
        weight *= taps[axis][static_cast<std::size_t>(at % shape[axis])];
      }
      return weight;
    });
  };
}

double box(double distance) { return -0.5 <= distance && distance < 0.5 ? 1 : 0; }

double triangle(double distance) { return std::max(0.0, 1 - std::abs(distance)); }

double cubic(double distance, double a) {
  const double x = std::abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  return std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
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
    invalid("uniform", "low is " + std::to_string(low) +
                           "; it must be at most high = " + std::to_string(high));
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

Initializer nearest(const Dims& strides) { return upsampling("nearest", strides, box); }

Initializer bilinear(const Dims& strides) { return upsampling("bilinear", strides, triangle); }

Initializer bicubic(const Dims& strides, double a) {
  require_finite("bicubic", "a", a);
  return upsampling("bicubic", strides, [a](double distance) { return cubic(distance, a); });
}

Initializer lanczos(const Dims& strides, int lobes) {
  if (lobes < 1) {
    invalid("lanczos", "lobes is " + std::to_string(lobes) + "; it must be at least 1");
  }
  return upsampling("lanczos", strides, [lobes](double distance) {
    return std::abs(distance) < lobes ? sinc(distance) * sinc(distance / lobes) : 0.0;
  });
}

Initializer icnr(const Dims& strides, Initializer base) {
  check_strides("icnr", strides);
  if (!base) invalid("icnr", "base is empty; it must be an initializer");
  return [strides, base = std::move(base)](const Dims& shape, DType dtype) {
    check_kernel_shape("icnr", shape, strides);
    const std::size_t rank = strides.size();
    Dims base_shape = shape;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (shape[axis] % strides[axis] != 0) {
        invalid("icnr", "filter_shape[" + std::to_string(axis) + "] is " +
                            std::to_string(shape[axis]) + "; it must be a multiple of strides[" +
                            std::to_string(axis) + "] = " + std::to_string(strides[axis]));
      }
      base_shape[axis] = shape[axis] / strides[axis];
    }
    const Tensor made = base(base_shape, dtype);
    if (made.shape() != base_shape) {
      invalid("icnr", "base made shape " + to_string(made.shape()) + "; it must be " +
                          to_string(base_shape));
    }
    // Tap t belongs to phase t mod stride and is that phase's tap t div stride.
    const Tensor values = Tensor::cast(made, DType::kFloat64);
    const std::span<const double> from = values.values<double>();
    const Index channels = shape[rank] * shape[rank + 1];
    const Dims base_strides = c_order_strides(base_shape);
    return filled(shape, dtype, [&](Index i) {
      Index source = i % channels;
      Index at = i / channels;
      for (std::size_t axis = rank; axis-- > 0; at /= shape[axis]) {
        source += at % shape[axis] / strides[axis] * base_strides[axis];
      }
      return from[static_cast<std::size_t>(source)];
    });
  };
}

}  // namespace upconv::initializers
