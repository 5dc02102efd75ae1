#include "verify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "upconv/error.h"

namespace upconv::tools {

namespace {

/// One spatial axis of a call, in the terms of shape.h.
struct AxisOfCall {
  Index input, filter, stride, dilation, output, offset;
};

Index at(const PerAxis& values, std::size_t axis) {
  return values.values().size() == 1 ? values.values()[0] : values.values()[axis];
}

/// The table of shape.h, written down a second time.
std::vector<AxisOfCall> axes_of(const ConvolutionTransposeOptions& options,
                                const Dims& input_shape) {
  const auto rank = static_cast<std::size_t>(options.rank);
  if (input_shape.size() < rank + 1 || input_shape.back() != options.input_size) {
    throw Error(ErrorKind::kShapeMismatch, "input shape is " + to_string(input_shape) +
                                               "; it must be [batch..., " + std::to_string(rank) +
                                               " spatial extents, " +
                                               std::to_string(options.input_size) + " channels]");
  }
  std::vector<AxisOfCall> axes;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    AxisOfCall of;
    of.input = input_shape[input_shape.size() - 1 - rank + axis];
    of.filter = at(options.filter_shape, axis);
    of.stride = at(options.strides, axis);
    of.dilation = at(options.dilations, axis);
    const Index reach = (of.filter - 1) * of.dilation + 1;
    const Index full = (of.input - 1) * of.stride + reach;
    const std::optional<PerAxis>& extra = options.output_padding;
    of.offset = 0;
    switch (options.padding.kind()) {
      case Padding::Kind::kValid:
        of.output = extra ? full + at(*extra, axis)
                          : (of.input - 1) * of.stride + std::max(reach, of.stride);
        break;
      case Padding::Kind::kSame:
        of.output = extra ? (of.input - 1) * of.stride + reach % 2 + at(*extra, axis)
                          : of.input * of.stride;
        break;
      case Padding::Kind::kExplicit:
      case Padding::Kind::kFixedBegin: {
        const auto& [begin, end] = options.padding.pairs()[axis];
        of.output = full + (extra ? at(*extra, axis) : 0) - begin - end;
        of.offset = begin;
        break;
      }
      case Padding::Kind::kSplitUpper:
      case Padding::Kind::kSplitLower: {
        const Index natural = full + (extra ? at(*extra, axis) : 0);
        const Index total = std::max<Index>(natural - at(options.output_lengths.value(), axis), 0);
        const bool upper = options.padding.kind() == Padding::Kind::kSplitUpper;
        of.offset = upper ? total / 2 : total - total / 2;
        break;
      }
    }
    if (options.output_lengths) of.output = at(*options.output_lengths, axis);
    if (options.padding.kind() == Padding::Kind::kSame) {
      of.offset = std::max<Index>(full - of.output, 0) / 2;
    }
    if (of.input == 0) of.output = std::max<Index>(of.output, 0);
    axes.push_back(of);
  }
  return axes;
}

/// Element i of a sequence of random numbers (SplitMix64).
std::uint64_t random(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t z = seed * 0xD1342543DE82EF95U + (i + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

constexpr int kLargest = 4;  // values are whole numbers from -kLargest to kLargest

Tensor small_integers(DType dtype, const Dims& shape, std::uint64_t seed, double scale) {
  Tensor tensor(dtype, shape);
  const auto fill = [&]<typename T>(std::span<T> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<int>(random(seed, i) % (2 * kLargest + 1)) - kLargest;
      values[i] = static_cast<T>(value * scale);
    }
  };
  if (dtype == DType::kFloat32) {
    fill(tensor.values<float>());
  } else {
    fill(tensor.values<double>());
  }
  return tensor;
}

/// The most pairs of an input element and a tap that meet in one output element.
double most_terms(const ConvolutionTransposeOptions& options, const std::vector<AxisOfCall>& axes) {
  auto terms = static_cast<double>(options.input_size);
  for (const AxisOfCall& axis : axes) {
    // Taps t and t' meet when their distance times the dilation is a multiple of the stride.
    const Index step = axis.stride / std::gcd(axis.stride, axis.dilation);
    terms *=
        static_cast<double>(std::min((axis.filter - 1) / step + 1, std::max(axis.input, Index{1})));
  }
  return terms;
}

/// A power of two that brings a sum of products of small_integers near 1.
double scale_of(const ConvolutionTransposeOptions& options, const std::vector<AxisOfCall>& axes) {
  const double typical = 0.5 * kLargest * kLargest * std::sqrt(most_terms(options, axes));
  return std::exp2(-std::max(0.0, std::floor(std::log2(typical))));
}

constexpr double kBiasScale = 0.25;

class Reference {
 public:
  Reference(const ConvolutionTransposeOptions& options, const Problem& problem, const Dims& output)
      : options_(options),
        problem_(problem),
        axes_(axes_of(options, problem.input.shape())),
        output_(output),
        scale_(scale_of(options, axes_)) {}

  const std::vector<AxisOfCall>& axes() const { return axes_; }

  /// What is wrong with output element `index` (in C order) of value `got`, if anything is.
  std::optional<std::string> check(Index index, double got) const {
    const std::size_t rank = axes_.size();
    const std::size_t batch_axes = output_.size() - rank - 1;
    // The element's place on every axis of the output.
    Dims place(output_);
    Index rest = index;
    for (std::size_t axis = output_.size(); axis-- > 0;) {
      place[axis] = rest % output_[axis];
      rest /= output_[axis];
    }
    Index batch = 0;
    for (std::size_t axis = 0; axis < batch_axes; ++axis) {
      batch = batch * output_[axis] + place[axis];
    }
    const Index channel = place.back();
    Sum sum;
    if (problem_.bias) sum.add(read(*problem_.bias, channel));
    add_taps(0, batch, 0, place, batch_axes, channel, sum);

    const double want = options_.activation_fn(sum.value);
    const double epsilon = options_.dtype == DType::kFloat32
                               ? std::numeric_limits<float>::epsilon()
                               : std::numeric_limits<double>::epsilon();
    // The sum is exact unless it needs more bits than the type has.
    double tolerance = 0;
    const double unit = std::min(scale_, kBiasScale);
    if (sum.magnitude * epsilon >= unit) tolerance = sum.terms * epsilon * sum.magnitude;
    // Fast algorithms sum combinations of what a whole tile sees: of values near the root of the
    // number of terms (scale_of), with a growth below 4 (arithmetic.h) in the mean.
    if (options_.arithmetic == Arithmetic::kFast) {
      tolerance += 32 * epsilon * std::max(sum.magnitude, std::sqrt(most_terms(options_, axes_)));
    }
    if (!options_.activation_fn.is_clamp()) {
      tolerance = 2 * tolerance +
                  16 * epsilon * std::max(std::abs(want), std::min(std::abs(sum.value), 1.0));
    }
    if (std::abs(got - want) <= tolerance) return std::nullopt;
    return "output" + to_string(place) + " is " + std::to_string(got) + "; the definition gives " +
           std::to_string(want);
  }

  /// The kernel's values are multiples of this power of two.
  double scale() const { return scale_; }

 private:
  struct Sum {
    double value = 0;
    double magnitude = 0;
    double terms = 0;
    void add(double term) {
      value += term;
      magnitude += std::abs(term);
      ++terms;
    }
  };

  static double read(const Tensor& tensor, Index i) {
    if (tensor.dtype() == DType::kFloat32) return static_cast<const float*>(tensor.data())[i];
    return static_cast<const double*>(tensor.data())[i];
  }

  /// Adds every tap of axes `axis` and above that falls on the element; `input` and `tap` number
  /// the input element and the tap on the axes before.
  void add_taps(std::size_t axis, Index input, Index tap, const Dims& place, std::size_t batch_axes,
                Index channel, Sum& sum) const {
    if (axis == axes_.size()) {
      for (Index from = 0; from < options_.input_size; ++from) {
        sum.add(read(problem_.input, input * options_.input_size + from) *
                read(problem_.kernel,
                     (tap * options_.input_size + from) * options_.output_size + channel));
      }
      return;
    }
    const AxisOfCall& of = axes_[axis];
    const Index full = place[batch_axes + axis] + of.offset;
    for (Index t = 0; t < of.filter; ++t) {
      const Index scaled = full - t * of.dilation;  // n * stride, if an input element n is there
      if (scaled < 0 || scaled % of.stride != 0 || scaled / of.stride >= of.input) continue;
      add_taps(axis + 1, input * of.input + scaled / of.stride, tap * of.filter + t, place,
               batch_axes, channel, sum);
    }
  }

  const ConvolutionTransposeOptions& options_;
  const Problem& problem_;
  std::vector<AxisOfCall> axes_;
  Dims output_;
  double scale_;
};

}  // namespace

Problem make_problem(const ConvolutionTransposeOptions& options, const Dims& input_shape,
                     std::uint64_t seed) {
  Problem problem;
  Dims kernel_shape;
  for (const AxisOfCall& axis : axes_of(options, input_shape)) kernel_shape.push_back(axis.filter);
  kernel_shape.push_back(options.input_size);
  kernel_shape.push_back(options.output_size);
  problem.input = small_integers(options.dtype, input_shape, 3 * seed, 1);
  const double scale = Reference(options, problem, {}).scale();
  problem.kernel = small_integers(options.dtype, kernel_shape, 3 * seed + 1, scale);
  if (options.use_bias) {
    problem.bias = small_integers(options.dtype, {options.output_size}, 3 * seed + 2, kBiasScale);
  }
  return problem;
}

void assign(ConvolutionTranspose& layer, const Problem& problem) {
  layer.kernel().assign(problem.kernel);
  if (problem.bias) layer.bias().assign(*problem.bias);
}

std::optional<std::string> find_difference(const ConvolutionTransposeOptions& options,
                                           const Problem& problem, const Tensor& output) {
  const Reference reference(options, problem, output.shape());
  // The shape first: batch axes as the input's, spatial axes by the formulas, then channels.
  const std::size_t rank = reference.axes().size();
  const Dims& input_shape = problem.input.shape();
  Dims want;
  for (std::size_t axis = 0; axis + rank + 1 < input_shape.size(); ++axis) {
    want.push_back(input_shape[axis]);
  }
  for (const AxisOfCall& axis : reference.axes()) want.push_back(axis.output);
  want.push_back(options.output_size);
  if (!(output.shape() == want) || output.dtype() != options.dtype) {
    return "output is " + std::string(to_string(output.dtype())) + " " + to_string(output.shape()) +
           "; the definition gives " + std::string(to_string(options.dtype)) + " " +
           to_string(want);
  }

  constexpr double kMostTerms = 3e7;  // a fraction of a second
  const Index count = output.size();
  const double terms = most_terms(options, reference.axes());
  const auto sample = static_cast<Index>(std::clamp(kMostTerms / terms, 256.0, 65536.0));
  const auto check = [&](Index index) {
    const double got = output.dtype() == DType::kFloat32
                           ? static_cast<const float*>(output.data())[index]
                           : static_cast<const double*>(output.data())[index];
    return reference.check(index, got);
  };
  if (count <= sample) {
    for (Index index = 0; index < count; ++index) {
      if (auto difference = check(index)) return difference;
    }
    return std::nullopt;
  }
  for (Index i = 0; i < sample; ++i) {
    Index index = 0;
    for (std::size_t axis = 0; axis < output.shape().size(); ++axis) {
      const Index extent = output.shape()[axis];
      const std::uint64_t number = random(7 + axis, static_cast<std::uint64_t>(i));
      // One time in four the first or the last: that is where mistakes are.
      Index place = static_cast<Index>((number >> 8) % static_cast<std::uint64_t>(extent));
      if (number % 8 == 0) place = 0;
      if (number % 8 == 1) place = extent - 1;
      index = index * extent + place;
    }
    if (auto difference = check(index)) return difference;
  }
  return std::nullopt;
}

Operations count_operations(const ConvolutionTransposeOptions& options, const Dims& input_shape) {
  const std::vector<AxisOfCall> axes = axes_of(options, input_shape);
  double rest =
      2 * static_cast<double>(options.output_size) * static_cast<double>(options.input_size);
  for (std::size_t axis = 0; axis + axes.size() + 1 < input_shape.size(); ++axis) {
    rest *= static_cast<double>(input_shape[axis]);
  }
  Operations operations{.all = rest, .in_window = rest};
  for (const AxisOfCall& axis : axes) {
    operations.all *= static_cast<double>(axis.input) * static_cast<double>(axis.filter);
    double taps = 0;
    double pairs = 0;  // (n, t) with offset <= n * stride + t * dilation < offset + output
    for (Index t = 0; t < axis.filter; ++t) {
      const auto inputs_before = [&](Index end) {
        const Index last = end - t * axis.dilation;  // n * stride < last
        if (last <= 0) return Index{0};
        return std::min((last - 1) / axis.stride + 1, axis.input);
      };
      const Index inputs = inputs_before(axis.offset + axis.output) - inputs_before(axis.offset);
      pairs += static_cast<double>(inputs);
      if (inputs > 0) ++taps;
    }
    operations.in_window *= pairs;
    operations.weights_share *= taps / static_cast<double>(axis.filter);
  }
  return operations;
}

std::size_t bytes_to_read(const Operations& operations, const Tensor& input, const Tensor& kernel) {
  const double elements = static_cast<double>(input.size()) +
                          operations.weights_share * static_cast<double>(kernel.size());
  return static_cast<std::size_t>(elements) * size_of(input.dtype());
}

}  // namespace upconv::tools
