#include "upconv/activation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>

#include "files.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

/// Names by enumerator; a callable is the only one that has no name to be made from.
constexpr std::array<std::string_view, 15> kNames = {
    "linear",    "relu",    "relu6", "clamp",    "leaky_relu", "elu",        "selu",    "gelu",
    "gelu_tanh", "sigmoid", "tanh",  "softplus", "silu",       "hard_swish", "callable"};
static_assert(kNames.size() == static_cast<std::size_t>(ActivationKind::kCallable) + 1);

constexpr std::string_view name_of(ActivationKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

ActivationKind parse_kind(std::string_view name) {
  const auto end = kNames.end() - 1;
  const auto found = std::find(kNames.begin(), end, name);
  if (found == end) {
    std::string message = "activation is \"" + internal::printable(name) + "\"; it must be one of ";
    for (const std::string_view known : activation_names()) {
      if (known != activation_names().front()) message += ", ";
      message += known;
    }
    throw Error(ErrorKind::kInvalidArgument, message);
  }
  return static_cast<ActivationKind>(found - kNames.begin());
}

/// The shortest text that reads back as the same number.
std::string to_text(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

// The definitions, in long double where that is wider than double: intermediate roundings (that of
// gelu's exponent above all) then stay below the result's.
using Real = long double;

Real clamp(Real v, Real low, Real high) {
  if (v < low) return low;
  if (v > high) return high;
  return v;  // and NaN
}

/// v sigmoid(u), where u has the sign of v and grows with it: 0 and not NaN for minus infinity.
Real times_sigmoid(Real v, Real u) {
  if (std::isinf(v)) return v > 0 ? v : -Real(0);
  const Real t = std::exp(-std::fabs(u));
  return u < 0 ? v * t / (1 + t) : v / (1 + t);
}

Real sigmoid(Real v) { return v < 0 ? std::exp(v) / (1 + std::exp(v)) : 1 / (1 + std::exp(-v)); }

Real elu(Real v) { return v > 0 ? v : std::expm1(v); }

Real selu(Real v) {
  const Real scale = 1.0507009873554805L, alpha = 1.6732632423543772L;
  return scale * (v > 0 ? v : alpha * std::expm1(v));
}

Real gelu(Real v) {
  if (std::isinf(v)) return v > 0 ? v : -Real(0);
  return v / 2 * std::erfc(-v / std::numbers::sqrt2_v<Real>);  // 1 + erf, without cancellation
}

Real gelu_tanh(Real v) {
  // (1 + tanh(z)) / 2 = sigmoid(2z), without cancellation.
  const Real c = 2 * std::numbers::sqrt2_v<Real> * std::numbers::inv_sqrtpi_v<Real>;
  return times_sigmoid(v, c * (v + 0.044715L * v * v * v));
}

Real softplus(Real v) { return std::fmax(v, Real(0)) + std::log1p(std::exp(-std::fabs(v))); }

Real hard_swish(Real v) {
  if (v <= -3) return -Real(0);
  return v * (clamp(v + 3, 0, 6) / 6);
}

}  // namespace

const std::vector<std::string_view>& activation_names() {
  static const std::vector<std::string_view> names = {
      "linear",    "relu",    "relu6", "leaky_relu", "elu",  "selu",       "gelu",
      "gelu_tanh", "sigmoid", "tanh",  "softplus",   "silu", "hard_swish", "clamp"};
  return names;
}

Activation::Activation(ActivationKind kind) : kind_(kind) {
  if (kind == ActivationKind::kRelu || kind == ActivationKind::kRelu6) min_ = 0;
  if (kind == ActivationKind::kRelu6) max_ = 6;
}

Activation::Activation(std::string_view name) : Activation(parse_kind(name)) {}

Activation::Activation(Function function)
    : kind_(ActivationKind::kCallable), function_(std::move(function)) {
  if (!function_) {
    throw Error(ErrorKind::kInvalidArgument,
                "activation is an empty function; it must be callable");
  }
}

Activation Activation::clamp(double min, double max) {
  // The negation is true for NaN.
  if (!(min <= max)) {
    throw Error(ErrorKind::kInvalidArgument, "clamp: min is " + to_text(min) + " and max is " +
                                                 to_text(max) + "; min must be at most max");
  }
  Activation result(ActivationKind::kClamp);
  result.min_ = min;
  result.max_ = max;
  return result;
}

Activation Activation::leaky_relu(double alpha) {
  if (!std::isfinite(alpha)) {
    throw Error(ErrorKind::kInvalidArgument,
                "leaky_relu: alpha is " + to_text(alpha) + "; it must be finite");
  }
  Activation result(ActivationKind::kLeakyRelu);
  result.alpha_ = alpha;
  return result;
}

std::string_view Activation::name() const noexcept { return name_of(kind_); }

bool Activation::is_clamp() const noexcept {
  switch (kind_) {
    case ActivationKind::kLinear:
    case ActivationKind::kRelu:
    case ActivationKind::kRelu6:
    case ActivationKind::kClamp:
      return true;
    default:
      return false;
  }
}

double Activation::operator()(double value) const {
  const auto fused = [&]() -> Real {
    const Real v = value;
    switch (kind_) {
      case ActivationKind::kLinear:
      case ActivationKind::kRelu:
      case ActivationKind::kRelu6:
      case ActivationKind::kClamp:
        return upconv::clamp(v, min_, max_);
      case ActivationKind::kLeakyRelu:
        return v > 0 ? v : Real(alpha_) * v;
      case ActivationKind::kElu:
        return upconv::elu(v);
      case ActivationKind::kSelu:
        return upconv::selu(v);
      case ActivationKind::kGelu:
        return upconv::gelu(v);
      case ActivationKind::kGeluTanh:
        return upconv::gelu_tanh(v);
      case ActivationKind::kSigmoid:
        return upconv::sigmoid(v);
      case ActivationKind::kTanh:
        return std::tanh(v);
      case ActivationKind::kSoftplus:
        return upconv::softplus(v);
      case ActivationKind::kSilu:
        return times_sigmoid(v, v);
      case ActivationKind::kHardSwish:
        return upconv::hard_swish(v);
      case ActivationKind::kCallable:
        break;
    }
    return v;
  };
  if (kind_ != ActivationKind::kCallable) return static_cast<double>(fused());
  Tensor one = Tensor::from({value}, {1});
  function_(one.view());
  return one.values<double>()[0];
}

}  // namespace upconv::UPCONV_ABI
