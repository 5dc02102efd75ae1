// Activations: what is applied to every output element after the bias.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// The fused activations. Their names in files are the enumerators in snake_case.
///
/// "n ulp" is the largest distance of a kernel's result from the correctly rounded value of the
/// formula at the kernel's input, in units of the last place, for float32 and float64 alike; below
/// the normal numbers, in units of the least of them. It holds for every input, also where the
/// formula as written would cancel or overflow. An activation's result has the same bits on every
/// instruction set. Infinities give the limit.
enum class ActivationKind {
  kLinear,     ///< v; exact
  kRelu,       ///< max(v, 0); exact
  kRelu6,      ///< min(max(v, 0), 6); exact
  kClamp,      ///< min(max(v, min), max); exact, with the bounds rounded to the dtype
  kLeakyRelu,  ///< v > 0 ? v : alpha * v; 1 ulp
  kElu,        ///< v > 0 ? v : exp(v) - 1; 1 ulp
  kSelu,       ///< 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * (exp(v) - 1)); 2 ulp
  kGelu,       ///< v/2 * (1 + erf(v / sqrt(2))); 4 ulp
  kGeluTanh,   ///< v/2 * (1 + tanh(sqrt(2/pi) * (v + 0.044715 v^3))); 3 ulp
  kSigmoid,    ///< 1 / (1 + exp(-v)); 3 ulp
  kTanh,       ///< tanh(v); 3 ulp
  kSoftplus,   ///< log(1 + exp(v)); 3 ulp
  kSilu,       ///< v / (1 + exp(-v)); 3 ulp
  kHardSwish,  ///< v * min(max(v + 3, 0), 6) / 6; 2 ulp
  kCallable,   ///< a function of the caller's, applied to the whole output
};

/// An activation and its parameters. Small, copyable, comparable by kind and parameters.
///
/// linear, relu, relu6 and clamp are part of the kernels' last step and cost nothing; the others
/// run in one vectorised pass over each tile while it is in the first-level cache; a callable runs
/// once over the finished output. NaN in gives NaN out for every kind.
class Activation {
 public:
  /// A function that rewrites a whole output (C order or strided, `[batch..., spatial...,
  /// channels]`) in place. It must not throw away the view's strides.
  using Function = std::function<void(const TensorView& output)>;

  /// Linear.
  Activation() = default;
  /// By name: "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh",
  /// "sigmoid", "tanh", "softplus", "silu", "hard_swish", "clamp", with the defaults below.
  /// @throws Error kInvalidArgument for any other name (the message lists them).
  Activation(std::string_view name);
  Activation(const char* name) : Activation(std::string_view(name)) {}
  Activation(const std::string& name) : Activation(std::string_view(name)) {}
  Activation(Function function);
  /// Any other callable that a Function holds.
  template <std::invocable<const TensorView&> Callable>
  requires(!std::convertible_to<Callable, std::string_view> && !std::same_as<Callable, Function>)
      Activation(Callable callable)
      : Activation(Function(std::move(callable))) {}
  /// Linear, as Python's None.
  Activation(std::nullptr_t) {}

  static Activation linear() { return {}; }
  static Activation relu() { return Activation(ActivationKind::kRelu); }
  static Activation relu6() { return Activation(ActivationKind::kRelu6); }
  /// @throws Error kInvalidArgument when a bound is NaN or min > max.
  static Activation clamp(double min, double max);
  /// `alpha` as in tf.nn.leaky_relu. @throws Error kInvalidArgument when alpha is not finite.
  static Activation leaky_relu(double alpha = 0.2);
  static Activation elu() { return Activation(ActivationKind::kElu); }
  static Activation selu() { return Activation(ActivationKind::kSelu); }
  static Activation gelu() { return Activation(ActivationKind::kGelu); }
  static Activation gelu_tanh() { return Activation(ActivationKind::kGeluTanh); }
  static Activation sigmoid() { return Activation(ActivationKind::kSigmoid); }
  static Activation tanh() { return Activation(ActivationKind::kTanh); }
  static Activation softplus() { return Activation(ActivationKind::kSoftplus); }
  static Activation silu() { return Activation(ActivationKind::kSilu); }
  static Activation hard_swish() { return Activation(ActivationKind::kHardSwish); }

  ActivationKind kind() const noexcept { return kind_; }
  /// "relu", "leaky_relu" ...; "callable" for a function.
  std::string_view name() const noexcept;
  /// leaky_relu's slope below zero.
  double alpha() const noexcept { return alpha_; }
  /// Bounds of linear (infinite), relu, relu6 and clamp.
  double min() const noexcept { return min_; }
  double max() const noexcept { return max_; }
  /// True for linear, relu, relu6 and clamp: the kinds that are a clamp to [min(), max()].
  bool is_clamp() const noexcept;
  const Function& function() const noexcept { return function_; }

  /// The activation of one value in double precision: the definition the kernels are tested
  /// against. A callable is applied to a tensor of shape [1].
  double operator()(double value) const;

 private:
  explicit Activation(ActivationKind kind);

  ActivationKind kind_ = ActivationKind::kLinear;
  double alpha_ = 0.2;
  double min_ = -std::numeric_limits<double>::infinity();
  double max_ = std::numeric_limits<double>::infinity();
  Function function_;
};

/// The names Activation(name) accepts, in the order above.
const std::vector<std::string_view>& activation_names();

}  // namespace upconv::UPCONV_ABI
