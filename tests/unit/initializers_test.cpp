#include "upconv/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "expect_error.h"
#include "upconv/shape.h"

namespace upconv {
namespace {

using namespace initializers;  // NOLINT(google-build-using-namespace): the subject of every test

std::vector<double> elements(const Tensor& tensor) {
  const Tensor exact = Tensor::cast(tensor, DType::kFloat64);
  return {exact.values<double>().begin(), exact.values<double>().end()};
}

std::vector<double> made(const Initializer& init, const Dims& shape) {
  return elements(init(shape, DType::kFloat64));
}

struct Moments {
  double mean = 0;
  double stddev = 0;
  double least = 0;
  double most = 0;
};

Moments moments(const std::vector<double>& values) {
  Moments m;
  const double count = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / count;
  for (const double v : values) m.stddev += (v - m.mean) * (v - m.mean) / count;
  m.stddev = std::sqrt(m.stddev);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  m.least = *least;
  m.most = *most;
  return m;
}

constexpr Index kMany = 200000;
// Bounds on a mean of kMany numbers: 5 standard errors, wrong once in two million seeds.
const double kStandardError = 5 / std::sqrt(static_cast<double>(kMany));

// ---- Constants

TEST(Initializers, Constants) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor tensor = constant(0.1)({2, 3}, dtype);
    EXPECT_EQ(tensor.dtype(), dtype);
    EXPECT_EQ(tensor.shape(), (Dims{2, 3}));
    for (const double v : elements(tensor)) {
      EXPECT_EQ(v, dtype == DType::kFloat32 ? double{0.1F} : 0.1);
    }
  }
  EXPECT_EQ(made(zeros(), {3}), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(made(ones(), {3}), (std::vector<double>{1, 1, 1}));
  EXPECT_TRUE(made(ones(), {0, 3}).empty());
  EXPECT_EQ(made(ones(), {}).size(), 1U);
}

// ---- Random numbers

TEST(Initializers, TheGeneratorIsPhilox) {
  // The known answer of Philox4x32-10 for counter 0 and key 0 begins 6627e8d5 e169c58d.
  const double expected = static_cast<double>(0xe169c58d6627e8d5 >> 11) * 0x1p-53;
  EXPECT_EQ(made(uniform(0, 1, 0), {1})[0], expected);
}

TEST(Initializers, NormalIsTheQuantileOfTheGeneratorsBits) {
  // From an implementation of Philox and Python's statistics.NormalDist().inv_cdf.
  const std::vector<double> zero = {1.1775912390542727, -0.35287489660161836, -0.46924918026737256,
                                    -0.21442698342260505};
  const std::vector<double> other = {0.7443842858477822, -0.4641801217778157, 0.021910040454982967,
                                     -0.00250396376669194};
  const auto a = made(normal(0, 1, 0), {4});
  const auto b = made(normal(0, 1, 0x123456789abcdef), {4});
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(a[i], zero[i], 1e-15);
    EXPECT_NEAR(b[i], other[i], 1e-15);
  }
  const auto seven = made(normal(0, 1, 7), {20000});
  EXPECT_NEAR(seven[4029], -4.25394385727659, 1e-14);  // the tail
  EXPECT_NEAR(seven[15873], -3.915877729513773, 1e-14);
}

TEST(Initializers, TheSameSeedGivesTheSameValues) {
  const std::vector<std::function<Initializer(std::uint64_t)>> makers = {
      [](std::uint64_t seed) { return uniform(-1, 1, seed); },
      [](std::uint64_t seed) { return normal(0, 1, seed); },
      [](std::uint64_t seed) { return truncated_normal(0, 1, seed); },
      [](std::uint64_t seed) { return glorot_uniform(seed); },
      [](std::uint64_t seed) { return glorot_normal(seed); },
      [](std::uint64_t seed) { return he_uniform(seed); },
      [](std::uint64_t seed) { return he_normal(seed); },
      [](std::uint64_t seed) { return lecun_uniform(seed); },
      [](std::uint64_t seed) { return lecun_normal(seed); },
  };
  for (const auto& maker : makers) {
    const auto first = made(maker(3), {3, 3, 4, 8});
    EXPECT_EQ(made(maker(3), {3, 3, 4, 8}), first);
    EXPECT_NE(made(maker(4), {3, 3, 4, 8}), first);
    EXPECT_NE(made(maker(3 + (std::uint64_t{1} << 32)), {3, 3, 4, 8}), first);
    // float32 is float64 rounded.
    const auto single = elements(maker(3)({3, 3, 4, 8}, DType::kFloat32));
    for (std::size_t i = 0; i < single.size(); ++i) {
      EXPECT_EQ(single[i], double{static_cast<float>(first[i])});
    }
  }
}

