// Activations: the public type. (Its kernels: epilogue_values_test.cpp, epilogue_memory_test.cpp.)
#include "upconv/activation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "activation_reference.h"
#include "upconv/error.h"

namespace upconv {
namespace {

using test::kInf;
using test::kNaN;
using test::Limits;
using test::limits;
using test::reference;
using test::ulps;

TEST(Activation, IsLinearByDefault) {
  const Activation activation;
  EXPECT_EQ(activation.kind(), ActivationKind::kLinear);
  EXPECT_EQ(activation.name(), "linear");
  EXPECT_TRUE(activation.is_clamp());
  EXPECT_EQ(activation.min(), -kInf);
  EXPECT_EQ(activation.max(), kInf);
}

TEST(Activation, IsMadeFromEveryNameAndSaysIt) {
  EXPECT_THAT(activation_names(),
              testing::ElementsAre("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu",
                                   "gelu_tanh", "sigmoid", "tanh", "softplus", "silu", "hard_swish",
                                   "clamp"));
  for (const std::string_view name : activation_names()) {
    EXPECT_EQ(Activation(name).name(), name);
    EXPECT_EQ(Activation(std::string(name)).name(), name);
    EXPECT_FALSE(Activation(name).function());
  }
  EXPECT_EQ(Activation("relu6").kind(), ActivationKind::kRelu6);
  EXPECT_EQ(Activation("gelu").kind(), Activation::gelu().kind());
  EXPECT_EQ(Activation("gelu_tanh").kind(), Activation::gelu_tanh().kind());
}

TEST(Activation, HasTheDefaultsOfTensorFlow) {
  EXPECT_EQ(Activation("leaky_relu").alpha(), 0.2);
  EXPECT_EQ(Activation::leaky_relu().alpha(), 0.2);
  EXPECT_EQ(Activation::leaky_relu(0.1).alpha(), 0.1);
}

TEST(Activation, ClampsHaveBounds) {
  const auto bounds = [](const Activation& a) { return std::pair(a.min(), a.max()); };
  EXPECT_EQ(bounds("linear"), std::pair(-kInf, kInf));
  EXPECT_EQ(bounds("relu"), std::pair(0.0, kInf));
  EXPECT_EQ(bounds("relu6"), std::pair(0.0, 6.0));
  EXPECT_EQ(bounds("clamp"), std::pair(-kInf, kInf));
  EXPECT_EQ(bounds(Activation::clamp(-1, 2)), std::pair(-1.0, 2.0));
  EXPECT_EQ(bounds(Activation::clamp(3, 3)), std::pair(3.0, 3.0));
  for (const std::string_view name : activation_names()) {
    const bool clamp = name == "linear" || name == "relu" || name == "relu6" || name == "clamp";
    EXPECT_EQ(Activation(name).is_clamp(), clamp) << name;
  }
}

template <typename Make>
std::string invalid_argument(Make make) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(Activation, RefusesAnUnknownName) {
  const std::string names =
      "linear, relu, relu6, leaky_relu, elu, selu, gelu, gelu_tanh, sigmoid, tanh, softplus, silu, "
      "hard_swish, clamp";
  EXPECT_EQ(invalid_argument([] { Activation("swish"); }),
            "activation is \"swish\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation("ReLU"); }),
            "activation is \"ReLU\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation(""); }),
            "activation is \"\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation("c\nlamp"); }),
            "activation is \"c\\x0alamp\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation("callable"); }),
            "activation is \"callable\"; it must be one of " + names);
}

TEST(Activation, RefusesBadParameters) {
  EXPECT_EQ(invalid_argument([] { Activation::clamp(1, -0.5); }),
            "clamp: min is 1 and max is -0.5; min must be at most max");
  EXPECT_EQ(invalid_argument([] { Activation::clamp(kNaN, 1); }),
            "clamp: min is nan and max is 1; min must be at most max");
  EXPECT_EQ(invalid_argument([] { Activation::clamp(0, kNaN); }),
            "clamp: min is 0 and max is nan; min must be at most max");
  EXPECT_EQ(invalid_argument([] { Activation::leaky_relu(kInf); }),
            "leaky_relu: alpha is inf; it must be finite");
  EXPECT_EQ(invalid_argument([] { Activation::leaky_relu(kNaN); }),
            "leaky_relu: alpha is nan; it must be finite");
  EXPECT_EQ(invalid_argument([] { Activation{Activation::Function()}; }),
            "activation is an empty function; it must be callable");
}

TEST(Activation, AppliesACallableToOneElement) {
  const Activation square(Activation::Function([](const TensorView& output) {
    EXPECT_EQ(output.shape(), (Dims{1}));
    double& element = *output.data_as<double>();
    element *= element;
  }));
  EXPECT_EQ(square.kind(), ActivationKind::kCallable);
  EXPECT_EQ(square.name(), "callable");
  EXPECT_FALSE(square.is_clamp());
  EXPECT_EQ(square(-3), 9);
}

TEST(Activation, HasTheValuesOfItsDefinition) {
  for (const std::string_view name : activation_names()) {
    const Activation activation(name);
    const ActivationKind kind = activation.is_clamp() ? ActivationKind::kClamp : activation.kind();
    const double p0 = activation.is_clamp() ? activation.min() : activation.alpha();
    const double p1 = activation.max();
    for (int step = -800; step <= 800; ++step) {
      const double v = step / 16.0;
      EXPECT_LE(ulps(activation(v), reference(kind, v, p0, p1)), 2) << name << "(" << v << ")";
    }
    EXPECT_TRUE(std::isnan(activation(kNaN))) << name;
    const Limits at = limits(kind, p0, p1);
    EXPECT_DOUBLE_EQ(activation(-kInf), at.at_minus_infinity) << name;
    EXPECT_DOUBLE_EQ(activation(kInf), at.at_infinity) << name;
  }
}

TEST(Activation, AgreesWithPublishedValues) {
  // tf.nn of TensorFlow 2.x and torch.nn.functional, to the digits they print.
  EXPECT_NEAR(Activation::elu()(-1), -0.6321205588285577, 1e-16);
  EXPECT_NEAR(Activation::selu()(-1), -1.1113307378125625, 1e-15);
  EXPECT_NEAR(Activation::selu()(1), 1.0507009873554805, 1e-15);
  EXPECT_NEAR(Activation::gelu()(1), 0.8413447460685429, 1e-16);
  EXPECT_NEAR(Activation::gelu_tanh()(1), 0.8411919906082768, 1e-15);
  EXPECT_NEAR(Activation::sigmoid()(1), 0.7310585786300049, 1e-16);
  EXPECT_NEAR(Activation::softplus()(1), 1.3132616875182228, 1e-15);
  EXPECT_NEAR(Activation::silu()(1), 0.7310585786300049, 1e-16);
  EXPECT_NEAR(Activation::hard_swish()(1), 0.6666666666666666, 1e-16);
  EXPECT_NEAR(Activation::leaky_relu()(-1), -0.2, 1e-16);
}

}  // namespace
}  // namespace upconv
