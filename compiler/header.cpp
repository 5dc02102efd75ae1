// NAME.h and NAME.hpp.
#include <algorithm>
#include <cctype>
#include <string>

#include "choose.h"
#include "driver.h"
#include "package.h"
#include "upconv/version.h"

namespace upconv::compiler {

namespace {

constexpr const char* kNames[3] = {"depth", "height", "width"};

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// What a header says of one layer, in the words of C.
class Words {
 public:
  explicit Words(const LayerPlan& plan) : plan_(plan), macro_(upper(plan.spec.name)) {
    first_ = 3 - plan.spec.rank();
  }

  std::string element() const { return plan_.spec.dtype() == DType::kFloat32 ? "float" : "double"; }
  const std::string& macro() const { return macro_; }

  /// "[images, height, width, 64]", with known extents as numbers.
  std::string shape(bool output) const {
    std::string text = "[" + (plan_.spec.images ? std::to_string(*plan_.spec.images) : "images");
    for (int axis = first_; axis < 3; ++axis) {
      const PlannedAxis& of = at(axis);
      text += ", ";
      if (of.input) {
        text += std::to_string(output ? of.window.output : *of.input);
      } else {
        text += output ? std::string("output_") + kNames[axis] : kNames[axis];
      }
    }
    return text + ", " + std::to_string(output ? plan_.output_size() : plan_.input_size()) + "]";
  }

  std::string defines(const std::vector<LayerPlan>& variants) const {
    std::string text;
    const auto define = [&](const std::string& name, Index value) {
      text += "#define " + macro_ + "_" + name + " " + std::to_string(value) + "\n";
    };
    if (plan_.spec.images) define("IMAGES", *plan_.spec.images);
    for (int axis = first_; axis < 3; ++axis) {
      if (!at(axis).input) continue;
      define(upper(kNames[axis]), *at(axis).input);
      define("OUTPUT_" + upper(kNames[axis]), at(axis).window.output);
    }
    define("INPUT_SIZE", plan_.input_size());
    define("OUTPUT_SIZE", plan_.output_size());
    if (!plan_.spec.embeds_weights()) define("PACKED_BYTES", most_packed_bytes(variants));
    define("SCRATCH_BYTES", most_scratch_bytes(variants));
    return text;
  }

  std::string run_arguments() const {
    std::string text;
    if (!plan_.spec.embeds_weights()) text += "const " + element() + " *packed, ";
    text += "const " + element() + " *x, ";
    for (const std::string& name : extent_arguments(plan_)) text += "int32_t " + name + ", ";
    return text + element() + " *y, void *scratch";
  }

  std::string pack_arguments() const {
    const bool bias = plan_.spec.checked.options.use_bias;
    return "const " + element() + " *kernel, " + (bias ? "const " + element() + " *bias, " : "") +
           element() + " *packed";
  }

  std::string kernel_shape() const {
    std::string text = "[";
    for (const Index extent : plan_.spec.checked.kernel_shape) {
      text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    }
    return text + "]";
  }

  /// `NAME_output_height(height)` for every axis whose extent is an argument.
  std::string output_functions() const {
    std::string text;
    for (int axis = first_; axis < 3; ++axis) {
      if (at(axis).input) continue;
      const std::string name = kNames[axis];
      text += "static inline int64_t " + plan_.spec.name + "_output_" + name + "(int64_t " + name +
              ") {\n  return " + length(at(axis).axis, name) + ";\n}\n";
    }
    return text.empty()
               ? text
               : "\n/* Extents of y for those of x; y has none where one is negative. */\n" + text;
  }

 private:
  const PlannedAxis& at(int axis) const { return plan_.axes[static_cast<std::size_t>(axis)]; }

  /// The output length of upconv/shape.h, for an input of at least 1.
  static std::string length(const Axis& axis, const std::string& input) {
    const Index reach = (axis.filter - 1) * axis.dilation + 1;
    const auto plus = [&](Index more) {
      return "(" + input + " - 1) * " + std::to_string(axis.stride) +
             (more < 0 ? " - " + std::to_string(-more) : " + " + std::to_string(more));
    };
    const Index extra = axis.output_padding.value_or(0);
    switch (axis.padding) {
      case Padding::Kind::kExplicit:
        return plus(reach + extra - axis.crop_begin - axis.crop_end);
      case Padding::Kind::kValid:
        return plus(axis.output_padding ? reach + extra : std::max(reach, axis.stride));
      default:  // SAME; those that need output_lengths have no extents that are arguments
        break;
    }
    return axis.output_padding ? plus(reach % 2 + extra)
                               : input + " * " + std::to_string(axis.stride);
  }

  const LayerPlan& plan_;
  std::string macro_;
  int first_ = 0;
};

/// Replaces {key} by its text.
std::string fill(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [key, value] : values) {
    const std::string mark = "{" + key + "}";
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size()) {
      text.replace(at, mark.size(), value);
    }
  }
  return text;
}

}  // namespace

std::string c_header(const std::vector<LayerPlan>& variants) {
  const LayerPlan& plan = variants.front();
  const Words words(plan);
  std::string targets, functions;
  for (const LayerPlan& variant : variants) {
    const std::string name = variant_of(variant).spec.name;
    targets += (targets.empty() ? "" : "+") + variant.target.name;
    functions += "int32_t " + name + "_run({run});\n";
    if (!plan.spec.embeds_weights()) functions += "int32_t " + name + "_pack({pack});\n";
  }
  const bool chooses = variants.size() > 1;
  const std::string choice = chooses ? R"(
/* The best instruction set that the processor has and the system lets it use: 1 for SSE4.1, 2 for
   AVX2 with FMA, 3 for AVX-512, 0 for none of them. {n}_run and {n}_pack use the best of
   {target} up to it. */
int32_t {n}_isa(void);
/* The same on one instruction set, which the processor must have. Each packs in an order of its own. */
{functions})"
                                     : "";
  const std::string pack = plan.spec.embeds_weights() ? "" : R"(
