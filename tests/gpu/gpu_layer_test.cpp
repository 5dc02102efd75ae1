// A layer on a GPU is the layer: on every interface that finds a device here, PoCL's processor
// among them, it has the reference's values.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "cases.h"
#include "checks.h"
#include "layers.h"
#include "plans.h"

namespace upconv::test {
namespace {

/// A layer with the case's weights on that device.
ConvolutionTranspose gpu_layer(const Case& c, Device device, Activation activation = {}) {
  ConvolutionTransposeOptions options = c.options();
  options.device = device;
  options.activation_fn = std::move(activation);
  return ConvolutionTranspose(std::move(options));
}

/// Every device that a build can have; those that are not here are skipped, and say why.
class GpuLayer : public testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    const Caught why = error_of([] {
      ConvolutionTranspose(
          {.input_size = 1, .output_size = 1, .filter_shape = 1, .device = GetParam()});
    });
    if (why.kind) GTEST_SKIP() << why.text;
  }
};

TEST_P(GpuLayer, IsExactOnSmallIntegers) {
  for (std::uint64_t seed = 1; seed <= cases(150); ++seed) {
    Random random(seed);
    const Problem problem = random_problem(random);
    const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    const Tensor y = gpu_layer(c, GetParam())(c.input());
    ASSERT_TRUE(matches_reference(c, Values::kIntegers, y)) << "seed " << seed;
  }
}

TEST_P(GpuLayer, IsWithinTheRoundingErrorOfTheReference) {
  for (std::uint64_t seed = 1; seed <= cases(50); ++seed) {
    Random random(seed);
    const Problem problem = random_winograd_problem(random);  // channels enough for several tiles
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const Tensor y = gpu_layer(c, GetParam())(c.input());
    ASSERT_TRUE(matches_reference(c, Values::kNormal, y)) << "seed " << seed;
  }
}

TEST_P(GpuLayer, ServesWhatFillsOrLeavesTilesInEveryRank) {
  const Problem problems[] = {
      make_problem({2}, {2000}, 33, 65, {16}, {8}, {1}, "SAME"),
      make_problem({}, {129}, 16, 64, {4}, {2}, {1}, "VALID"),
      make_problem({3}, {1, 1}, 100, 130, {7, 7}, {1, 1}, {1, 1}, "VALID"),
      make_problem({2}, {40, 33}, 17, 3, {3, 3}, {2, 2}, {1, 1}, "SAME"),
      make_problem({2}, {7, 9}, 5, 6, {2, 3}, {7, 5}, {1, 1}, "SAME"),     // gaps
      make_problem({2}, {11, 12}, 8, 9, {3, 4}, {4, 6}, {6, 4}, "VALID"),  // dilation and stride
      make_problem({2}, {9}, 4, 4, {3}, {300}, {7}, "SAME"),               // many phases
      make_problem({2}, {5, 6, 7}, 20, 70, {3, 4, 5}, {2, 1, 3}, {1, 2, 1}, "SAME"),
  };
  for (const Problem& problem : problems) {
    Random random(1);
    const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
    EXPECT_TRUE(matches_reference(c, Values::kIntegers, gpu_layer(c, GetParam())(c.input())));
  }
}

TEST_P(GpuLayer, HasEveryActivationAfterTheResidual) {
  Random random(3);
  const Problem problem = make_problem({2}, {9, 11}, 12, 10, {4, 3}, {2, 2}, {1, 1}, "SAME");
  const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  const Tensor x = c.input();
  const Tensor residual = layer_of(c, default_isa())(x);
  for (const char* name :
       {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "sigmoid",
        "tanh", "softplus", "silu", "hard_swish", "clamp"}) {
    const Activation activation =
        std::string(name) == "clamp" ? Activation::clamp(-0.5, 0.75) : Activation(name);
    const CallOptions call{.residual = residual};
    const std::vector<double> expected = values_of(layer_of(c, default_isa(), activation)(x, call));
    const std::vector<double> got = values_of(gpu_layer(c, GetParam(), activation)(x, call));
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], 2e-5 * (1 + std::abs(expected[i]))) << name << " " << i;
    }
  }
}

TEST_P(GpuLayer, CallsAFunctionOnTheHost) {
  Random random(4);
  const Case c = make_case(one_dimension(7, 3, 2, 1), DType::kFloat32, Values::kIntegers, random);
  const Activation twice([](const TensorView& y) {
    for (Index i = 0; i < element_count(y.shape()); ++i) y.data_as<float>()[i] *= 2;
  });
  std::vector<double> expected = values_of(gpu_layer(c, GetParam())(c.input()));
  for (double& value : expected) value *= 2;
  EXPECT_EQ(values_of(gpu_layer(c, GetParam(), twice)(c.input())), expected);
}

