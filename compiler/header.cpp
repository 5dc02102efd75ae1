// NAME.h and NAME.hpp.
#include <string>

#include "choose.h"
#include "driver.h"
#include "package.h"
#include "words.h"

namespace upconv::compiler {

std::string c_header(const std::vector<LayerPlan>& variants) {
  const LayerPlan& plan = variants.front();
  const Words words(plan.spec.name, plan, plan);
  std::string defines = words.shape_defines(), targets, functions;
  if (!plan.spec.embeds_weights()) {
    defines += words.define("PACKED_BYTES", most_packed_bytes(variants));
  }
  defines += words.define("SCRATCH_BYTES", most_scratch_bytes(variants));
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
  const std::string pack = plan.spec.embeds_weights() ? R"(
/* Copies the kernel {kernel}{and_bias} that {n}_run has in it to the pointers that are
   not null. They are in the library a second time for this, in an object that only programs which call
   it are linked with. Returns {N}_DONE. */
int32_t {n}_weights({weights});
)"
                                                      : R"(
/* Packs a kernel {kernel}{and_bias} into {N}_PACKED_BYTES bytes that
   {n}_run reads. The packed order is that of this library; pack again for another.{finite} */
int32_t {n}_pack({pack});
)";
  const bool transforms = check_weights(variants);
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
  {N}_TOO_LARGE = 2, /* x or y would have more than 2147483647 elements{or_bound} */
{no_isa}{not_finite}};
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
      return "{n}_run: the input or the output would have more than 2147483647 elements{or_bound}";
{no_isa_text}{not_finite_text}    default:
      return "{n}_run returns no such status";
  }
}

#ifdef __cplusplus
}
#endif

#endif
)";
  const bool bias = plan.spec.checked.options.use_bias;
  std::string outputs = output_functions(plan);
  if (!outputs.empty()) {
    outputs = "\n/* Extents of y for those of x; y has none where one is negative. */\n" + outputs;
  }
  text = fill(text, {{"pack_function", pack},
                     {"choice", choice},
                     {"functions", functions},
                     {"finite", transforms ? R"(
   Returns {N}_NOT_FINITE, and packs nothing that may be used, where a weight of the kernel is
   infinite or NaN: as the layer is computed, it would reach outputs that do not see it.)"
                                           : ""}});
  text = fill(text, words.header_texts(targets, chooses, transforms));
  return fill(text,
              {{"defines", defines},
               {"kernel", kernel_shape(plan)},
               {"and_bias", bias ? " and a bias [" + std::to_string(plan.output_size()) + "]" : ""},
               {"weights", weight_results(plan)},
               {"pack", weight_parameters(plan, "") + words.element() + " *packed"},
               {"outputs", outputs}});
}

std::string cxx_header(const std::string& name, const std::vector<const LayerPlan*>& layers) {
  const LayerPlan& first = *layers.front();
  const bool chain = layers.size() > 1, constant = first.spec.embeds_weights();
  const Words words(name, first, *layers.back());
  std::string parameters, names, weights, kernels, kernel_names;
  for (const std::string& extent : extent_arguments(first)) {
    parameters += "std::int32_t " + extent + ", ";
    names += extent + ", ";
  }
  for (std::size_t n = 0; n < layers.size(); ++n) {
    const std::string suffix = chain ? "_" + std::to_string(n) : "";
    kernels += weight_parameters(*layers[n], suffix);
    kernel_names += "kernel" + suffix + ", ";
    if (layers[n]->spec.checked.options.use_bias) kernel_names += "bias" + suffix + ", ";
    weights += (n > 0 ? ", " : "") + kernel_shape(*layers[n]);
  }
  kernels.resize(kernels.size() - 2);
  const std::string constructor = constant ? "" : R"(
  /// Packs {weights}, each with the bias after it where the layer has one.
  /// @throws std::invalid_argument with {n}_error_text().
  explicit Layer({kernels}) : packed_({N}_PACKED_BYTES / sizeof({type})) {
    const std::int32_t status = {n}_pack({kernel_names}packed_.data());
    if (status != {N}_DONE) throw std::invalid_argument({n}_error_text(status));
  }
)";
  const std::string text = R"(// {n}.h as a C++17 class.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "{n}.h"

namespace {n} {

/// x {x_shape} to y {y_shape}. Copies are deep; calls of the same object from
/// several threads at once are safe.
class Layer {
 public:{constructor}
  /// @throws std::invalid_argument with {n}_error_text(); then nothing was written.
  void operator()(const {type} *x, {parameters}{type} *y) const {
    std::vector<double> scratch((static_cast<std::size_t>({scratch_bytes}) + 7) / sizeof(double));
    const std::int32_t status = {n}_run({packed}x, {names}y, scratch.data());
    if (status != {N}_DONE) throw std::invalid_argument({n}_error_text(status));
  }
{member}};

}  // namespace {n}
)";
  const bool varies = chain && !names.empty();
  return fill(
      text,
      {{"constructor", constructor},
       {"weights", std::string(chain ? "kernels " : "a kernel ") + weights},
       {"kernels", kernels},
       {"kernel_names", kernel_names},
       {"scratch_bytes", varies ? name + "_scratch_bytes(" + names.substr(0, names.size() - 2) + ")"
                                : words.macro() + "_SCRATCH_BYTES"},
       {"n", name},
       {"N", words.macro()},
       {"x_shape", words.x_shape()},
       {"y_shape", words.y_shape()},
       {"type", words.element()},
       {"parameters", parameters},
       {"names", names},
       {"packed", constant ? "" : "packed_.data(), "},
       {"member",
        constant ? "" : "\n private:\n  std::vector<" + words.element() + "> packed_;\n"}});
}

}  // namespace upconv::compiler
