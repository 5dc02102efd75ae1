// NAME_upconv.hpp: the compiled layer as a layer of the library.
#include <string>

#include "driver.h"
#include "options_text.h"
#include "package.h"
#include "words.h"

namespace upconv::compiler {

namespace {

/// What the class knows of weights that the caller packs: `Weights`, usable(), current_weights()
/// and weights_with().
constexpr const char* kPackedWeights =
    R"(  /// Packed for {n}_run; empty where the processor has not what it needs, or it cannot take them.
  using Weights = std::vector<{type}>;
  bool usable() const { return !weights_.empty(); }
  Weights current_weights() const { return pack(kernel().value(){bias_value}); }
  Weights weights_with(const upconv::Variable& variable, const upconv::Tensor& value) const {
{packed_with}  }
  static Weights pack(const upconv::Tensor& kernel{bias_parameter}) {
    Weights packed({N}_PACKED_BYTES / sizeof({type}));
    const std::int32_t status = {n}_pack(kernel.values<{type}>().data(), {bias_data}packed.data());
    return status == {N}_DONE ? std::move(packed) : Weights();
  }
)";
constexpr const char* kPackedWithBias =
    R"(    if (&variable != &bias()) return pack(value, bias().value());
    try {
      return pack(kernel().value(), value);
    } catch (const upconv::Error&) {
      return {};  // drop_kernel() was called; what is packed in here is of the old bias.
    }
)";
constexpr const char* kPackedWithoutBias =
    R"(    static_cast<void>(variable);  // There is but the kernel.
    return pack(value);
)";

/// The same of constant weights.
constexpr const char* kConstantWeights =
    R"(  /// Which variables hold what is compiled in, bit by bit.
  struct Weights {
    bool kernel, bias;
  };
  bool usable() const { return weights_.kernel && weights_.bias; }
  Weights current_weights() const { return {equal(kernel().value(), compiled_kernel), {bias_is}}; }
  Weights weights_with(const upconv::Variable& variable, const upconv::Tensor& value) const {
{constant_with}  }
  static bool equal(const upconv::Tensor& value, const upconv::Initializer& compiled) {
    const upconv::Tensor other = compiled(value.shape(), value.dtype());
    return std::memcmp(value.data(), other.data(), value.values<{type}>().size_bytes()) == 0;
  }
  /// Memory for what {n}_weights copies. @throws upconv::Error kShapeMismatch
  static upconv::Tensor room(const upconv::Dims& shape, const upconv::Dims& compiled) {
    if (!(shape == compiled)) {
      throw upconv::Error(upconv::ErrorKind::kShapeMismatch,
                          "{n}: weights of shape " + upconv::to_string(shape) +
                              " are asked for; those compiled in have " + upconv::to_string(compiled));
    }
    return upconv::Tensor(upconv::DType::{dtype}, shape);
  }
)";
constexpr const char* kConstantWithBias =
    R"(    if (&variable == &bias()) return {weights_.kernel, equal(value, compiled_bias)};
    return {equal(value, compiled_kernel), weights_.bias};
)";
constexpr const char* kConstantWithoutBias =
    R"(    static_cast<void>(variable);  // There is but the kernel.
    return {equal(value, compiled_kernel), true};
)";

/// The public functions that come with them.
constexpr const char* kCompiledKernel =
    R"(  /// The kernel that is compiled in, as an initialiser. @throws upconv::Error kShapeMismatch for another
  /// shape
  static upconv::Tensor compiled_kernel(const upconv::Dims& shape, upconv::DType) {
    upconv::Tensor kernel = room(shape, {kernel_dims});
    {n}_weights(kernel.values<{type}>().data(){no_bias});
    return kernel;
  }
)";
constexpr const char* kCompiledBias = R"(  /// The bias, in the same way.
  static upconv::Tensor compiled_bias(const upconv::Dims& shape, upconv::DType) {
    upconv::Tensor bias = room(shape, {bias_dims});
    {n}_weights(nullptr, bias.values<{type}>().data());
    return bias;
  }
)";

std::string dims(const Dims& shape) {
  std::string text = to_string(shape);
  text.front() = '{';
  text.back() = '}';
  return text;
}

/// What depends on who holds the weights.
Texts weight_texts(const LayerPlan& plan) {
  const bool bias = plan.spec.checked.options.use_bias;
  if (!plan.spec.embeds_weights()) {
    return {{"which_weights", "Weights are\n/// packed for both."},
            {"initial_weights", "random weights (Glorot's) and bias 0"},
            {"initializers", ""},
            {"weights", kPackedWeights},
            {"packed_with", bias ? kPackedWithBias : kPackedWithoutBias},
            {"bias_value", bias ? ", bias().value()" : ""},
            {"bias_parameter", bias ? ", const upconv::Tensor& bias" : ""},
            {"bias_data", bias ? "bias.values<{type}>().data(), " : ""},
            {"packed", "weights_.data(), "}};
  }
  return {
      {"which_weights",
       "Where a\n/// variable is assigned other values than those compiled in, that is all calls."},
      {"initial_weights", "the weights that are compiled in"},
      {"initializers", std::string(kCompiledKernel) + (bias ? kCompiledBias : "")},
      {"weights", kConstantWeights},
      {"constant_with", bias ? kConstantWithBias : kConstantWithoutBias},
      {"bias_is", bias ? "equal(bias().value(), compiled_bias)" : "true"},
      {"no_bias", bias ? ", nullptr" : ""},
      {"kernel_dims", dims(plan.spec.checked.kernel_shape)},
      {"bias_dims", dims(plan.spec.checked.bias_shape)},
      {"dtype", plan.spec.dtype() == DType::kFloat32 ? "kFloat32" : "kFloat64"},
      {"packed", ""}};
}