TEST(Initializers, AnElementDependsOnSeedAndIndexOnly) {
  const auto few = made(truncated_normal(0, 1, 9), {10});
  const auto many = made(truncated_normal(0, 1, 9), {10, 100});
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
}

TEST(Initializers, UniformFillsItsInterval) {
  const Moments m = moments(made(uniform(-2, 6, 1), {kMany}));
  EXPECT_GE(m.least, -2);
  EXPECT_LT(m.most, 6);
  EXPECT_LT(m.least, -2 + 0.001);
  EXPECT_GT(m.most, 6 - 0.001);
  EXPECT_NEAR(m.mean, 2, 8 / std::sqrt(12.0) * kStandardError);
  EXPECT_NEAR(m.stddev, 8 / std::sqrt(12.0), 8 * kStandardError);
}

TEST(Initializers, UniformStaysBelowHighInFloat32) {
  // 1 and the next float above it: half of the numbers between round to `high`.
  const double high = double{std::nextafter(1.0F, 2.0F)};
  for (const double v : elements(uniform(1, high, 1)({1000}, DType::kFloat32))) EXPECT_EQ(v, 1);
  const double largest = std::numeric_limits<double>::max();
  for (const double v : made(uniform(-largest, largest, 1), {1000})) EXPECT_TRUE(std::isfinite(v));
  for (const double v : made(uniform(0.3, 0.3, 1), {100})) EXPECT_EQ(v, 0.3);
}

TEST(Initializers, NormalHasItsMoments) {
  const auto values = made(normal(3, 2, 5), {kMany});
  const Moments m = moments(values);
  EXPECT_NEAR(m.mean, 3, 2 * kStandardError);
  EXPECT_NEAR(m.stddev, 2, 2 * kStandardError);
  const auto beyond = [&](double sigmas) {
    return static_cast<double>(
               std::count_if(values.begin(), values.end(),
                             [&](double v) { return std::abs(v - 3) > 2 * sigmas; })) /
           static_cast<double>(kMany);
  };
  EXPECT_NEAR(beyond(1), 0.3173, 0.006);
  EXPECT_NEAR(beyond(2), 0.0455, 0.003);
  EXPECT_NEAR(beyond(3), 0.0027, 0.0008);
}

TEST(Initializers, TruncatedNormalStopsAtTwoStandardDeviations) {
  const Moments m = moments(made(truncated_normal(1, 0.5, 5), {kMany}));
  EXPECT_GE(m.least, 0);
  EXPECT_LE(m.most, 2);
  EXPECT_LT(m.least, 0.01);
  EXPECT_GT(m.most, 1.99);
  EXPECT_NEAR(m.mean, 1, 0.5 * kStandardError);
  EXPECT_NEAR(m.stddev, 0.5 * 0.87962566103423978, 0.5 * kStandardError);
}

TEST(Initializers, BadParametersAreErrors) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  expect_error(ErrorKind::kInvalidArgument, {"uniform: low is 2", "at most high = 1"},
               [] { uniform(2, 1); });
  expect_error(ErrorKind::kInvalidArgument, {"uniform: high is inf"},
               [&] { uniform(0, infinity); });
  expect_error(ErrorKind::kInvalidArgument, {"normal: mean is nan"}, [&] { normal(nan, 1); });
  expect_error(ErrorKind::kInvalidArgument, {"truncated_normal: stddev is -1", "at least 0"},
               [] { truncated_normal(0, -1); });
}

