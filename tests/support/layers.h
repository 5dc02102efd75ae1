// Random layers, inputs and weights for tests, and their comparison with the reference.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "reference.h"
#include "upconv/upconv.h"

namespace upconv::test {

using Random = std::mt19937_64;

/// Uniform on [low, high].
Index draw(Random& random, Index low, Index high);

/// How values are drawn.
enum class Values {
  kIntegers,  ///< small integers: every sum is exact in float32, so results compare equal
  kNormal,
};

/// A problem with its data.
struct Case {
  Problem problem;
  DType dtype = DType::kFloat32;
  bool use_bias = true;
  /// The one order of summation, which values are compared with; kFast has tests of its own.
  Arithmetic arithmetic = Arithmetic::kDirect;
  std::vector<double> x, kernel, bias;  ///< representable in dtype

  /// Options with these weights as initialisers.
  ConvolutionTransposeOptions options() const;
  Dims input_shape() const;
  Tensor input() const;
};

/// Two images of one axis, 3 channels in and 5 out; `padding` "" is the pair [0, 0].
Problem one_dimension(Index input, Index filter, Index stride, Index dilation,
                      const std::string& padding = "");
/// A problem of any rank, padded by name.
Problem make_problem(std::vector<Index> batch, std::vector<Index> input, Index input_size,
                     Index output_size, std::vector<Index> filter, std::vector<Index> strides,
                     std::vector<Index> dilations, std::string padding);
/// Any rank, tails of all tile sizes, gaps, negative crops, dilation with stride.
Problem random_problem(Random& random);
/// A layer that the winograd strategy accepts on every ISA: taps in every phase, 4 at most,
/// channels enough.
/// @param foldable without a dilation along an axis with a stride
Problem random_winograd_problem(Random& random, bool foldable = false);
Case make_case(const Problem& problem, DType dtype, Values values, Random& random);

/// A tensor of that dtype with these values.
Tensor tensor_of(DType dtype, const Dims& shape, const std::vector<double>& values);
/// All elements of a view as doubles, C order.
std::vector<double> values_of(const ConstTensorView& view);

/// Within the rounding error of a sum of that many terms of that magnitude; equal for kIntegers.
testing::AssertionResult matches_reference(const Case& c, Values values, const ConstTensorView& y);

/// Every ISA this machine runs.
inline const std::vector<Isa>& isas() { return runnable_isas(); }
/// The name of a test whose parameter is an ISA.
inline std::string isa_name(const testing::TestParamInfo<Isa>& test) {
  return std::string(to_string(test.param));
}

}  // namespace upconv::test
