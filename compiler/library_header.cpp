// NAME_upconv.hpp: the compiled layer as a layer of the library.
#include <array>
#include <charconv>
#include <string>

#include "driver.h"
#include "package.h"
#include "words.h"

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

/// The options as an initialiser. Sums in the order of compiled code, so that calls which the
/// library runs give the same bits; with transforms, the library may choose them, too.
std::string options_of(const LayerPlan& plan) {
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
  add("dtype", of.dtype == DType::kFloat32 ? "upconv::DType::kFloat32" : "upconv::DType::kFloat64");
  add("activation_fn", literal(of.activation_fn));
  add("name", quoted(of.name));
  add("use_bias", of.use_bias ? "true" : "false");
  add("arithmetic",
      plan.winograd == nullptr ? "upconv::Arithmetic::kDirect" : "upconv::Arithmetic::kFast");
  return text + "}";
}

}  // namespace

std::string library_header(const LayerPlan& plan) {
  const Words words(plan.spec.name, plan, plan);
  const int rank = plan.spec.rank();
  // What of a call's shape must be what the code has, and what is handed to it.
  std::string fits, arguments;
  if (plan.spec.images) {
    fits = "images == " + std::to_string(*plan.spec.images);
  } else {
    fits = "images <= 2147483647";
    arguments = "static_cast<std::int32_t>(images), ";
  }
  for (int axis = 3 - rank; axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[static_cast<std::size_t>(axis)];
    const std::string extent = "x.shape()[x.shape().size() - " + std::to_string(4 - axis) + "]";
    if (of.input) {
      fits += " &&\n           " + extent + " == " + std::to_string(*of.input);
    } else {
      fits += " &&\n           " + extent + " <= 2147483647";
      arguments += "static_cast<std::int32_t>(" + extent + "), ";
    }
  }
  const bool bias = plan.spec.checked.options.use_bias;
  return fill(
      R"(// {n}.h as a layer of the library, which the program links, too: upconv::upconv, C++20.
#pragma once

#include <upconv/convolution_transpose.h>
#include <upconv/error.h>
#include <upconv/sequential.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "{n}.h"

namespace {n} {

/// An upconv::ConvolutionTranspose, of whose calls {n}_run computes those that it is compiled for: x
/// {x_shape} and y in C order, without residual and output lengths of the call's own. The library
/// computes all others, and gives the same bits. Weights are packed for both.
class ConvolutionTranspose final : public upconv::ConvolutionTranspose {
 public:
  /// With random weights (Glorot's) and bias 0, until others are loaded or assigned.
  ConvolutionTranspose() : ConvolutionTranspose(compiled_options()) {}
  /// @param options compiled_options(), with initialisers, a memory, or another name
  explicit ConvolutionTranspose(upconv::ConvolutionTransposeOptions options)
      : upconv::ConvolutionTranspose(std::move(options)), packed_(pack_current()) {}
  /// What the layer was compiled as.
  static upconv::ConvolutionTransposeOptions compiled_options() {
    return {options};
  }

  using upconv::Layer::operator();
  upconv::Tensor operator()(const upconv::ConstTensorView& x,
                            const upconv::CallOptions& call = {}) const override {
    if (call.output_lengths) return upconv::ConvolutionTranspose::operator()(x, call);
    upconv::Tensor y(dtype(), output_shape(x.shape()), call.memory);
    (*this)(x, y.view(), call);
    return y;
  }
  void operator()(const upconv::ConstTensorView& x, const upconv::TensorView& y,
                  const upconv::CallOptions& call = {}) const {
    if (!runs_compiled(x, y, call) || !run(x, y)) upconv::ConvolutionTranspose::operator()(x, y, call);
  }
  /// True where {n}_run computes the call.
  bool runs_compiled(const upconv::ConstTensorView& x, const upconv::TensorView& y,
                     const upconv::CallOptions& call = {}) const {
    if (packed_.empty() || call.residual || call.output_lengths || call.isa || call.threads < 1 ||
        x.dtype() != dtype() || y.dtype() != dtype() ||
        !(y.shape() == output_shape(x.shape())) || !is_c_order(x) || !is_c_order(y)) {
      return false;
    }
    const upconv::Index images = images_of(x);
    return images >= 1 && {fits} && are_apart(x, y);
  }

  void load(const std::filesystem::path& path) override {
    upconv::ConvolutionTranspose::load(path);
    packed_ = pack_current();
  }
  void load(const std::filesystem::path& path, const upconv::WeightNames& names) {
    upconv::ConvolutionTranspose::load(path, names);
    packed_ = pack_current();
  }
  std::unique_ptr<upconv::Layer> clone() const override {
    return std::make_unique<ConvolutionTranspose>(*this);
  }

 protected:
  void before_assign(const upconv::Variable& variable, const upconv::Tensor& value) override {
    std::vector<{type}> packed{repack}
    upconv::ConvolutionTranspose::before_assign(variable, value);
    packed_ = std::move(packed);
  }

 private:
  std::vector<{type}> pack_current() const {
    return pack(kernel().value(){bias_value});
  }
  /// Empty where the processor has not what {n}_run needs, or {n}_run cannot take the weights.
  static std::vector<{type}> pack(const upconv::Tensor& kernel{bias_parameter}) {
    std::vector<{type}> packed({N}_PACKED_BYTES / sizeof({type}));
    const std::int32_t status = {n}_pack(kernel.values<{type}>().data(), {bias_data}packed.data());
    return status == {N}_DONE ? std::move(packed) : std::vector<{type}>();
  }
  static upconv::Index images_of(const upconv::ConstTensorView& x) {
    upconv::Index images = 1;
    for (std::size_t axis = 0; axis + {axes} < x.shape().size(); ++axis) {
      images *= x.shape()[axis];
      if (images > 2147483647) return 0;
    }
    return images;
  }
  static bool is_c_order(const upconv::ConstTensorView& view) {
    return view.data() != nullptr && upconv::element_count(view.shape()) > 0 &&
           view.strides() == upconv::c_order_strides(view.shape());
  }
  static bool are_apart(const upconv::ConstTensorView& x, const upconv::TensorView& y) {
    const auto* const from = x.data_as<{type}>();
    const auto* const to = y.data_as<{type}>();
    const std::less_equal<const {type}*> before;
    return before(from + upconv::element_count(x.shape()), to) ||
           before(to + upconv::element_count(y.shape()), from);
  }
  bool run(const upconv::ConstTensorView& x, const upconv::TensorView& y) const {
    [[maybe_unused]] const upconv::Index images = images_of(x);
    std::vector<double> scratch((static_cast<std::size_t>({N}_SCRATCH_BYTES) + 7) / sizeof(double));
    return {n}_run(packed_.data(), x.data_as<{type}>(), {arguments}y.data_as<{type}>(),
                   scratch.data()) == {N}_DONE;
  }

  std::vector<{type}> packed_;
};

}  // namespace {n}
)",
      {{"options", options_of(plan)},
       {"same", plan.winograd == nullptr ? "and gives the same bits"
                                         : "and gives the same within what its fast arithmetic "
                                           "promises"},
       {"repack", bias ? R"(;
    if (&variable != &std::as_const(*this).bias()) {
      packed = pack(value, bias().value());
    } else {
      try {
        packed = pack(std::as_const(*this).kernel().value(), value);
      } catch (const upconv::Error&) {
        // drop_kernel() was called; what is packed in here is of the old bias.
      }
    })"
                       : " = pack(value);"},
       {"bias_value", bias ? ", bias().value()" : ""},
       {"bias_parameter", bias ? ", const upconv::Tensor& bias" : ""},
       {"bias_data", bias ? "bias.values<{type}>().data(), " : ""},
       {"fits", fits},
       {"arguments", arguments},
       {"axes", std::to_string(rank + 1)},
       {"x_shape", words.x_shape()},
       {"type", words.element()},
       {"n", plan.spec.name},
       {"N", words.macro()}});
}

}  // namespace upconv::compiler