// ---- Variance scaling

TEST(Initializers, LimitsFollowBothFans) {
  // filter 3 x 5, 4 inputs, 6 outputs: fan_in 60, fan_out 90; TFP's 2-D variable: 60 and 6.
  const Dims shape = {3, 5, 4, 6};
  const auto expect_limit = [&](const Initializer& init, double limit) {
    const Moments m = moments(made(init, shape));
    EXPECT_LT(m.most, limit);
    EXPECT_GE(m.least, -limit);
    EXPECT_GT(m.most, 0.97 * limit);
    EXPECT_LT(m.least, -0.97 * limit);
  };
  expect_limit(glorot_uniform(1), std::sqrt(6.0 / (60 + 90)));
  expect_limit(glorot_uniform(1, Fans::kTfp2d), std::sqrt(6.0 / (60 + 6)));
  expect_limit(he_uniform(1), std::sqrt(6.0 / 60));
  expect_limit(he_uniform(1, Fans::kTfp2d), std::sqrt(6.0 / 60));
  expect_limit(lecun_uniform(1), std::sqrt(3.0 / 60));
  // One axis counts as both fans, no axis as 1, as in Keras.
  EXPECT_LT(moments(made(glorot_uniform(1), {50})).most, std::sqrt(3.0 / 50));
  EXPECT_LT(std::abs(made(glorot_uniform(1), {})[0]), std::sqrt(3.0));
}

TEST(Initializers, StandardDeviationsFollowBothFans) {
  const Dims shape = {3, 5, 100, 120};  // 180000 elements
  const double in = 1500;
  const double out = 1800;
  const auto expect_stddev = [&](const Initializer& init, double stddev) {
    const Moments m = moments(made(init, shape));
    EXPECT_NEAR(m.mean, 0, 1.1 * stddev * kStandardError);
    EXPECT_NEAR(m.stddev, stddev, 1.1 * stddev * kStandardError);
    EXPECT_LE(m.most, 2 * stddev / 0.87962566103423978);
    EXPECT_GT(m.most, 1.99 * stddev / 0.87962566103423978);
  };
  expect_stddev(glorot_normal(2), std::sqrt(2 / (in + out)));
  expect_stddev(glorot_normal(2, Fans::kTfp2d), std::sqrt(2 / (in + 120)));
  expect_stddev(he_normal(2), std::sqrt(2 / in));
  expect_stddev(lecun_normal(2), std::sqrt(1 / in));
}

// ---- Up-sampling

void expect_taps(const Initializer& init, Index filter, const std::vector<double>& expected) {
  const auto taps = made(init, {filter, 1, 1});
  ASSERT_EQ(taps.size(), expected.size());
  for (std::size_t t = 0; t < taps.size(); ++t) EXPECT_NEAR(taps[t], expected[t], 1e-15) << t;
}

TEST(Upsampling, KnownKernels) {
  expect_taps(nearest({2}), 2, {1, 1});
  expect_taps(nearest({3}), 3, {1, 1, 1});
  expect_taps(nearest({2}), 4, {0, 1, 1, 0});
  expect_taps(bilinear({1}), 1, {1});
  expect_taps(bilinear({2}), 4, {0.25, 0.75, 0.75, 0.25});
  expect_taps(bilinear({3}), 5, {1 / 3.0, 2 / 3.0, 1, 2 / 3.0, 1 / 3.0});
  expect_taps(bilinear({3}), 6, {1 / 3.0, 2 / 3.0, 1, 2 / 3.0, 1 / 3.0, 0});
  expect_taps(bilinear({4}), 8, {0.125, 0.375, 0.625, 0.875, 0.875, 0.625, 0.375, 0.125});
  // Catmull-Rom at quarters, as in every table: (-9, 111, 29, -3) / 128.
  expect_taps(bicubic({2}), 8,
              {-3 / 128.0, -9 / 128.0, 29 / 128.0, 111 / 128.0, 111 / 128.0, 29 / 128.0, -9 / 128.0,
               -3 / 128.0});
  // OpenCV's a = -0.75 at quarters: (-0.10546875, 0.87890625, 0.26171875, -0.03515625).
  expect_taps(bicubic({2}, -0.75), 8,
              {-0.03515625, -0.10546875, 0.26171875, 0.87890625, 0.87890625, 0.26171875,
               -0.10546875, -0.03515625});
}

