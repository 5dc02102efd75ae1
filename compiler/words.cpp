#include "words.h"

#include <algorithm>
#include <cctype>

#include "driver.h"
#include "upconv/version.h"

namespace upconv::compiler {

namespace {

/// The axes that the layer has, of d, h and w.
int first_axis(const LayerPlan& plan) { return 3 - plan.spec.rank(); }

const PlannedAxis& axis_of(const LayerPlan& plan, int axis) {
  return plan.axes[static_cast<std::size_t>(axis)];
}

/// The output length of upconv/shape.h, for an input of at least 1.
std::string length(const Axis& axis, const std::string& input) {
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

}  // namespace

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string fill(std::string text, const Texts& values) {
  for (const auto& [key, value] : values) {
    const std::string mark = "{" + key + "}";
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size()) {
      text.replace(at, mark.size(), value);
    }
  }
  return text;
}

Words::Words(std::string name, const LayerPlan& first, const LayerPlan& last)
    : name_(std::move(name)), macro_(upper(name_)), first_(first), last_(last) {}

Texts Words::header_texts(const std::string& targets, bool chooses, bool checks) const {
  // The first four have others of these in them.
  return {{"no_isa_text", chooses ? R"(    case {N}_NO_ISA:
      return "{n}_run: the processor has none of the instruction sets {target}";
)"
                                  : ""},
          {"no_isa", chooses ? "  {N}_NO_ISA = 3, /* the processor has no instruction set of "
                               "{target} */\n"
                             : ""},
          {"not_finite_text", checks ? R"(    case {N}_NOT_FINITE:
      return "{n}_pack: a weight of a kernel is infinite or NaN, which this way to compute it cannot take";
)"
                                     : ""},
          {"not_finite", checks ? "  {N}_NOT_FINITE = 4 /* of {n}_pack: a weight is infinite or "
                                  "NaN */\n"
                                : ""},
          {"or_bound", first_.spec.is_bounded() ? ", or an extent is above its bound" : ""},
          {"n", name_},
          {"N", macro_},
          {"version", UPCONV_VERSION},
          {"target", targets},
          {"x_shape", x_shape()},
          {"y_shape", y_shape()},
          {"type", element()},
          {"run", run_parameters()}};
}

std::string Words::element() const {
  return first_.spec.dtype() == DType::kFloat32 ? "float" : "double";
}

std::string Words::shape(const LayerPlan& plan, bool output) const {
  std::string text = "[" + (plan.spec.images ? std::to_string(*plan.spec.images) : "images");
  for (int axis = first_axis(plan); axis < 3; ++axis) {
    const PlannedAxis& of = axis_of(plan, axis);
    text += ", ";
    if (of.input) {
      text += std::to_string(output ? of.window.output : *of.input);
    } else {
      text += (output ? std::string("output_") : std::string()) + kExtentNames[axis];
    }
  }
  return text + ", " + std::to_string(output ? plan.output_size() : plan.input_size()) + "]";
}

std::string Words::run_parameters() const {
  std::string text;
  if (!first_.spec.embeds_weights()) text += "const " + element() + " *packed, ";
  text += "const " + element() + " *x, ";
  for (const std::string& extent : extent_arguments(first_)) text += "int32_t " + extent + ", ";
  return text + element() + " *y, void *scratch";
}

std::string Words::define(const std::string& what, Index value) const {
  return "#define " + macro_ + "_" + what + " " + std::to_string(value) + "\n";
}

std::string Words::shape_defines() const {
  std::string text;
  if (first_.spec.images) text += define("IMAGES", *first_.spec.images);
  if (first_.spec.most_images) text += define("MOST_IMAGES", *first_.spec.most_images);
  for (int axis = first_axis(first_); axis < 3; ++axis) {
    const std::string extent = upper(kExtentNames[axis]);
    if (!axis_of(first_, axis).input) {
      const auto at = static_cast<std::size_t>(axis - first_axis(first_));
      if (!first_.spec.most_extents[at]) continue;
      text += define("MOST_" + extent, *first_.spec.most_extents[at]);
      text += define("MOST_OUTPUT_" + extent,
                     infer_window(last_.spec.checked.axes[at], *last_.spec.most_extents[at],
                                  last_.spec.checked.label)
                         .output);
      continue;
    }
    text += define(extent, *axis_of(first_, axis).input);
    text += define("OUTPUT_" + extent, axis_of(last_, axis).window.output);
  }
  return text + define("INPUT_SIZE", first_.input_size()) +
         define("OUTPUT_SIZE", last_.output_size());
}

std::string weight_parameters(const LayerPlan& plan, const std::string& suffix) {
  const std::string element = plan.spec.dtype() == DType::kFloat32 ? "float" : "double";
  const bool bias = plan.spec.checked.options.use_bias;
  return "const " + element + " *kernel" + suffix + ", " +
         (bias ? "const " + element + " *bias" + suffix + ", " : "");
}

std::string weight_results(const LayerPlan& plan) {
  const std::string element = plan.spec.dtype() == DType::kFloat32 ? "float" : "double";
  return element + " *kernel" +
         (plan.spec.checked.options.use_bias ? ", " + element + " *bias" : "");
}

std::string kernel_shape(const LayerPlan& plan) {
  std::string text = "[";
  for (const Index extent : plan.spec.checked.kernel_shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

std::string output_functions(const LayerPlan& plan) {
  std::string text;
  for (int axis = first_axis(plan); axis < 3; ++axis) {
    if (axis_of(plan, axis).input) continue;
    const std::string extent = kExtentNames[axis];
    text += "static inline int64_t " + plan.spec.name + "_output_" + extent + "(int64_t " + extent +
            ") {\n  return " + length(axis_of(plan, axis).axis, extent) + ";\n}\n";
  }
  return text;
}

}  // namespace upconv::compiler
