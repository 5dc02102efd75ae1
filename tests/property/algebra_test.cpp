// What a transposed convolution is: linear, made of shifted kernels, and the adjoint of a strided
// convolution. On integers, where every sum is exact.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261124;

std::string named(std::uint64_t seed, const Problem& problem) {
  return "seed " + std::to_string(seed) + ", " + problem.text();
}

/// a * x + b * y, element by element.
std::vector<double> combine(double a, const std::vector<double>& x, double b,
                            const std::vector<double>& y) {
  std::vector<double> sum(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) sum[i] = a * x[i] + b * y[i];
  return sum;
}

std::vector<double> apply(const Case& c, Isa isa) { return values_of(layer_of(c, isa)(c.input())); }

class Algebra : public testing::TestWithParam<Isa> {};

TEST_P(Algebra, IsLinearInTheInputAndInTheKernel) {
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(100); ++seed) {
    Random random(seed);
    const Problem problem = random_problem(random);
    Case one = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    one.use_bias = false;
    one.bias.clear();
    Case other = one, sum = one;
    other.x = make_case(problem, DType::kFloat32, Values::kIntegers, random).x;
    sum.x = combine(2, one.x, -3, other.x);
    EXPECT_EQ(apply(sum, GetParam()),
              combine(2, apply(one, GetParam()), -3, apply(other, GetParam())))
        << named(seed, problem);
    other = sum = one;
    other.kernel = make_case(problem, DType::kFloat32, Values::kIntegers, random).kernel;
    sum.kernel = combine(-1, one.kernel, 2, other.kernel);
    EXPECT_EQ(apply(sum, GetParam()),
              combine(-1, apply(one, GetParam()), 2, apply(other, GetParam())))
        << named(seed, problem);
  }
}

/// A problem whose window is the whole full result.
Problem full_problem(Random& random) {
  Problem problem = random_problem(random);
  problem.batch.clear();
  problem.padding.clear();
  problem.output_padding.reset();
  problem.pairs.assign(problem.input.size(), {0, 0});
  return problem;
}

TEST_P(Algebra, AnImpulseLeavesTheKernelAtItsPlace) {
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(100); ++seed) {
    Random random(seed);
    const Problem problem = full_problem(random);
    Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    const Index at = draw(random, 0, static_cast<Index>(c.x.size()) - 1);
    c.x.assign(c.x.size(), 0);
    c.x[static_cast<std::size_t>(at)] = 1;
    c.use_bias = false;
    const Tensor y = layer_of(c, GetParam())(c.input());
    std::vector<double> expected(static_cast<std::size_t>(y.size()), 0);
    const Index channel = at % problem.input_size;
    Index taps = 1;
    for (const Index extent : problem.filter) taps *= extent;
    for (Index tap = 0; tap < taps; ++tap) {
      Index pixel = at / problem.input_size, rest = tap, to = 0, step = 1;
      for (std::size_t axis = problem.input.size(); axis-- > 0;) {
        to += step * (pixel % problem.input[axis] * problem.strides[axis] +
                      rest % problem.filter[axis] * problem.dilations[axis]);
        step *= y.shape()[axis];
        pixel /= problem.input[axis];
        rest /= problem.filter[axis];
      }
      for (Index co = 0; co < problem.output_size; ++co) {
        expected[static_cast<std::size_t>(to * problem.output_size + co)] =
            c.kernel[static_cast<std::size_t>(
                (tap * problem.input_size + channel) * problem.output_size + co)];
      }
    }
    EXPECT_EQ(values_of(y), expected) << "impulse " << at << ", " << named(seed, problem);
  }
}

/// Plain strided convolution, the other way round: gathers x[n] from y[n * s + t * d - offset].
std::vector<double> convolution(const Problem& p, const std::vector<double>& y,
                                const std::vector<double>& kernel) {
  const ReferenceWindow window = reference_window(p);
  Index images = 1, pixels = 1, taps = 1, image_out = p.output_size;
  for (const Index extent : p.batch) images *= extent;
  for (const Index extent : p.input) pixels *= extent;
  for (const Index extent : p.filter) taps *= extent;
  for (const Index extent : window.output) image_out *= extent;
  std::vector<double> x;
  for (Index n = 0; n < images; ++n) {
    for (Index pixel = 0; pixel < pixels; ++pixel) {
      for (Index ci = 0; ci < p.input_size; ++ci) {
        double sum = 0;
        for (Index tap = 0; tap < taps; ++tap) {
          Index from = 0, step = 1, at = pixel, rest = tap;
          bool inside = true;
          for (std::size_t axis = p.input.size(); axis-- > 0;) {
            const Index j = at % p.input[axis] * p.strides[axis] +
                            rest % p.filter[axis] * p.dilations[axis] - window.offset[axis];
            inside = inside && j >= 0 && j < window.output[axis];
            from += step * j;
            step *= window.output[axis];
            at /= p.input[axis];
            rest /= p.filter[axis];
          }
          for (Index co = 0; inside && co < p.output_size; ++co) {
            sum += y[static_cast<std::size_t>(n * image_out + from * p.output_size + co)] *
                   kernel[static_cast<std::size_t>((tap * p.input_size + ci) * p.output_size + co)];
          }
        }
        x.push_back(sum);
      }
    }
  }
  return x;
}

TEST_P(Algebra, IsTheAdjointOfAStridedConvolution) {
  // <layer(x), y> == <x, convolution(y)> for every x and y.
  for (std::uint64_t seed = 2 * kSeed; seed < 2 * kSeed + cases(120); ++seed) {
    Random random(seed);
    const Problem problem = random_problem(random);
    Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    c.use_bias = false;
    const std::vector<double> result = apply(c, GetParam());
    std::vector<double> y(result.size());
    for (double& value : y) value = static_cast<double>(draw(random, -3, 3));
    const std::vector<double> back = convolution(problem, y, c.kernel);
    double left = 0, right = 0;
    for (std::size_t i = 0; i < y.size(); ++i) left += result[i] * y[i];
    for (std::size_t i = 0; i < back.size(); ++i) right += back[i] * c.x[i];
    EXPECT_EQ(left, right) << named(seed, problem);
  }
}

TEST_P(Algebra, ShiftingTheInputShiftsTheOutputByTheStride) {
  for (std::uint64_t seed = 3 * kSeed; seed < 3 * kSeed + cases(80); ++seed) {
    Random random(seed);
    const Problem problem = full_problem(random);
    const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    const Tensor y = layer_of(c, GetParam())(c.input());
    // One more row of zeros before the first, on the slowest axis.
    Case shifted = c;
    shifted.problem.input[0] += 1;
    const std::size_t row = c.x.size() / static_cast<std::size_t>(problem.input[0]);
    shifted.x.insert(shifted.x.begin(), row, 0.0);
    const Tensor got = layer_of(shifted, GetParam())(shifted.input());
    EXPECT_EQ(values_of(slice(got, 0, problem.strides[0], y.shape()[0])), values_of(y))
        << named(seed, problem);
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Algebra, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