TEST(Upsampling, ShortFiltersCutTheSupport) {
  expect_taps(bilinear({2}), 2, {1, 1});
  expect_taps(bilinear({4}), 2, {1, 1});  // two of the four phases have no tap
  expect_taps(bilinear({2}), 3, {0.75, 1, 0.25});
}

using Profile = std::function<double(double)>;

double keys(double x, double a) {
  x = std::abs(x);
  if (x < 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  if (x < 2) return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
  return 0;
}

double lanczos_profile(double x, double lobes) {
  if (x == 0) return 1;
  if (std::abs(x) >= lobes) return 0;
  const double px = std::numbers::pi * x;
  return lobes * std::sin(px) * std::sin(px / lobes) / (px * px);
}

struct Resize {
  std::string name;
  std::function<Initializer(const Dims&)> init;
  Profile profile;
  Index support;  // taps per stride
};

std::vector<Resize> resizes() {
  return {
      {"nearest", nearest, [](double x) { return -0.5 <= x && x < 0.5 ? 1.0 : 0.0; }, 1},
      {"bilinear", bilinear, [](double x) { return std::max(0.0, 1 - std::abs(x)); }, 2},
      {"bicubic", [](const Dims& s) { return bicubic(s); }, [](double x) { return keys(x, -0.5); },
       4},
      {"bicubic of OpenCV", [](const Dims& s) { return bicubic(s, -0.75); },
       [](double x) { return keys(x, -0.75); }, 4},
      {"lanczos", [](const Dims& s) { return lanczos(s); },
       [](double x) { return lanczos_profile(x, 3); }, 6},
      {"lanczos 2", [](const Dims& s) { return lanczos(s, 2); },
       [](double x) { return lanczos_profile(x, 2); }, 4},
  };
}

TEST(Upsampling, EachPhaseSumsToOne) {
  for (const Resize& resize : resizes()) {
    for (Index stride = 1; stride <= 5; ++stride) {
      for (Index filter = stride; filter <= resize.support * stride + 3; ++filter) {
        const auto taps = made(resize.init({stride}), {filter, 1, 1});
        for (Index phase = 0; phase < stride; ++phase) {
          double sum = 0;
          for (Index t = phase; t < filter; t += stride) sum += taps[static_cast<std::size_t>(t)];
          EXPECT_NEAR(sum, 1, 1e-14)
              << resize.name << " stride " << stride << " filter " << filter << " phase " << phase;
        }
      }
    }
  }
}

TEST(Upsampling, WithSamePaddingItIsTheHalfPixelCentredResize) {
  for (const Resize& resize : resizes()) {
    for (Index stride = 1; stride <= 5; ++stride) {
      const Index filter = resize.support * stride;
      const Index length = 16;
      const auto taps = made(resize.init({stride}), {filter, 1, 1});
      Axis axis;
      axis.filter = filter;
      axis.stride = stride;
      axis.padding = Padding::Kind::kSame;
      const Window window = infer_window(axis, length, "axis 0");
      // Away from the border, where the filter reaches inputs only.
      for (Index j = 6 * stride; j < (length - 6) * stride; ++j) {
        // Output pixel j lies here on the input's pixel grid.
        const double at = (static_cast<double>(j) + 0.5) / static_cast<double>(stride) - 0.5;
        double total = 0;
        for (Index n = 0; n < length; ++n) total += resize.profile(at - static_cast<double>(n));
        for (Index n = 0; n < length; ++n) {
          const Index t = j + window.offset - n * stride;
          const double tap = t < 0 || t >= filter ? 0 : taps[static_cast<std::size_t>(t)];
          EXPECT_NEAR(tap, resize.profile(at - static_cast<double>(n)) / total, 1e-14)
              << resize.name << " stride " << stride << " output " << j << " input " << n;
        }
      }
    }
  }
}

TEST(Upsampling, SeparableAndZeroBetweenChannels) {
  const auto kernel = made(bicubic({2, 3}), {8, 11, 2, 2});
  const auto rows = made(bicubic({2}), {8, 1, 1});
  const auto columns = made(bicubic({3}), {11, 1, 1});
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t x = 0; x < 11; ++x) {
      for (std::size_t ci = 0; ci < 2; ++ci) {
        for (std::size_t co = 0; co < 2; ++co) {
          EXPECT_NEAR(kernel[((y * 11 + x) * 2 + ci) * 2 + co], ci == co ? rows[y] * columns[x] : 0,
                      1e-16);
        }
      }
    }
  }
  EXPECT_EQ(made(nearest({2, 2, 2}), {2, 2, 2, 1, 1}), std::vector<double>(8, 1.0));
}

