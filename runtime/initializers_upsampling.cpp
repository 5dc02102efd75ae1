// The initialisers that up-sample by strides: resize filters, and ICNR.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "initializers_support.h"
#include "upconv/initializers.h"

namespace upconv::UPCONV_ABI::initializers {

namespace {

using internal::filled;
using internal::refuse;
using internal::require_finite;

/// A resize filter: the weight of an input at a distance, in input pixels.
using Profile = std::function<double(double distance)>;

void check_strides(std::string_view who, const Dims& strides) {
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    if (strides[axis] >= 1) continue;
    refuse(who, "strides[" + std::to_string(axis) + "] is " + std::to_string(strides[axis]) +
                    "; it must be at least 1");
  }
}

/// A kernel shape has one axis per stride, and two for channels.
void check_kernel_shape(std::string_view who, const Dims& shape, const Dims& strides) {
  if (shape.size() == strides.size() + 2) return;
  refuse(who, "strides are " + to_string(strides) + "; a kernel of shape " + to_string(shape) +
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
      refuse(name, "kernel has shape " + to_string(shape) + ", input_size " +
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

Initializer nearest(const Dims& strides) { return upsampling("nearest", strides, box); }

Initializer bilinear(const Dims& strides) { return upsampling("bilinear", strides, triangle); }

Initializer bicubic(const Dims& strides, double a) {
  require_finite("bicubic", "a", a);
  return upsampling("bicubic", strides, [a](double distance) { return cubic(distance, a); });
}

Initializer lanczos(const Dims& strides, int lobes) {
  if (lobes < 1) {
    refuse("lanczos", "lobes is " + std::to_string(lobes) + "; it must be at least 1");
  }
  return upsampling("lanczos", strides, [lobes](double distance) {
    return std::abs(distance) < lobes ? sinc(distance) * sinc(distance / lobes) : 0.0;
  });
}

Initializer icnr(const Dims& strides, Initializer base) {
  check_strides("icnr", strides);
  if (!base) refuse("icnr", "base is empty; it must be an initializer");
  return [strides, base = std::move(base)](const Dims& shape, DType dtype) {
    check_kernel_shape("icnr", shape, strides);
    const std::size_t rank = strides.size();
    Dims base_shape = shape;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (shape[axis] % strides[axis] != 0) {
        refuse("icnr", "filter_shape[" + std::to_string(axis) + "] is " +
                           std::to_string(shape[axis]) + "; it must be a multiple of strides[" +
                           std::to_string(axis) + "] = " + std::to_string(strides[axis]));
      }
      base_shape[axis] = shape[axis] / strides[axis];
    }
    const Tensor made = base(base_shape, dtype);
    if (made.shape() != base_shape) {
      refuse("icnr", "base made shape " + to_string(made.shape()) + "; it must be " +
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

}  // namespace upconv::UPCONV_ABI::initializers
