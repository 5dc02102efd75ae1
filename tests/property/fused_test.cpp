// What a call does after the sum: the residual, then the activation; each kind of tile and tail.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261128;

std::vector<Activation> activations() {
  std::vector<Activation> all;
  for (const std::string_view name : activation_names()) all.emplace_back(name);
  all.push_back(Activation::clamp(-0.75, 1.5));
  all.push_back(Activation::leaky_relu(0.01));
  all.push_back(Activation::leaky_relu(-2));
  return all;
}

/// Units in the last place between a result and the exact value.
double ulps(double got, double exact, DType dtype) {
  const bool single = dtype == DType::kFloat32;
  const int digits = single ? 24 : 53, lowest = single ? -126 : -1022;
  if (got == (single ? static_cast<double>(static_cast<float>(exact)) : exact)) return 0;
  const int exponent = exact == 0 ? lowest : std::max(std::ilogb(exact), lowest);
  return std::abs(got - exact) / std::ldexp(1.0, exponent - (digits - 1));
}

/// Integers scaled so that sums are exact and lie where activations bend (-4 ... 4, mostly).
Case scaled_case(const Problem& problem, DType dtype, Random& random) {
  Case c = make_case(problem, dtype, Values::kIntegers, random);
  for (double& value : c.kernel) value /= 64;
  for (double& value : c.bias) value /= 16;
  return c;
}

class Fused : public testing::TestWithParam<Isa> {
 protected:
  /// `y` is the activation of `sums`: clamps exactly, the others within 4 ulp, the most that
  /// activation.h allows any (unit/epilogue_values_test.cpp has each one's own), and for float64
  /// the 2 that the double reference itself may be off.
  static void expect_activated(const Activation& activation, const std::vector<double>& sums,
                               const Tensor& y, const std::string& what) {
    const std::vector<double> got = values_of(y);
    ASSERT_EQ(got.size(), sums.size());
    const double bound = y.dtype() == DType::kFloat32 ? 4.01 : 6;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double exact = activation(sums[i]);
      ASSERT_LE(ulps(got[i], exact, y.dtype()), activation.is_clamp() ? 0 : bound)
          << activation.name() << "(" << sums[i] << ") is " << got[i] << ", not " << exact << "; "
          << what;
    }
  }
};

TEST_P(Fused, EveryActivationIsAppliedToEverySum) {
  for (const Activation& activation : activations()) {
    for (std::uint64_t seed = kSeed; seed < kSeed + cases(12); ++seed) {
      Random random(seed);
      const DType dtype = seed % 2 == 0 ? DType::kFloat32 : DType::kFloat64;
      const Case c = scaled_case(random_problem(random), dtype, random);
      const std::vector<double> sums = reference(c.problem, c.x, c.kernel, c.bias);
      expect_activated(activation, sums, layer_of(c, GetParam(), activation)(c.input()),
                       "seed " + std::to_string(seed) + ", " + c.problem.text());
    }
  }
}

TEST_P(Fused, TheResidualIsAddedBeforeTheActivation) {
  for (const Activation& activation : activations()) {
    for (std::uint64_t seed = 2 * kSeed; seed < 2 * kSeed + cases(12); ++seed) {
      Random random(seed);
      const DType dtype = seed % 2 == 0 ? DType::kFloat32 : DType::kFloat64;
      const Case c = scaled_case(random_problem(random), dtype, random);
      const ConvolutionTranspose layer = layer_of(c, GetParam(), activation);
      std::vector<double> sums = reference(c.problem, c.x, c.kernel, c.bias), added(sums.size());
      for (std::size_t i = 0; i < sums.size(); ++i) {
        added[i] = static_cast<double>(draw(random, -16, 16)) / 8;
        sums[i] += added[i];
      }
      const Tensor residual = tensor_of(dtype, layer.output_shape(c.input_shape()), added);
      const ConstTensorView view = residual;
      expect_activated(activation, sums, layer(c.input(), {.residual = view}),
                       "seed " + std::to_string(seed) + ", " + c.problem.text());
    }
  }
}

TEST_P(Fused, AClampWithAResidualDoesNotClampTheSumAlone) {
  // relu(-3 + 5) is 2: clamping in the tile, before the residual, would give 5.
  ConvolutionTranspose layer({.input_size = 1,
                              .output_size = 1,
                              .filter_shape = 1,
                              .rank = 1,
                              .init_kernel_fn = initializers::constant(-3),
                              .activation_fn = "relu",
                              .isa = GetParam()});
  const Tensor residual = tensor_of(DType::kFloat32, {1, 1}, {5});
  const ConstTensorView view = residual;
  EXPECT_EQ(values_of(layer(tensor_of(DType::kFloat32, {1, 1}, {1}), {.residual = view})),
            std::vector<double>{2});
}

TEST_P(Fused, ACallableSeesTheWholeOutputOnceAfterTheResidual) {
  int calls = 0;
  Dims shape, strides;
  const Activation::Function square = [&](const TensorView& y) {
    ++calls;
    shape = y.shape();
    strides = y.strides();
    for (Index n = 0; n < shape[0]; ++n) {
      for (Index w = 0; w < shape[1]; ++w) {
        for (Index c = 0; c < shape[2]; ++c) {
          float& value = y.data_as<float>()[n * strides[0] + w * strides[1] + c];
          value *= value;
        }
      }
    }
  };
  ConvolutionTranspose layer({.input_size = 1,
                              .output_size = 3,
                              .filter_shape = 2,
                              .rank = 1,
                              .init_kernel_fn = initializers::ones(),
                              .init_bias_fn = initializers::constant(1),
                              .activation_fn = square,
                              .isa = GetParam()});
  const Tensor x = tensor_of(DType::kFloat32, {1, 2, 1}, {1, 2});
  const Tensor residual = tensor_of(DType::kFloat32, {1, 3, 3}, std::vector<double>(9, -3));
  const ConstTensorView added = residual;
  Tensor wide = Tensor::zeros(DType::kFloat32, {1, 3, 7});
  layer(x, TensorView(wide.values<float>().data() + 2, {1, 3, 3}, {21, 7, 1}), {.residual = added});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(to_string(shape), "[1, 3, 3]");
  EXPECT_EQ(to_string(strides), "[21, 7, 1]");
  EXPECT_EQ(values_of(wide), (std::vector<double>{0, 0, 1, 1, 1, 0, 0,  //
                                                  0, 0, 1, 1, 1, 0, 0,  //
                                                  0, 0, 0, 0, 0, 0, 0}));
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Fused, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
