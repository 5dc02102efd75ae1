#include "layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace upconv::test {

Index draw(Random& random, Index low, Index high) {
  return std::uniform_int_distribution<Index>(low, high)(random);
}

namespace {

Index pick(Random& random, std::initializer_list<Index> values) {
  return values.begin()[draw(random, 0, static_cast<Index>(values.size()) - 1)];
}

std::vector<double> draw_values(Random& random, Index count, Values values, DType dtype) {
  std::vector<double> drawn(static_cast<std::size_t>(count));
  std::normal_distribution<double> normal;
  for (double& value : drawn) {
    value = values == Values::kIntegers ? static_cast<double>(draw(random, -3, 3)) : normal(random);
    if (dtype == DType::kFloat32) value = static_cast<float>(value);
  }
  return drawn;
}

Index product(const std::vector<Index>& values) {
  Index result = 1;
  for (const Index value : values) result *= value;
  return result;
}

}  // namespace

Problem one_dimension(Index input, Index filter, Index stride, Index dilation,
                      const std::string& padding) {
  Problem problem;
  problem.batch = {2};
  problem.input = {input};
  problem.input_size = 3;
  problem.output_size = 5;
  problem.filter = {filter};
  problem.strides = {stride};
  problem.dilations = {dilation};
  problem.padding = padding;
  problem.pairs = {{0, 0}};
  return problem;
}

Problem make_problem(std::vector<Index> batch, std::vector<Index> input, Index input_size,
                     Index output_size, std::vector<Index> filter, std::vector<Index> strides,
                     std::vector<Index> dilations, std::string padding) {
  return {.batch = std::move(batch),
          .input = std::move(input),
          .input_size = input_size,
          .output_size = output_size,
          .filter = std::move(filter),
          .strides = std::move(strides),
          .dilations = std::move(dilations),
          .padding = std::move(padding),
          .pairs = {},
          .output_padding = {}};
}

Problem random_problem(Random& random) {
  Problem p;
  const Index rank = pick(random, {1, 1, 2, 2, 2, 3});
  for (Index axis = draw(random, 0, 2); axis-- > 0;) p.batch.push_back(draw(random, 1, 3));
  // Around every tile: 8 lanes x 3 vectors on AVX2, 16 x 3 on AVX-512, 4 x 3 on SSE and NEON.
  p.input_size = pick(random, {1, 2, 3, 4, 5, 8, 13, 21});
  p.output_size =
      pick(random, {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 25, 31, 33, 40, 48, 49, 72});
  const int kind = static_cast<int>(draw(random, 0, 3));
  p.padding = kind == 0 ? "VALID" : kind == 1 ? "SAME" : "";
  const bool given = draw(random, 0, 2) == 0;
  std::vector<Index> output_padding;
  for (Index axis = 0; axis < rank; ++axis) {
    const Index most = rank == 1 ? 30 : rank == 2 ? 9 : 5;
    p.input.push_back(pick(random, {1, 1, 2, 3, draw(random, 1, most), most}));
    p.filter.push_back(draw(random, 1, rank == 3 ? 4 : 7));
    p.strides.push_back(pick(random, {1, 1, 2, 2, 3, 4, 5}));
    p.dilations.push_back(pick(random, {1, 1, 1, 2, 3, 4}));
    const std::size_t a = static_cast<std::size_t>(axis);
    const Index limit = p.padding.empty() ? std::max(p.strides[a], p.dilations[a]) : p.strides[a];
    output_padding.push_back(draw(random, 0, limit - 1));
    if (p.padding.empty()) {
      const Index full = (p.input[a] - 1) * p.strides[a] + (p.filter[a] - 1) * p.dilations[a] + 1;
      const Index begin = draw(random, -4, full);
      p.pairs.emplace_back(begin, draw(random, -4, full - begin));
    }
  }
  if (given) p.output_padding = output_padding;
  return p;
}

