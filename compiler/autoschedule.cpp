#include "autoschedule.h"

#include <dlfcn.h>

#include <cctype>
#include <filesystem>
#include <map>
#include <vector>

#include "finish.h"
#include "heap.h"
#include "phase_layer.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

using Halide::Expr;
using Halide::Func;
using Halide::ImageParam;
using Halide::Var;

constexpr const char* kForProcessors = "adams2019, li2018 or mullapudi2016";

/// Parameters that keep what is made serial, and the search within seconds to a few minutes.
const std::map<std::string, std::map<std::string, std::string>>& autoschedulers() {
  static const std::map<std::string, std::map<std::string, std::string>> known = {
      {"adams2019", {{"parallelism", "1"}, {"beam_size", "1"}}},
      {"li2018", {{"parallelism", "1"}}},
      {"mullapudi2016", {{"parallelism", "1"}}}};
  return known;
}

/// The plugins lie beside libHalide.so.
void load_plugin(const std::string& name) {
  Dl_info found = {};
  dladdr(reinterpret_cast<const void*>(&Halide::load_plugin), &found);
  const std::filesystem::path plugin = std::filesystem::path(found.dli_fname ? found.dli_fname : "")
                                           .replace_filename("libautoschedule_" + name + ".so");
  if (!std::filesystem::exists(plugin)) {
    throw Error(ErrorKind::kUnsupported,
                "--autoscheduler " + name + ": this Halide has no " + plugin.filename().string());
  }
  Halide::load_plugin(plugin.string());
}

/// Loops that a schedule runs in parallel become serial: a compiled layer starts no thread.
void make_serial(Halide::Internal::Definition& of) {
  for (Halide::Internal::Dim& dim : of.schedule().dims()) {
    if (dim.for_type == Halide::Internal::ForType::Parallel) {
      dim.for_type = Halide::Internal::ForType::Serial;
    }
  }
  for (auto& specialization : of.specializations()) make_serial(specialization.definition);
}
void make_serial(const Func& output) {
  for (auto& [name, function] : Halide::Internal::find_transitive_calls(output.function())) {
    Halide::Internal::Function of = function;
    if (of.has_pure_definition()) make_serial(of.definition());
    for (std::size_t n = 0; n < of.updates().size(); ++n)
      make_serial(of.update(static_cast<int>(n)));
  }
}

std::vector<int> extents_of(const LayerPlan& plan, int channels, bool output) {
  std::vector<int> shape = {channels};
  for (std::size_t axis = 3; axis-- > 0;) {
    const PlannedAxis& of = plan.axes[axis];
    shape.push_back(static_cast<int>(output ? of.window.output : *of.input));
  }
  shape.push_back(static_cast<int>(*plan.spec.images));
  return shape;
}

}  // namespace

void check_autoscheduler(const std::string& name, const TargetInfo& target) {
  if (autoschedulers().count(name) > 0) return;
  const std::string is = "--autoscheduler is \"" + name + "\"";
  throw Error(ErrorKind::kInvalidArgument,
              name == "anderson2021"
                  ? is +
                        ", which makes schedules for GPUs, and upconvc makes no code for "
                        "them; for " +
                        target.name + " it must be " + kForProcessors
                  : is + "; it must be " + kForProcessors);
}

Leaf autoscheduled_layer(Halide::Module& module, const LayerPlan& plan,
                         const Halide::Buffer<void>& constant, const std::string& heap,
                         Index& heap_bytes) {
  const std::string& name = plan.autoscheduler;
  const Halide::Type type = halide_type(plan.spec.dtype());
  const auto number = [](Index value) { return static_cast<int>(value); };
  const int inputs = number(plan.input_size()), outputs = number(plan.output_size());
  generators::PhaseLayerSizes sizes{.input_size = inputs};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[axis];
    sizes.extents[axis] = number(*of.input);
    sizes.filters[axis] = number(of.axis.filter);
    sizes.strides[axis] = number(of.axis.stride);
    sizes.dilations[axis] = number(of.axis.dilation);
    sizes.offsets[axis] = number(of.window.offset);
    sizes.lengths[axis] = number(of.window.output);
  }

  ImageParam packed(type, 1, "packed"), x(type, 5, "x");
  generators::fix_bounds(packed, {number(plan.packed_elements)});
  generators::fix_bounds(x, extents_of(plan, inputs, false));
  Var co("co"), ci("ci"), w("w"), h("h"), d("d");
  const auto value = [&](const Expr& at) -> Expr {
    if (constant.defined()) return Halide::Internal::Call::make(constant, {at});
    return packed(at);
  };
  Func weights("weights"), bias("bias");
  Expr row = (d * sizes.filters[1] + h) * sizes.filters[2] + w;
  weights(co, ci, w, h, d) = value((row * inputs + ci) * outputs + co);
  bias(co) = value(co + number(plan.parts.front().bias_at));
  const Func y = generators::phase_layer(x, weights, bias, sizes, [&](const Expr& sum) {
    return finish(plan.spec.checked.options.activation_fn, sum);
  });
  generators::fix_bounds(y.output_buffer(), extents_of(plan, outputs, true));

  load_plugin(name);
  std::string registered = name;
  registered.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(name.front())));
  try {
    Halide::Pipeline(y).apply_autoscheduler(module.target(),
                                            {registered, autoschedulers().at(name)});
  } catch (const Error& error) {
    throw Error(ErrorKind::kUnsupported,
                plan.spec.checked.label + ": --autoscheduler " + name + ": " + error.what());
  }
  make_serial(y);
  Leaf leaf(module, plan.spec.name + "_autoscheduled", y, {packed, x}, {});
  WithoutHeap moved = without_heap(leaf.body(), heap);
  heap_bytes = moved.bytes;
  leaf.set_body(moved.body);
  return leaf;
}

}  // namespace upconv::compiler