TEST(Upsampling, BadArgumentsAreErrors) {
  expect_error(ErrorKind::kInvalidArgument,
               {"bilinear", "[4, 4, 3, 2]", "input_size 3 and output_size 2", "equal"}, [] {
                 bilinear({2, 2})({4, 4, 3, 2}, DType::kFloat32);
               });
  expect_error(ErrorKind::kInvalidArgument, {"nearest: strides are [2]", "needs 2 of them"}, [] {
    nearest({2})({2, 2, 1, 1}, DType::kFloat32);
  });
  expect_error(ErrorKind::kInvalidArgument, {"nearest: strides are [2]", "[1]"},
               [] { nearest({2})({1}, DType::kFloat32); });
  expect_error(ErrorKind::kInvalidArgument, {"bicubic: strides[1] is 0", "at least 1"}, [] {
    bicubic({2, 0});
  });
  expect_error(ErrorKind::kInvalidArgument, {"lanczos: lobes is 0"}, [] { lanczos({2}, 0); });
  expect_error(ErrorKind::kInvalidArgument, {"bicubic: a is nan"},
               [] { bicubic({2}, std::numeric_limits<double>::quiet_NaN()); });
}

// ---- ICNR

TEST(Icnr, EveryPhaseStartsTheSame) {
  const Dims shape = {4, 6, 3, 5};
  const auto kernel = made(icnr({2, 3}, glorot_uniform(11)), shape);
  const auto base = made(glorot_uniform(11), {2, 2, 3, 5});
  for (std::size_t y = 0; y < 4; ++y) {
    for (std::size_t x = 0; x < 6; ++x) {
      for (std::size_t c = 0; c < 15; ++c) {
        EXPECT_EQ(kernel[(y * 6 + x) * 15 + c], base[(y / 2 * 2 + x / 3) * 15 + c]);
      }
    }
  }
}

TEST(Icnr, BadArgumentsAreErrors) {
  expect_error(ErrorKind::kInvalidArgument,
               {"icnr: filter_shape[1] is 3", "multiple of strides[1] = 2"}, [] {
                 icnr({2, 2}, ones())({4, 3, 1, 1}, DType::kFloat32);
               });
  expect_error(ErrorKind::kInvalidArgument, {"icnr", "strides are [2, 2]"}, [] {
    icnr({2, 2}, ones())({4, 1, 1}, DType::kFloat32);
  });
  expect_error(ErrorKind::kInvalidArgument, {"icnr: base is empty"}, [] { icnr({2}, {}); });
  expect_error(ErrorKind::kInvalidArgument, {"base made shape [1]; it must be [2, 1, 1]"}, [] {
    const Initializer wrong = [](const Dims&, DType dtype) { return Tensor::zeros(dtype, {1}); };
    icnr({2}, wrong)({4, 1, 1}, DType::kFloat32);
  });
}

}  // namespace
}  // namespace upconv
