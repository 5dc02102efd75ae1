// What the tests of the epilogue kernels share: a call of one, its parameters and bounds, values
// over the whole range of its type, and the fixture, which runs every row of the table that this
// machine can.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include "activation_reference.h"
#include "kernel_table.h"
#include "upconv/activation.h"
#include "upconv/isa.h"

namespace upconv::test {

using internal::epilogue_kernels;
using internal::EpilogueKernel;

/// A buffer argument over memory of somebody else.
template <typename T>
class Argument {
 public:
  Argument(const T* data, std::size_t count) {
    dimension_ = {0, static_cast<int32_t>(count), 1, 0};
    buffer_.host = reinterpret_cast<uint8_t*>(const_cast<T*>(data));
    buffer_.type = halide_type_of<T>();
    buffer_.dimensions = 1;
    buffer_.dim = &dimension_;
  }
  Argument(const Argument&) = delete;
  Argument& operator=(const Argument&) = delete;
  operator halide_buffer_t*() { return &buffer_; }

 private:
  halide_dimension_t dimension_{};
  halide_buffer_t buffer_{};
};

using Offsets = std::vector<int32_t>;

/// One call. `residual` may be null.
template <typename T>
void apply(const EpilogueKernel& kernel, const T* in, std::size_t in_count, const T* residual,
           std::size_t residual_count, const Offsets& pixel_in, const Offsets& pixel_residual,
           const Offsets& pixel_out, int channels, double p0, double p1, T* out,
           std::size_t out_count) {
  Argument<T> in_buffer(in, in_count), residual_buffer(residual, residual_count);
  Argument<T> out_buffer(out, out_count);
  Argument<int32_t> pixel_in_buffer(pixel_in.data(), pixel_in.size());
  Argument<int32_t> pixel_residual_buffer(residual ? pixel_residual.data() : nullptr,
                                          pixel_residual.size());
  Argument<int32_t> pixel_out_buffer(pixel_out.data(), pixel_out.size());
  ASSERT_EQ(kernel.function(in_buffer, residual_buffer, pixel_in_buffer, pixel_residual_buffer,
                            pixel_out_buffer, channels, residual != nullptr, p0, p1, out_buffer),
            0);
}

/// The kernel on plain values: one pixel whose channels are they.
template <typename T>
std::vector<T> apply(const EpilogueKernel& kernel, const std::vector<T>& in, double p0, double p1) {
  std::vector<T> out(in.size());
  apply<T>(kernel, in.data(), in.size(), nullptr, 0, {0}, {0}, {0}, static_cast<int>(in.size()), p0,
           p1, out.data(), out.size());
  return out;
}

struct Parameters {
  double p0, p1;
};

inline std::vector<Parameters> parameters(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kClamp:
      return {{-kInf, kInf}, {0, kInf}, {0, 6}, {-0.1, 0.3}, {-kInf, -1}, {2, 2}};
    case ActivationKind::kLeakyRelu:
      return {{0.2, 0}, {0.01, 0}, {1, 0}, {-1.5, 0}, {3, 0}};
    default:
      return {{0, 0}};
  }
}

/// The documented bound, in units of the last place.
inline double bound(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kClamp:
      return 0;
    case ActivationKind::kLeakyRelu:
    case ActivationKind::kElu:
      return 1;
    case ActivationKind::kSelu:
    case ActivationKind::kHardSwish:
      return 2;
    case ActivationKind::kGelu:
      return 4;
    default:
      return 3;
  }
}

/// Values over the whole range of T, both signs, densest where activations bend; specials last.
template <typename T>
std::vector<T> sweep() {
  std::vector<T> values;
  std::mt19937_64 random(20250801);
  const auto add = [&](T v) {
    values.push_back(v);
    values.push_back(-v);
  };
  std::uniform_real_distribution<double> fraction(1, 2);
  const int lowest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  for (int exponent = lowest; exponent < std::numeric_limits<T>::max_exponent; ++exponent) {
    const int count = exponent < -30 || exponent > 12 ? 20 : 5000;
    for (int i = 0; i < count; ++i) add(static_cast<T>(std::ldexp(fraction(random), exponent)));
  }
  // Where results leave the normal numbers, and where the kernels change their mind.
  for (const auto& [low, high] : {std::pair(8.5, 16.0), std::pair(80.0, 112.0),
                                  std::pair(18.0, 40.0), std::pair(690.0, 760.0)}) {
    std::uniform_real_distribution<double> uniform(low, high);
    for (int i = 0; i < 20000; ++i) add(static_cast<T>(uniform(random)));
  }
  for (const double corner : {0.0, 0.1, 0.3, 1.0, 2.0, 3.0, 6.0, 11.0, 15.0, 22.0, 25.0, 30.0, 39.0,
                              50.0, 112.0, 760.0, 0.34657359, 0.69314718, 1.03972077}) {
    T above = static_cast<T>(corner), below = above;
    for (int i = 0; i < 50; ++i) {
      add(above);
      add(below);
      above = std::nextafter(above, std::numeric_limits<T>::max());
      below = std::nextafter(below, -std::numeric_limits<T>::max());
    }
  }
  add(std::numeric_limits<T>::max());
  add(std::numeric_limits<T>::min());
  add(std::numeric_limits<T>::denorm_min());
  return values;
}

template <typename T>
auto bits_of(T value) {
  return std::bit_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(value);
}

/// Equal bits, or both NaN.
template <typename T>
bool same(T a, T b) {
  return bits_of(a) == bits_of(b) || (std::isnan(a) && std::isnan(b));
}

class EpilogueKernelTest : public testing::TestWithParam<EpilogueKernel> {
 protected:
  void SetUp() override {
    const auto& isas = runnable_isas();
    if (std::find(isas.begin(), isas.end(), GetParam().isa) == isas.end()) {
      GTEST_SKIP() << "this machine does not run " << to_string(GetParam().isa);
    }
  }

  /// Calls body.operator()<T>() for the kernel's T.
  template <typename Body>
  static void with_type(Body body) {
    if (GetParam().dtype == DType::kFloat32) {
      body.template operator()<float>();
    } else {
      body.template operator()<double>();
    }
  }
};

}  // namespace upconv::test
