// Initialisers of layers that enlarge: interpolation, and ICNR.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "expect_error.h"
#include "initialized.h"
#include "upconv/initializers.h"
#include "upconv/shape.h"

namespace upconv {
namespace {

using namespace initializers;  // NOLINT(google-build-using-namespace): the subject of every test
using test::made;

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