/// How the library's results are beside those of the compiled code.
std::string closeness(const LayerPlan& plan) {
  if (!plan.autoscheduler.empty()) return "and gives the same within rounding";
  return plan.spec.checked.options.arithmetic == Arithmetic::kDirect
             ? "and gives the same bits"
             : "and gives the same within what fast arithmetic promises";
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
    fits = "images <= " + std::to_string(plan.spec.most_images.value_or(kMostElements));
    arguments = "static_cast<std::int32_t>(images), ";
  }
  for (int axis = 3 - rank; axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[static_cast<std::size_t>(axis)];
    const std::string extent = "x.shape()[x.shape().size() - " + std::to_string(4 - axis) + "]";
    if (of.input) {
      fits += " &&\n           " + extent + " == " + std::to_string(*of.input);
    } else {
      const auto at = static_cast<std::size_t>(axis - (3 - rank));
      fits += " &&\n           " + extent +
              " <= " + std::to_string(plan.spec.most_extents[at].value_or(kMostElements));
      arguments += "static_cast<std::int32_t>(" + extent + "), ";
    }
  }
  Texts texts = weight_texts(plan);
  for (const auto& text : Texts{{"same", closeness(plan)},
                                {"fits", fits},
                                {"arguments", arguments},
                                {"axes", std::to_string(rank + 1)},
                                {"x_shape", words.x_shape()},
                                {"type", words.element()},
                                {"n", plan.spec.name},
                                {"N", words.macro()},
                                {"options", options_text(plan)}}) {
    texts.push_back(text);
  }
  return fill(
      R"(// {n}.h as a layer of the library, which the program links, too: upconv::upconv, C++20.
#pragma once

#include <upconv/convolution_transpose.h>
#include <upconv/error.h>
#include <upconv/sequential.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "{n}.h"

namespace {n} {

/// An upconv::ConvolutionTranspose, of whose calls {n}_run computes those that it is compiled for: x
/// {x_shape} and y in C order, without residual and output lengths of the call's own. The library
/// computes all others, {same}. {which_weights}
class ConvolutionTranspose final : public upconv::ConvolutionTranspose {
 public:
  /// With {initial_weights}, until others are loaded or assigned.
  ConvolutionTranspose() : ConvolutionTranspose(compiled_options()) {}
  /// @param options compiled_options(), with initialisers, a memory, or another name
  explicit ConvolutionTranspose(upconv::ConvolutionTransposeOptions options)
      : upconv::ConvolutionTranspose(std::move(options)), weights_(current_weights()) {}
  /// What the layer was compiled as.
  static upconv::ConvolutionTransposeOptions compiled_options() {
    return {options};
  }
{initializers}
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
  /// True where {n}_run computes the call, if the processor has an instruction set of it.
  bool runs_compiled(const upconv::ConstTensorView& x, const upconv::TensorView& y,
                     const upconv::CallOptions& call = {}) const {
    if (!usable() || call.residual || call.output_lengths || call.isa || call.threads < 1 ||
        x.dtype() != dtype() || y.dtype() != dtype() ||
        !(y.shape() == output_shape(x.shape())) || !is_c_order(x) || !is_c_order(y)) {
      return false;
    }
    const upconv::Index images = images_of(x);
    return images >= 1 && {fits} && are_apart(x, y);
  }

  void load(const std::filesystem::path& path) override {
    upconv::ConvolutionTranspose::load(path);
    weights_ = current_weights();
  }
  void load(const std::filesystem::path& path, const upconv::WeightNames& names) {
    upconv::ConvolutionTranspose::load(path, names);
    weights_ = current_weights();
  }
  std::unique_ptr<upconv::Layer> clone() const override {
    return std::make_unique<ConvolutionTranspose>(*this);
  }

 protected:
  void before_assign(const upconv::Variable& variable, const upconv::Tensor& value) override {
    Weights weights = weights_with(variable, value);
    upconv::ConvolutionTranspose::before_assign(variable, value);
    weights_ = std::move(weights);
  }

 private:
{weights}  static upconv::Index images_of(const upconv::ConstTensorView& x) {
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
    return {n}_run({packed}x.data_as<{type}>(), {arguments}y.data_as<{type}>(),
                   scratch.data()) == {N}_DONE;
  }

  Weights weights_;
};

}  // namespace {n}
)",
      texts);
}

}  // namespace upconv::compiler
