#include "upconv/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "expect_error.h"

namespace upconv {
namespace {

Tensor doubles(std::initializer_list<double> values) {
  return Tensor::from<double>(values, {static_cast<Index>(values.size())});
}

BatchNorm example() {
  return {.gamma = doubles({2, 0.5}),
          .beta = doubles({1, -1}),
          .mean = doubles({0.25, -3}),
          .variance = doubles({4, 0.01}),
          .epsilon = 1e-5};
}

TEST(BatchNorm, FoldedWeightsGiveTheNormalisedLayer) {
  // Any linear layer will do: y[co] = sum over taps of x[tap] * kernel[tap, co] + bias[co].
  const Tensor kernel = Tensor::from<double>({1, -2, 3, 4, -5, 6}, {3, 1, 2});
  const Tensor bias = doubles({0.5, -0.75});
  const BatchNorm norm = example();
  const KernelBias folded = fold_batch_norm(kernel, bias, norm);
  ASSERT_EQ(folded.kernel.shape(), kernel.shape());
  ASSERT_TRUE(folded.bias);
  ASSERT_EQ(folded.bias->shape(), Dims{2});
  const std::vector<double> x = {0.3, -1.7, 2.9};
  for (std::size_t co = 0; co < 2; ++co) {
    double y = bias.values<double>()[co];
    double z = folded.bias->values<double>()[co];
    for (std::size_t tap = 0; tap < 3; ++tap) {
      y += x[tap] * kernel.values<double>()[tap * 2 + co];
      z += x[tap] * folded.kernel.values<double>()[tap * 2 + co];
    }
    const double normalised = norm.gamma->values<double>()[co] *
                                  (y - norm.mean.values<double>()[co]) /
                                  std::sqrt(norm.variance.values<double>()[co] + norm.epsilon) +
                              norm.beta->values<double>()[co];
    EXPECT_NEAR(z, normalised, 1e-12 * std::abs(normalised));
  }
}

TEST(BatchNorm, ALayerWithoutBiasGetsOne) {
  const Tensor kernel = Tensor::from<float>({1.0F, 1.0F}, {1, 1, 2});
  BatchNorm norm = example();
  norm.epsilon = 0;
  norm.variance = doubles({4, 0.25});
  const KernelBias folded = fold_batch_norm(kernel, std::nullopt, norm);
  EXPECT_EQ(folded.kernel.dtype(), DType::kFloat32);
  EXPECT_EQ(folded.bias->dtype(), DType::kFloat32);
  EXPECT_EQ(folded.kernel.values<float>()[0], 1.0F);  // 2 / sqrt(4)
  EXPECT_EQ(folded.kernel.values<float>()[1], 1.0F);  // 0.5 / sqrt(0.25)
  EXPECT_EQ(folded.bias->values<float>()[0], 0.75F);  // (0 - 0.25) * 1 + 1
  EXPECT_EQ(folded.bias->values<float>()[1], 2.0F);   // (0 + 3) * 1 - 1
}

TEST(BatchNorm, GammaAndBetaMayBeAbsent) {
  const Tensor kernel = Tensor::from<double>({8, 8}, {1, 2});
  const KernelBias folded = fold_batch_norm(kernel, std::nullopt,
                                            {.gamma = {},
                                             .beta = {},
                                             .mean = doubles({1, 2}),
                                             .variance = doubles({4, 16}),
                                             .epsilon = 0});
  EXPECT_EQ(folded.kernel.values<double>()[0], 4);
  EXPECT_EQ(folded.kernel.values<double>()[1], 2);
  EXPECT_EQ(folded.bias->values<double>()[0], -0.5);
  EXPECT_EQ(folded.bias->values<double>()[1], -0.5);
}

TEST(BatchNorm, ComputesInDouble) {
  // 1 + 1e-5 in float would lose most of epsilon's digits.
  const Tensor kernel = Tensor::from<float>({3.0F}, {1, 1});
  const Tensor one = Tensor::from<float>({1.0F}, {1});
  const KernelBias folded =
      fold_batch_norm(kernel, std::nullopt,
                      {.gamma = {}, .beta = {}, .mean = one, .variance = one, .epsilon = 1e-5});
  EXPECT_EQ(folded.kernel.values<float>()[0], static_cast<float>(3 / std::sqrt(1 + 1e-5)));
}

TEST(BatchNorm, WrongShapesAndVariancesAreErrors) {
  const Tensor kernel = Tensor::zeros(DType::kFloat32, {3, 3, 4, 2});
  const auto fold = [&](const auto& change) {
    return [&kernel, change] {
      BatchNorm norm = example();
      change(norm);
      fold_batch_norm(kernel, std::nullopt, norm);
    };
  };
  expect_error(ErrorKind::kShapeMismatch, {"gamma has shape [3]; it must be [2]"},
               fold([](BatchNorm& norm) {
                 norm.gamma = doubles({1, 2, 3});
               }));
  expect_error(ErrorKind::kShapeMismatch, {"beta has shape [1]"},
               fold([](BatchNorm& norm) { norm.beta = doubles({1}); }));
  expect_error(ErrorKind::kShapeMismatch, {"mean has shape [0]"},
               fold([](BatchNorm& norm) { norm.mean = Tensor(); }));
  expect_error(ErrorKind::kShapeMismatch, {"variance has shape [1, 2]"}, fold([](BatchNorm& norm) {
                 norm.variance = Tensor::zeros(DType::kFloat32, {1, 2});
               }));
  expect_error(ErrorKind::kInvalidArgument, {"variance[1] + epsilon", "above 0"},
               fold([](BatchNorm& norm) {
                 norm.variance = doubles({1, -1});
               }));
  expect_error(
      ErrorKind::kInvalidArgument, {"variance[0] + epsilon", "nan"},
      fold([](BatchNorm& norm) { norm.epsilon = std::numeric_limits<double>::quiet_NaN(); }));
  expect_error(ErrorKind::kShapeMismatch, {"bias has shape [4]; it must be [2]"},
               [&] { fold_batch_norm(kernel, Tensor::zeros(DType::kFloat32, {4}), example()); });
  expect_error(ErrorKind::kShapeMismatch, {"kernel has shape []"}, [&] {
    fold_batch_norm(Tensor::zeros(DType::kFloat32, {}), std::nullopt, example());
  });
}

}  // namespace
}  // namespace upconv
