#include "choose.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <span>
#include <utility>

#include "choose_x86_object.h"
#include "driver.h"
#include "upconv/error.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Int;

const std::vector<std::pair<std::string, int>>& known_isas() {
  static const std::vector<std::pair<std::string, int>> isas = {
      {"sse41", kIsaSse41}, {"avx2", kIsaAvx2}, {"avx512", kIsaAvx512}};
  return isas;
}

int isa_of(const std::string& target) {
  for (const auto& [name, isa] : known_isas()) {
    if (name == target) return isa;
  }
  return kIsaNone;
}

/// A function that hands its arguments to that of the best variant.
LoweredFunc choosing_function(const std::string& name, const std::vector<LayerPlan>& variants,
                              const std::string& suffix,
                              const std::vector<LoweredArgument>& arguments) {
  std::vector<Expr> values;
  values.reserve(arguments.size());
  for (const LoweredArgument& argument : arguments) {
    values.push_back(Halide::Internal::Variable::make(argument.type, argument.name));
  }
  const Expr isa = Halide::Internal::Variable::make(Int(32), "isa");
  const Expr status = Halide::Internal::Variable::make(Int(32), "status");
  Stmt body;
  for (const LayerPlan& variant : variants) {  // the best one is asked for first
    const Expr call =
        Call::make(Int(32), variant_of(variant).spec.name + suffix, values, Call::Extern);
    const Stmt run = LetStmt::make("status", call, AssertStmt::make(status == 0, status));
    body = body.defined() ? IfThenElse::make(isa >= isa_of(variant.target.name), run, body) : run;
  }
  const Stmt fits =
      AssertStmt::make(isa >= isa_of(variants.front().target.name), static_cast<int>(kRunNoIsa));
  body = LetStmt::make("isa", Call::make(Int(32), name + "_isa", {}, Call::Extern),
                       Block::make(fits, body));
  return LoweredFunc(name + suffix, arguments, body, Halide::LinkageType::External,
                     Halide::NameMangling::C);
}

/// A value of a structure of an ELF file, which may stand at any address.
template <typename T>
T read(std::span<const char> file, std::size_t at) {
  T value;
  std::memcpy(&value, &file.subspan(at, sizeof(T)).front(), sizeof(T));
  return value;
}
template <typename T>
void write(std::span<char> file, std::size_t at, const T& value) {
  std::memcpy(&file.subspan(at, sizeof(T)).front(), &value, sizeof(T));
}

/// The relocatable ELF file with one symbol renamed: the names move to its end, with one more.
std::vector<char> rename_symbol(std::vector<char> file, const std::string& from,
                                const std::string& to) {
  const auto header = read<Elf64_Ehdr>(file, 0);
  const auto section_at = [&](std::size_t n) { return header.e_shoff + n * header.e_shentsize; };
  std::size_t n = 0;
  while (read<Elf64_Shdr>(file, section_at(n)).sh_type != SHT_SYMTAB) ++n;
  const auto symbols = read<Elf64_Shdr>(file, section_at(n));
  auto names = read<Elf64_Shdr>(file, section_at(symbols.sh_link));
  const std::vector<char> old(
      file.begin() + static_cast<std::ptrdiff_t>(names.sh_offset),
      file.begin() + static_cast<std::ptrdiff_t>(names.sh_offset + names.sh_size));
  for (std::size_t at = symbols.sh_offset; at < symbols.sh_offset + symbols.sh_size;
       at += symbols.sh_entsize) {
    auto symbol = read<Elf64_Sym>(file, at);
    if (from != old.data() + symbol.st_name) continue;
    symbol.st_name = static_cast<Elf64_Word>(old.size());
    write(std::span(file), at, symbol);
  }
  names.sh_offset = file.size();
  names.sh_size += to.size() + 1;
  write(std::span(file), section_at(symbols.sh_link), names);
  file.insert(file.end(), old.begin(), old.end());
  file.insert(file.end(), to.c_str(), to.c_str() + to.size() + 1);
  return file;
}

}  // namespace

std::vector<std::string> split_targets(const std::string& name) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t plus = std::min(name.find('+', at), name.size());
    parts.push_back(name.substr(at, plus - at));
    at = plus + 1;
  }
  if (parts.size() == 1) return parts;
  int before = kIsaNone;
  for (const std::string& part : parts) {
    const int isa = isa_of(part);
    if (isa <= before) {
      throw Error(ErrorKind::kInvalidArgument,
                  "--target is \"" + name +
                      "\"; a library that chooses when it runs is made of some of sse41, avx2 and "
                      "avx512, in that order, with + between");
    }
    before = isa;
  }
  return parts;
}

LayerPlan variant_of(LayerPlan plan) {
  plan.spec.name += "_" + plan.target.name;
  return plan;
}

Halide::Module choosing_module(const std::string& name, const std::vector<LayerPlan>& variants) {
  const LayerPlan& least = variants.front();
  Halide::Module module(name, Halide::Target("x86-64-linux-no_runtime"));
  module.append(choosing_function(name, variants, "_run", run_arguments(least)));
  if (!least.spec.embeds_weights()) {
    module.append(choosing_function(name, variants, "_pack", pack_arguments(least)));
  }
  return module;
}

void write_isa_object(const std::string& name, const std::filesystem::path& path) {
  const std::vector<char> renamed = rename_symbol(
      {std::begin(kChooseObject), std::end(kChooseObject)}, "upconvc_isa", name + "_isa");
  std::ofstream file(path, std::ios::binary);
  file.write(renamed.data(), static_cast<std::streamsize>(renamed.size()));
  file.close();
  if (!file) throw Error(ErrorKind::kIo, path.string() + ": cannot be written");
}

}  // namespace upconv::compiler