TEST_P(GpuLayer, TakesAndWritesViews) {
  Random random(5);
  const Problem problem = make_problem({2, 3}, {6, 5}, 4, 7, {3, 2}, {2, 1}, {1, 1}, "SAME");
  const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
  const ConvolutionTranspose layer = gpu_layer(c, GetParam());
  const Tensor x = c.input();
  const std::vector<double> expected = values_of(layer(x));

  // Every second channel, and every second row, of bigger tensors.
  Dims wide = x.shape();
  wide[wide.size() - 1] *= 2;
  wide[2] *= 2;
  Tensor big = Tensor::zeros(DType::kFloat32, wide);
  Dims strides = c_order_strides(wide);
  strides[strides.size() - 1] *= 2;
  strides[2] *= 2;
  const TensorView part(big.data(), DType::kFloat32, x.shape(), strides);
  for (Index i = 0, rest = 0; i < x.size(); ++i) {
    Index at = 0;
    rest = i;
    for (std::size_t axis = x.shape().size(); axis-- > 0; rest /= x.shape()[axis]) {
      at += rest % x.shape()[axis] * strides[axis];
    }
    part.data_as<float>()[at] = x.values<float>()[static_cast<std::size_t>(i)];
  }
  MiddleChannels middle(layer.output_shape(x.shape()));
  const TensorView into = middle.view();
  layer(part, into);
  EXPECT_EQ(values_of(into), expected);
  middle.expect_others_untouched("");
}

TEST_P(GpuLayer, KeepsAnInfinityOfXToTheOutputsThatReadIt) {
  Random random(6);
  Case c = make_case(make_problem({1}, {13, 12}, 5, 6, {3, 3}, {2, 2}, {1, 1}, "VALID"),
                     DType::kFloat32, Values::kNormal, random);
  c.x[40] = std::numeric_limits<double>::infinity();
  c.x[400] = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> expected = values_of(layer_of(c, default_isa())(c.input()));
  const std::vector<double> got = values_of(gpu_layer(c, GetParam(), "relu")(c.input()));
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(std::isnan(got[i]), std::isnan(expected[i])) << i;
    ASSERT_EQ(std::isinf(got[i]), std::isinf(expected[i]) && expected[i] > 0) << i;
  }
}

TEST_P(GpuLayer, TakesOtherWeightsAndIsCopied) {
  Random random(7);
  const Problem problem = make_problem({2}, {6}, 3, 4, {4}, {2}, {1}, "SAME");
  const Case first = make_case(problem, DType::kFloat32, Values::kIntegers, random);
  Case second = make_case(problem, DType::kFloat32, Values::kIntegers, random);
  second.use_bias = first.use_bias;
  ASSERT_TRUE(first.use_bias);
  second.bias = {5, 6, 7, 8};
  ConvolutionTranspose layer = gpu_layer(first, GetParam());
  const ConvolutionTranspose copy = layer;
  layer.kernel() = tensor_of(DType::kFloat32, layer.kernel().shape(), second.kernel);
  layer.bias() = tensor_of(DType::kFloat32, layer.bias().shape(), second.bias);
  layer.drop_kernel();
  EXPECT_TRUE(matches_reference(first, Values::kIntegers, copy(first.input())));
  EXPECT_TRUE(matches_reference(second, Values::kIntegers, layer(second.input())));
  EXPECT_EQ(layer.kernel_choice({1, 6, 3}).strategy, "gpu");
}

TEST_P(GpuLayer, RunsInSeveralThreadsAtOnce) {
  Random random(8);
  const Case c = make_case(make_problem({2}, {19, 21}, 12, 20, {4, 4}, {2, 2}, {1, 1}, "SAME"),
                           DType::kFloat32, Values::kNormal, random);
  const ConvolutionTranspose layer = gpu_layer(c, GetParam());
  const Tensor x = c.input();
  const Tensor expected = layer(x);
  std::vector<Tensor> got(4);
  std::vector<std::thread> threads;
  for (Tensor& y : got) threads.emplace_back([&] { y = layer(x); });
  for (std::thread& thread : threads) thread.join();
  for (const Tensor& y : got) EXPECT_TRUE(same_bits(y, expected));
}

TEST_P(GpuLayer, OfNoInputIsTheBias) {
  Random random(9);
  Case c = make_case(make_problem({2}, {0}, 3, 4, {4}, {2}, {1}, "VALID"), DType::kFloat32,
                     Values::kIntegers, random);
  const ConvolutionTranspose layer = gpu_layer(c, GetParam());
  EXPECT_EQ(values_of(layer(c.input())), values_of(layer_of(c, default_isa())(c.input())));
}

INSTANTIATE_TEST_SUITE_P(Devices, GpuLayer, testing::Values(Device::kCuda, Device::kOpencl),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace upconv::test