Problem random_winograd_problem(Random& random, bool foldable) {
  const Index rank = draw(random, 1, 3);
  Problem problem;
  const Index batch_axes = draw(random, 0, 2);
  for (Index axis = 0; axis < batch_axes; ++axis) problem.batch.push_back(draw(random, 1, 3));
  problem.input_size = draw(random, 16, 50);
  problem.output_size = draw(random, 1, 70);
  bool several_taps = false;
  for (Index axis = 0; axis < rank; ++axis) {
    const Index stride = draw(random, 1, rank == 3 ? 2 : 3);
    Index dilation = draw(random, 1, 3);
    while (std::gcd(stride, dilation) != 1) ++dilation;
    if (foldable && stride > 1) dilation = 1;
    const Index filter = draw(random, stride, (rank == 3 ? 3 : 4) * stride);
    several_taps = several_taps || filter > stride;
    problem.input.push_back(draw(random, 1, rank == 1 ? 60 : rank == 2 ? 14 : 6));
    problem.filter.push_back(filter);
    problem.strides.push_back(stride);
    problem.dilations.push_back(dilation);
  }
  if (!several_taps) {
    problem.filter[0] = 2 * problem.strides[0];
  }
  switch (draw(random, 0, 2)) {
    case 0:
      problem.padding = "SAME";
      break;
    case 1:
      problem.padding = "VALID";
      break;
    default:
      for (std::size_t axis = 0; axis < problem.input.size(); ++axis) {
        const Index whole = (problem.input[axis] - 1) * problem.strides[axis] +
                            (problem.filter[axis] - 1) * problem.dilations[axis] + 1;
        const Index begin = draw(random, -3, whole / 2);
        problem.pairs.emplace_back(begin, draw(random, -3, whole / 2));
      }
  }
  return problem;
}

Case make_case(const Problem& problem, DType dtype, Values values, Random& random) {
  Case c;
  c.problem = problem;
  c.dtype = dtype;
  c.use_bias = draw(random, 0, 5) != 0;
  const Index taps = product(problem.filter);
  c.x = draw_values(random, product(problem.batch) * product(problem.input) * problem.input_size,
                    values, dtype);
  c.kernel = draw_values(random, taps * problem.input_size * problem.output_size, values, dtype);
  if (c.use_bias) c.bias = draw_values(random, problem.output_size, values, dtype);
  return c;
}

Tensor tensor_of(DType dtype, const Dims& shape, const std::vector<double>& values) {
  return Tensor::cast(ConstTensorView(values, shape), dtype);
}

std::vector<double> values_of(const ConstTensorView& view) {
  const Tensor tensor = Tensor::cast(view, DType::kFloat64);
  const std::span<const double> values = tensor.values<double>();
  return {values.begin(), values.end()};
}

ConvolutionTransposeOptions Case::options() const {
  ConvolutionTransposeOptions options{.input_size = problem.input_size,
                                      .output_size = problem.output_size,
                                      .filter_shape = problem.filter,
                                      .rank = problem.rank(),
                                      .strides = problem.strides,
                                      .dilations = problem.dilations,
                                      .dtype = dtype,
                                      .name = "test",
                                      .use_bias = use_bias,
                                      .arithmetic = arithmetic};
  options.padding = problem.padding.empty() ? Padding(problem.pairs) : Padding(problem.padding);
  if (problem.output_padding) options.output_padding = PerAxis(*problem.output_padding);
  options.init_kernel_fn = [values = kernel](const Dims& shape, DType type) {
    return tensor_of(type, shape, values);
  };
  options.init_bias_fn = [values = bias](const Dims& shape, DType type) {
    return tensor_of(type, shape, values);
  };
  return options;
}

Dims Case::input_shape() const {
  Dims shape;
  for (const Index extent : problem.batch) shape.push_back(extent);
  for (const Index extent : problem.input) shape.push_back(extent);
  shape.push_back(problem.input_size);
  return shape;
}

Tensor Case::input() const { return tensor_of(dtype, input_shape(), x); }

testing::AssertionResult matches_reference(const Case& c, Values values, const ConstTensorView& y) {
  const std::vector<double> expected = reference(c.problem, c.x, c.kernel, c.bias);
  const std::vector<double> size = reference_magnitude(c.problem, c.x, c.kernel, c.bias);
  const std::vector<double> got = values_of(y);
  if (got.size() != expected.size()) {
    return testing::AssertionFailure() << "output has shape " << to_string(y.shape()) << ", the "
                                       << "reference " << expected.size() << " elements";
  }
  // n products and sums, each rounded once: error <= n * eps * sum |x| |w| (Higham 2002, 3.1).
  const double eps = c.dtype == DType::kFloat32 ? std::numeric_limits<float>::epsilon()
                                                : std::numeric_limits<double>::epsilon();
  const double terms = static_cast<double>(product(c.problem.filter) * c.problem.input_size + 2);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double tolerance = values == Values::kIntegers ? 0 : terms * eps * size[i];
    if (!(std::abs(got[i] - expected[i]) <= tolerance)) {
      return testing::AssertionFailure()
             << "element " << i << " of shape " << to_string(y.shape()) << " is " << got[i]
             << "; the reference is " << expected[i] << " +- " << tolerance << "\n"
             << c.problem.text() << " " << to_string(c.dtype);
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace upconv::test
