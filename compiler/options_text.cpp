#include "options_text.h"

#include <array>
#include <charconv>

namespace upconv::compiler {

namespace {

/// A number as C++ reads it, exactly.
std::string literal(double value) {
  std::array<char, 32> text = {};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string literal(const PerAxis& values) {
  std::string text;
  for (const Index value : values.values()) {
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  }
  return "upconv::PerAxis{" + text + "}";
}

/// A name in quotes.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\\') {
      constexpr const char* kOctal = "01234567";
      result += {'\\', kOctal[(c >> 6) & 3], kOctal[(c >> 3) & 7], kOctal[c & 7]};
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string literal(const Padding& padding) {
  if (padding.kind() == Padding::Kind::kFixedBegin) {
    std::string begins;
    for (const auto& [begin, end] : padding.pairs()) {
      begins += (begins.empty() ? "" : ", ") + std::to_string(begin);
    }
    return "upconv::Padding::fixed_begin({" + begins + "})";
  }
  if (padding.kind() != Padding::Kind::kExplicit) return quoted(to_string(padding));
  std::string pairs;
  for (const auto& [begin, end] : padding.pairs()) {
    pairs +=
        (pairs.empty() ? "{" : ", {") + std::to_string(begin) + ", " + std::to_string(end) + "}";
  }
  return "upconv::Padding(upconv::Padding::Pairs{" + pairs + "})";
}

std::string literal(const Activation& activation) {
  const std::string of = "upconv::Activation::";
  if (activation.kind() == ActivationKind::kLeakyRelu) {
    return of + "leaky_relu(" + literal(activation.alpha()) + ")";
  }
  if (activation.kind() == ActivationKind::kClamp) {
    return of + "clamp(" + literal(activation.min()) + ", " + literal(activation.max()) + ")";
  }
  return quoted(std::string(activation.name()));
}

}  // namespace

std::string options_text(const LayerPlan& plan) {
  const ConvolutionTransposeOptions& of = plan.spec.checked.options;
  std::string text;
  const auto add = [&](const std::string& name, const std::string& value) {
    text += (text.empty() ? "{." : ",\n            .") + name + " = " + value;
  };
  add("input_size", std::to_string(of.input_size));
  add("output_size", std::to_string(of.output_size));
  add("filter_shape", literal(of.filter_shape));
  add("rank", std::to_string(of.rank));
  add("strides", literal(of.strides));
  add("padding", literal(of.padding));
  add("dilations", literal(of.dilations));
  if (of.output_padding) add("output_padding", literal(*of.output_padding));
  if (of.output_lengths) add("output_lengths", literal(*of.output_lengths));
  if (plan.spec.embeds_weights()) add("init_kernel_fn", "compiled_kernel");
  if (plan.spec.embeds_weights() && of.use_bias) add("init_bias_fn", "compiled_bias");
  add("dtype", of.dtype == DType::kFloat32 ? "upconv::DType::kFloat32" : "upconv::DType::kFloat64");
  add("activation_fn", literal(of.activation_fn));
  add("name", quoted(of.name));
  add("use_bias", of.use_bias ? "true" : "false");
  add("arithmetic",
      plan.winograd == nullptr ? "upconv::Arithmetic::kDirect" : "upconv::Arithmetic::kFast");
  return text + "}";
}

}  // namespace upconv::compiler
