#include "targets.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "kernels_json.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

using Halide::Target;

[[noreturn]] void fail(const std::string& name, const std::string& rule) {
  std::string list;
  for (const auto& [known, halide] : target_names()) list += (list.empty() ? "" : ", ") + known;
  throw Error(ErrorKind::kInvalidArgument, "--target is \"" + name + "\"; " + rule + ": one of " +
                                               list +
                                               ", or a target that Halide knows, as arch-bits-os "
                                               "with features, such as arm-64-android");
}

/// Feature `of` needs all of `needs`: Halide completes the list when it makes code, but what is
/// decided before that would see the incomplete one.
struct Implication {
  Target::Feature of;
  const char* name;
  std::vector<std::pair<Target::Feature, const char*>> needs;
};

const std::vector<Implication>& implications() {
  using T = Target;
  static const std::vector<Implication> all = {
      {T::AVX, "avx", {{T::SSE41, "sse41"}}},
      {T::AVX2, "avx2", {{T::AVX, "avx"}}},
      {T::FMA, "fma", {{T::AVX, "avx"}}},
      {T::F16C, "f16c", {{T::AVX, "avx"}}},
      {T::AVX512, "avx512", {{T::AVX2, "avx2"}, {T::FMA, "fma"}}},
      {T::AVX512_Skylake, "avx512_skylake", {{T::AVX512, "avx512"}}},
      {T::AVX512_Cannonlake, "avx512_cannonlake", {{T::AVX512_Skylake, "avx512_skylake"}}},
      {T::AVX512_SapphireRapids,
       "avx512_sapphirerapids",
       {{T::AVX512_Cannonlake, "avx512_cannonlake"}}},
      {T::AVX512_Zen4, "avx512_zen4", {{T::AVX512_Cannonlake, "avx512_cannonlake"}}},
      {T::AVX512_Zen5, "avx512_zen5", {{T::AVX512_Zen4, "avx512_zen4"}}},
      {T::AVX512_KNL, "avx512_knl", {{T::AVX512, "avx512"}}},
  };
  return all;
}

/// The row of kernels.json whose register tiles fit the target's registers.
std::string tiles_for(const std::string& name, const Target& target) {
  switch (target.arch) {
    case Target::X86:
      if (target.has_feature(Target::AVX512)) return "avx512";
      return target.has_feature(Target::AVX2) && target.has_feature(Target::FMA) ? "avx2" : "sse41";
    case Target::ARM:
      return target.bits == 64 ? "neon" : "sse41";  // 32 vector registers, or 16
    case Target::WebAssembly:
      return "sse41";
    case Target::RISCV:
      return "neon";
    default:
      fail(name, "upconvc has no tiles for that processor; it must be");
  }
}

/// The lists of features that are refused, because Halide makes no working code for them.
void check_features(const std::string& name, const Target& target) {
  for (const Implication& rule : implications()) {
    if (!target.has_feature(rule.of)) continue;
    for (const auto& [feature, needed] : rule.needs) {
      if (!target.has_feature(feature)) {
        fail(name,
             std::string(rule.name) + " comes with " + needed + ", which is missing; it must be");
      }
    }
  }
  if (target.has_gpu_feature()) fail(name, "upconvc makes no code for GPUs; it must be");
  // Halide mixes vectors of a fixed length with scalable ones. From 256 bits on, LLVM takes what is
  // beyond the first 128 bits of the latter as undefined, and leaves it out without a word.
  const bool scalable = target.has_feature(Target::SVE) || target.has_feature(Target::SVE2);
  if (scalable && target.vector_bits != 128) {
    fail(
        name,
        "of SVE and SVE2 it must have vector_bits_128, since Halide 21 makes wrong code for longer "
        "vectors; it must be");
  }
  if (target.has_feature(Target::RVV) && target.vector_bits == 0) {
    fail(name, "vectors of an unknown length need vector_bits_N; it must be");
  }
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& target_names() {
  static const std::vector<std::pair<std::string, std::string>> names = {
      {"sse41", "x86-64-linux-sse41"},
      {"avx2", "x86-64-linux-sse41-avx-avx2-f16c-fma"},
      {"avx512", "x86-64-linux-sse41-avx-avx2-f16c-fma-avx512-avx512_skylake"},
      {"neon", "arm-64-linux"},
      {"sve2", "arm-64-linux-sve2-vector_bits_128"},
      {"android", "arm-64-android"},
      {"ios", "arm-64-ios"},
      {"macos", "arm-64-osx"},
      {"armv7", "arm-32-linux"},
      {"wasm", "wasm-32-wasmrt-wasm_simd128"},
      {"riscv", "riscv-64-linux-rvv-vector_bits_256"},
  };
  return names;
}

TargetInfo find_target(const std::string& name, DType dtype) {
  TargetInfo info{.name = name};
  std::string halide = name;
  for (const auto& [known, text] : target_names()) {
    if (name == known) halide = text;
  }
  if (!Target::validate_target_string(halide)) fail(name, "there is no such target; it must be");
  info.halide = Target(halide);
  if (info.halide.os == Target::OSUnknown || info.halide.bits == 0) {
    fail(name, "the processor, its bits and the system are needed; it must be");
  }
  check_features(name, info.halide);
  info.halide = info.halide.with_feature(Target::NoRuntime);
  info.tiles_of = tiles_for(name, info.halide);
  info.lanes = info.halide.natural_vector_size(halide_type(dtype));

  const auto table = nlohmann::json::parse(kKernelsJson);
  const auto& sizes = table.at("targets").at(info.tiles_of).at("sizes");
  info.slab_bytes = sizes.at("slab_bytes").get<int>();
  info.panel_bytes = sizes.at("panel_bytes").get<int>();
  info.piece_rows = sizes.at("piece_rows").get<int>();
  info.strip_bytes = sizes.at("strip_bytes").get<int>();
  for (const int columns : table.at("few_columns").at(info.tiles_of).get<std::vector<int>>()) {
    if (info.lanes >= 4 && 2 * columns <= info.lanes) info.few_columns = columns;
  }
  for (const auto& row : table.at("wide").at(info.tiles_of)) {
    info.tiles.push_back({.vectors = row.at("vectors").get<int>(),
                          .heights = row.at("pixels").get<std::vector<int>>(),
                          .unroll = row.at("unroll").get<int>(),
                          .cost = row.at("cost").get<double>()});
  }
  return info;
}

}  // namespace upconv::compiler
