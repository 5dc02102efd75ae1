// Initialisers: constants, random numbers, and the scales that follow the fans.
#include "upconv/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "expect_error.h"
#include "initialized.h"

namespace upconv {
namespace {

using namespace initializers;  // NOLINT(google-build-using-namespace): the subject of every test
using test::elements;
using test::made;

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

}  // namespace
}  // namespace upconv
