#include "compile.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "choose.h"
#include "driver.h"
#include "heap.h"
#include "hints.h"
#include "narrow_driver.h"
#include "near_hints.h"
#include "package.h"
#include "pipelines.h"
#include "scatter_driver.h"
#include "upconv/error.h"
#include "weights_object.h"
#include "winograd_driver.h"

namespace upconv::compiler {

namespace {

namespace fs = std::filesystem;

/// Kernel and bias in the packed order (generators/pack_layer.h), as a constant of the code.
template <Element T>
Halide::Buffer<void> pack(const LayerPlan& plan) {
  Halide::Buffer<T> packed(static_cast<int>(plan.packed_elements));
  T* const to = packed.data();
  std::memset(to, 0, static_cast<std::size_t>(plan.packed_elements) * sizeof(T));
  const T* const kernel = plan.spec.kernel->values<T>().data();
  const T* const bias = plan.spec.bias ? plan.spec.bias->values<T>().data() : nullptr;
  const auto& axes = plan.axes;
  std::vector<int> taps[3];
  for (std::size_t axis = 0; axis < 3; ++axis) taps[axis] = packed_taps(axes[axis]);
  const Index ci_count = plan.input_size(), co_count = plan.output_size();

  // One channel of a block: every `step`-th element from `at` on.
  const auto pack_channel = [&](Index channel, T* at, Index step) {
    const Index co = channel % co_count;
    const auto [r_d, r_h, r_w] = plan.residues(channel);
    for (const int d : taps[0]) {
      for (const int h : taps[1]) {
        for (const int w : taps[2]) {
          const Index tap_d = d + r_d, tap_h = h + r_h, tap_w = w + r_w;
          if (tap_d >= axes[0].axis.filter || tap_h >= axes[1].axis.filter ||
              tap_w >= axes[2].axis.filter) {  // of combined phases, some have a tap less
            at += ci_count * step;
            continue;
          }
          const Index tap = (tap_d * axes[1].axis.filter + tap_h) * axes[2].axis.filter + tap_w;
          for (Index ci = 0; ci < ci_count; ++ci, at += step) {
            *at = kernel[(tap * ci_count + ci) * co_count + co];
          }
        }
      }
    }
  };
  for (const PlannedPart& part : plan.parts) {
    const Index block_elements = plan.taps() * ci_count * part.block_channels;
    for (int block = 0; block < part.blocks; ++block) {
      for (int c = 0; c < part.channels; ++c) {
        const Index n = Index{block} * part.block_channels + c, channel = part.first_channel + n;
        pack_channel(channel, to + part.weights_at + block * block_elements + c,
                     part.block_channels);
        if (bias != nullptr) to[part.bias_at + n] = bias[channel % co_count];
      }
    }
  }
  return packed;
}

/// All functions and constants of a layer; sets plan.heap_bytes.
Halide::Module make_module(LayerPlan& plan) {
  Halide::Module module(plan.spec.name, plan.target.halide);
  Halide::Buffer<void> packed;
  if (plan.winograd != nullptr) {
    if (plan.spec.embeds_weights()) packed = pack_points(plan);
    add_winograd_functions(module, plan, add_winograd_leaves(module, plan, packed));
    return module;
  }
  if (plan.narrow != nullptr) {
    if (plan.spec.embeds_weights()) packed = pack_narrow(plan);
    add_narrow_functions(module, plan, add_narrow_leaves(module, plan, packed));
    return module;
  }
  if (plan.spec.embeds_weights()) {
    packed = plan.spec.dtype() == DType::kFloat32 ? pack<float>(plan) : pack<double>(plan);
  }
  if (plan.scatter != nullptr) {
    add_scatter_functions(module, plan, add_scatter_leaves(module, plan, packed));
    return module;
  }
  const LayerPipelines pipelines = add_pipelines(module, plan, packed);
  if (pipelines.heap_bytes > 0) plan.heap_bytes = pipelines.heap_bytes + kHeapAlignment;
  add_functions(module, plan, pipelines);
  return module;
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Error(ErrorKind::kIo, path.string() + ": cannot be written");
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw Error(ErrorKind::kIo, path.string() + ": cannot be read");
  return bytes;
}

/// Compiles a layer's module to files, of which one is the object.
void compile_variant(LayerPlan& plan, std::map<Halide::OutputFileType, std::string> files) {
  using Halide::OutputFileType;
  if (!has_hints(plan)) {
    make_module(plan).compile(files);
    return;
  }
  const std::string& object = files.at(OutputFileType::object);
  const auto [assembly, own] = files.emplace(OutputFileType::assembly, object + ".s");
  make_module(plan).compile(files);
  std::string code = read(object), text = read(assembly->second);
  if (bring_nearer(code, text)) {
    write(object, code);
    if (!own) write(assembly->second, text);
  } else {
    // Hints of the wrong kind cost more than they bring.
    plan.hints = false;
    make_module(plan).compile(files);
  }
  if (own) fs::remove(assembly->second);
}

void create_library(const std::vector<fs::path>& objects, const Halide::Target& target,
                    const fs::path& library) {
  fs::create_directories(library.parent_path());
  const std::vector<std::string> files(objects.begin(), objects.end());
  Halide::create_static_library(files, target, library.string());
}

fs::path library_of(const fs::path& prefix, const std::string& name) {
  return prefix / "lib" / ("lib" + name + ".a");
}

void write_package(const fs::path& prefix, const std::string& name) {
  for (const PackageFile& file : package_files(name)) write(prefix / file.path, file.text);
}

}  // namespace

std::vector<fs::path> compile_layer(std::vector<LayerPlan>& variants, const fs::path& prefix,
                                    const std::set<Emit>& emit,
                                    const std::vector<std::string>& command) {
  using Halide::OutputFileType;
  const std::string& name = variants.front().spec.name;
  const fs::path library = library_of(prefix, name);
  fs::create_directories(prefix / "objects");
  std::vector<fs::path> objects;
  const auto object = [&](const std::string& of) {
    return objects.emplace_back(prefix / "objects" / (of + ".o")).string();
  };
  for (LayerPlan& plan : variants) {
    LayerPlan variant = variants.size() > 1 ? variant_of(plan) : plan;
    std::map<OutputFileType, std::string> files = {
        {OutputFileType::object, object(variant.spec.name)}};
    const auto add = [&](Emit what, OutputFileType shown, const char* extension) {
      if (!emit.contains(what)) return;
      fs::create_directories(prefix / "emit");
      files[shown] = (prefix / "emit" / (variant.spec.name + extension)).string();
    };
    add(Emit::kStmt, OutputFileType::stmt, ".stmt");
    add(Emit::kAssembly, OutputFileType::assembly, ".s");
    add(Emit::kLlvm, OutputFileType::llvm_assembly, ".ll");
    add(Emit::kHtml, OutputFileType::stmt_html, ".html");
    compile_variant(variant, files);
    plan.heap_bytes = variant.heap_bytes;
  }
  if (variants.size() > 1) {
    choosing_module(name, variants).compile({{OutputFileType::object, object(name)}});
    write_isa_object(name, object(name + "_isa"));
  }
  if (variants.front().spec.embeds_weights()) {
    weights_module(variants.front()).compile({{OutputFileType::object, object(name + "_weights")}});
  }
  create_library(objects, variants.front().target.halide, library);
  write(prefix / "include" / (name + ".h"), c_header(variants));
  write(prefix / "include" / (name + ".hpp"), cxx_header(name, {&variants.front()}));
  write(prefix / "include" / (name + "_upconv.hpp"), library_header(variants.front()));
  write(prefix / "share" / (name + ".json"), manifest(variants, fs::file_size(library), command));
  write_package(prefix, name);
  return objects;
}

void compile_chain(const Chain& chain, const std::vector<fs::path>& objects, const fs::path& prefix,
                   const std::vector<std::string>& command) {
  const fs::path library = library_of(prefix, chain.name);
  std::vector<fs::path> all = objects;
  all.push_back(prefix / "objects" / (chain.name + ".o"));
  const Halide::Module module = chain_module(chain);
  module.compile({{Halide::OutputFileType::object, all.back().string()}});
  create_library(all, module.target(), library);
  std::vector<const LayerPlan*> layers;
  for (const auto& variants : chain.layers) layers.push_back(&variants.front());
  write(prefix / "include" / (chain.name + ".h"), chain_header(chain));
  write(prefix / "include" / (chain.name + ".hpp"), cxx_header(chain.name, layers));
  write(prefix / "share" / (chain.name + ".json"),
        chain_manifest(chain, fs::file_size(library), command));
  write_package(prefix, chain.name);
}

}  // namespace upconv::compiler