/* Packs a kernel {kernel}{and_bias} into {N}_PACKED_BYTES bytes that
   {n}_run reads. The packed order is that of this library; pack again for another. */
int32_t {n}_pack({pack});
)";
  std::string text =
      R"(/* {n}: a transposed convolution, compiled by upconvc {version} for {target}.

     x {x_shape}
     y {y_shape}

   of {type}, C order, without gaps, in memory that does not overlap. Pointers are aligned as their
   type is. Functions call nothing, keep nothing and may run on any number of threads at once.
   Results are bitwise the same in every call. */
#ifndef {N}_H_
#define {N}_H_

#include <stdint.h>

{defines}
#ifdef __cplusplus
extern "C" {
#endif

/* What {n}_run returns. Nothing is written unless it is 0. */
enum {
  {N}_DONE = 0,
  {N}_BAD_EXTENT = 1, /* an extent is below 1, or y's would be negative */
  {N}_TOO_LARGE = 2, /* x or y would have more than 2147483647 elements */
{no_isa}};
{pack_function}
/* Computes y. scratch: {N}_SCRATCH_BYTES bytes, aligned as an int32_t; may be null when that is 0. */
int32_t {n}_run({run});
{choice}{outputs}
static inline const char *{n}_error_text(int32_t status) {
  switch (status) {
    case {N}_DONE:
      return "done";
    case {N}_BAD_EXTENT:
      return "{n}_run: an extent is below 1, or that of the output would be negative";
    case {N}_TOO_LARGE:
      return "{n}_run: the input or the output would have more than 2147483647 elements";
{no_isa_text}    default:
      return "{n}_run returns no such status";
  }
}

#ifdef __cplusplus
}
#endif

#endif
)";
  const bool bias = plan.spec.checked.options.use_bias;
  return fill(text,
              {{"pack_function", pack},
               {"choice", choice},
               {"functions", functions},
               {"no_isa_text", chooses ? R"(    case {N}_NO_ISA:
      return "{n}_run: the processor has none of the instruction sets {target}";
)"
                                       : ""},
               {"no_isa", chooses ? "  {N}_NO_ISA = 3 /* the processor has no instruction set of "
                                    "{target} */\n"
                                  : ""},
               {"n", plan.spec.name},
               {"N", words.macro()},
               {"version", UPCONV_VERSION},
               {"target", targets},
               {"x_shape", words.shape(false)},
               {"y_shape", words.shape(true)},
               {"type", words.element()},
               {"defines", words.defines(variants)},
               {"kernel", words.kernel_shape()},
               {"and_bias", bias ? " and a bias [" + std::to_string(plan.output_size()) + "]" : ""},
               {"pack", words.pack_arguments()},
               {"run", words.run_arguments()},
               {"outputs", words.output_functions()}});
}

std::string cxx_header(const LayerPlan& plan) {
  const Words words(plan);
  std::string parameters, names;
  for (const std::string& name : extent_arguments(plan)) {
    parameters += "std::int32_t " + name + ", ";
    names += name + ", ";
  }
  const bool constant = plan.spec.embeds_weights();
  const bool bias = plan.spec.checked.options.use_bias;
  const std::string weights = constant ? "" : R"(
  /// Packs a kernel {kernel}{and_bias}.
  explicit Layer(const {type} *kernel{bias_parameter}) : packed_({N}_PACKED_BYTES / sizeof({type})) {
    {n}_pack(kernel{bias_name}, packed_.data());
  }
)";
  const std::string text = R"(// {n}.h as a C++17 class.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "{n}.h"

namespace {n} {

/// x {x_shape} to y {y_shape}. Copies are deep; calls of the same object from
/// several threads at once are safe.
class Layer {
 public:{weights}
  /// @throws std::invalid_argument with {n}_error_text(); then nothing was written.
  void operator()(const {type} *x, {parameters}{type} *y) const {
    std::vector<std::int32_t> scratch({N}_SCRATCH_BYTES / sizeof(std::int32_t));
    const std::int32_t status = {n}_run({packed}x, {names}y, scratch.data());
    if (status != {N}_DONE) throw std::invalid_argument({n}_error_text(status));
  }
{member}};

}  // namespace {n}
)";
  return fill(
      text,
      {{"weights", weights},
       {"n", plan.spec.name},
       {"N", words.macro()},
       {"x_shape", words.shape(false)},
       {"y_shape", words.shape(true)},
       {"type", words.element()},
       {"parameters", parameters},
       {"names", names},
       {"packed", constant ? "" : "packed_.data(), "},
       {"member", constant ? "" : "\n private:\n  std::vector<" + words.element() + "> packed_;\n"},
       {"kernel", words.kernel_shape()},
       {"and_bias", bias ? " and a bias [" + std::to_string(plan.output_size()) + "]" : ""},
       {"bias_parameter", bias ? ", const " + words.element() + " *bias" : ""},
       {"bias_name", bias ? ", bias" : ""}});
}

}  // namespace upconv::compiler
