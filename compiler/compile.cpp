#include "compile.h"

#include <cstring>
#include <fstream>
#include <map>

#include "choose.h"
#include "driver.h"
#include "package.h"
#include "pipelines.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

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
    const Index co = channel % co_count, phase = channel / co_count;
    const Index r_w = phase % axes[2].combined, r_h = phase / axes[2].combined % axes[1].combined,
                r_d = phase / axes[2].combined / axes[1].combined;
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

/// All functions and constants of a layer.
Halide::Module make_module(const LayerPlan& plan) {
  Halide::Module module(plan.spec.name, plan.target.halide);
  Halide::Buffer<void> packed;
  if (plan.spec.embeds_weights()) {
    packed = plan.spec.dtype() == DType::kFloat32 ? pack<float>(plan) : pack<double>(plan);
  }
  const LayerPipelines pipelines = add_pipelines(module, plan, packed);
  add_functions(module, plan, pipelines);
  return module;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Error(ErrorKind::kIo, path.string() + ": cannot be written");
}

}  // namespace

void compile_layer(const std::vector<LayerPlan>& variants, const std::filesystem::path& prefix,
                   const std::set<Emit>& emit, const std::vector<std::string>& command) {
  using Halide::OutputFileType;
  const std::string& name = variants.front().spec.name;
  const std::filesystem::path library = prefix / "lib" / ("lib" + name + ".a");
  std::filesystem::create_directories(library.parent_path());
  const auto compile = [&](const LayerPlan& plan, OutputFileType type, const std::string& path) {
    std::map<OutputFileType, std::string> files = {{type, path}};
    const auto add = [&](Emit what, OutputFileType shown, const char* extension) {
      if (!emit.contains(what)) return;
      std::filesystem::create_directories(prefix / "emit");
      files[shown] = (prefix / "emit" / (plan.spec.name + extension)).string();
    };
    add(Emit::kStmt, OutputFileType::stmt, ".stmt");
    add(Emit::kAssembly, OutputFileType::assembly, ".s");
    add(Emit::kLlvm, OutputFileType::llvm_assembly, ".ll");
    add(Emit::kHtml, OutputFileType::stmt_html, ".html");
    make_module(plan).compile(files);
  };
  if (variants.size() == 1) {
    compile(variants.front(), OutputFileType::static_library, library.string());
  } else {
    const std::filesystem::path folder = prefix / "objects";
    std::filesystem::create_directories(folder);
    std::vector<std::string> objects;
    const auto object = [&](const std::string& of) {
      return objects.emplace_back((folder / (of + ".o")).string());
    };
    for (const LayerPlan& plan : variants) {
      const LayerPlan variant = variant_of(plan);
      compile(variant, OutputFileType::object, object(variant.spec.name));
    }
    const Halide::Module chooser = choosing_module(name, variants);
    chooser.compile({{OutputFileType::object, object(name)}});
    write_isa_object(name, object(name + "_isa"));
    Halide::create_static_library(objects, chooser.target(), library.string());
    std::filesystem::remove_all(folder);
  }

  write(prefix / "include" / (name + ".h"), c_header(variants));
  write(prefix / "include" / (name + ".hpp"), cxx_header(variants.front()));
  write(prefix / "share" / (name + ".json"),
        manifest(variants, std::filesystem::file_size(library), command));
  for (const PackageFile& file : package_files(variants.front())) {
    write(prefix / file.path, file.text);
  }
}

}  // namespace upconv::compiler
