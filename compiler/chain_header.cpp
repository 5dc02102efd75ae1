// NAME.h of layers that run one after the other.
#include <string>

#include "chain.h"
#include "driver.h"
#include "words.h"

namespace upconv::compiler {

namespace {

/// NAME_output_height(height) of all layers together, and NAME_scratch_bytes(...).
std::string extent_functions(const Chain& chain) {
  const LayerPlan& first = chain.first();
  std::string parameters, lets, text;
  for (const std::string& extent : extent_arguments(first)) {
    parameters += (parameters.empty() ? "int64_t " : ", int64_t ") + extent;
  }
  for (int axis = 3 - first.spec.rank(); axis < 3; ++axis) {
    if (first.axes[static_cast<std::size_t>(axis)].input) continue;
    const std::string extent = kExtentNames[axis];
    std::string value = extent;
    for (const auto& layer : chain.layers) {
      value = layer.front().spec.name + "_output_" + extent + "(" + value + ")";
    }
    text += "static inline int64_t " + chain.name + "_output_" + extent + "(int64_t " + extent +
            ") {\n  return " + value + ";\n}\n";
  }
  for (std::size_t n = 0; n + 1 < chain.layers.size(); ++n) {
    const LayerPlan& plan = chain.layers[n].front();
    std::string size = std::to_string(plan.output_size()) + ".0";
    size += plan.spec.images ? " * " + std::to_string(*plan.spec.images) : " * (double)images";
    for (int axis = 3 - plan.spec.rank(); axis < 3; ++axis) {
      const PlannedAxis& of = plan.axes[static_cast<std::size_t>(axis)];
      if (of.input) {
        size += " * " + std::to_string(of.window.output);
        continue;
      }
      const std::string extent = kExtentNames[axis];
      lets += "  " + extent + " = " + plan.spec.name + "_output_" + extent + "(" + extent +
              ");\n  if (" + extent + " < 1) return 0;\n";
      size += " * (double)" + extent;
    }
    const std::string at = "bytes[" + std::to_string(n % 2) + "]";
    lets += "  size = " + size + ";\n  if (size < 1 || size > 2147483647.0) return 0;\n" +
            "  aligned = ((int64_t)size * " + std::to_string(plan.element_bytes()) +
            " + 63) / 64 * 64;\n  if (" + at + " < aligned) " + at + " = aligned;\n";
  }
  return text + "\n/* Bytes of scratch for a call; 0 for extents that " + chain.name +
         "_run refuses. */\nstatic inline int64_t " + chain.name + "_scratch_bytes(" + parameters +
         ") {\n  int64_t bytes[2] = {0, 0}, aligned;\n  double size;\n" + lets + "  return " +
         std::to_string(chain.layer_bytes()) + " + bytes[0] + bytes[1];\n}\n";
}

}  // namespace

std::string chain_header(const Chain& chain) {
  const LayerPlan& first = chain.first();
  const Words words(chain.name, first, chain.last());
  const bool fixed = first.is_fixed(), chooses = chain.layers.front().size() > 1;
  std::string includes, defines = words.shape_defines(), pack, targets, calls;
  for (const LayerPlan& variant : chain.layers.front()) {
    targets += (targets.empty() ? "" : "+") + variant.target.name;
  }
  for (std::size_t n = 0; n < chain.layers.size(); ++n) {
    const LayerPlan& plan = chain.layers[n].front();
    includes += "#include \"" + plan.spec.name + ".h\"\n";
    calls += (n > 0 ? ", " : "") + plan.spec.name + "_run";
    pack += weight_parameters(plan, "_" + std::to_string(n));
  }
  if (!first.spec.embeds_weights()) {
    defines += words.define("PACKED_BYTES", chain.packed_at(chain.layers.size()));
    pack =
        "\n/* Packs the weights of all layers into {N}_PACKED_BYTES bytes, aligned as a {type}, "
        "that\n"
        "   {n}_run reads. */\nint32_t {n}_pack(" +
        pack + "{type} *packed);\n";
  } else {
    pack.clear();
  }
  if (fixed) defines += words.define("SCRATCH_BYTES", chain.scratch_bytes());
  std::string text =
      R"(/* {n}: transposed convolutions that run one after the other, compiled by upconvc {version} for
   {target}: {calls}.

     x {x_shape}
     y {y_shape}

   of {type}, C order, without gaps, in memory that does not overlap. Pointers are aligned as their
   type is. Functions keep nothing and may run on any number of threads at once, each with scratch of
   its own. Results are bitwise those of the layers, one by one. */
#ifndef {N}_H_
#define {N}_H_

#include <stdint.h>

{includes}
{defines}
#ifdef __cplusplus
extern "C" {
#endif

/* What {n}_run returns. Nothing is written to y unless it is 0. */
enum {
  {N}_DONE = 0,
  {N}_BAD_EXTENT = 1, /* an extent is below 1, or one between layers, or y's would be negative */
  {N}_TOO_LARGE = 2, /* an input or an output would have more than 2147483647 elements{or_bound} */
{no_isa}{not_finite}};
{pack_function}
/* Computes y. scratch: {scratch} bytes, aligned as a {type}; what is between two layers is there. */
int32_t {n}_run({run});
{functions}
static inline const char *{n}_error_text(int32_t status) {
  switch (status) {
    case {N}_DONE:
      return "done";
    case {N}_BAD_EXTENT:
      return "{n}_run: an extent is below 1, or one between layers, or that of the output would be negative";
    case {N}_TOO_LARGE:
      return "{n}_run: an input or an output would have more than 2147483647 elements{or_bound}";
{no_isa_text}{not_finite_text}    default:
      return "{n}_run returns no such status";
  }
}

#ifdef __cplusplus
}
#endif

#endif
)";
  text = fill(text, {{"pack_function", pack},
                     {"functions", fixed ? "" : "\n" + extent_functions(chain)},
                     {"scratch", fixed ? "{N}_SCRATCH_BYTES" : "{n}_scratch_bytes(...)"}});
  bool checks = false;
  for (const auto& variants : chain.layers) checks = checks || check_weights(variants);
  text = fill(text, words.header_texts(targets, chooses, checks));
  return fill(text, {{"calls", calls}, {"includes", includes}, {"defines", defines}});
}

}  // namespace upconv::compiler
