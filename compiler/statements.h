// Statements that the drivers of compiled layers are made of, in Halide's intermediate
// representation.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "Halide.h"
#include "driver.h"
#include "heap.h"

namespace upconv::compiler {

/// An argument, or what a let names.
inline Halide::Expr pointer(const std::string& name) {
  return Halide::Internal::Variable::make(Halide::Handle(), name);
}

/// The address of element `at`, a 64-bit integer, of what `name` points to.
inline Halide::Expr address(Halide::Type type, const std::string& name, const Halide::Expr& at) {
  using Halide::reinterpret;
  const Halide::Type bytes = Halide::UInt(64);
  return reinterpret(Halide::Handle(),
                     reinterpret(bytes, pointer(name)) +
                         Halide::cast(bytes, at * Halide::cast(at.type(), type.bytes())));
}
inline Halide::Expr address(Halide::Type type, const std::string& name, Index at) {
  return address(type, name, Halide::Internal::make_const(Halide::Int(64), at));
}

/// The function returns `otherwise` where the condition does not hold.
inline Halide::Internal::Stmt require(const Halide::Expr& condition, RunStatus otherwise) {
  return Halide::Internal::AssertStmt::make(condition, static_cast<int>(otherwise));
}

/// `body`, where the argument `name` is from 1 to `most`.
inline Halide::Internal::Stmt require_extent(const std::string& name, std::optional<Index> most,
                                             Halide::Internal::Stmt body) {
  using Halide::Internal::Block;
  const Halide::Expr extent = Halide::Internal::Variable::make(Halide::Int(32), name);
  if (most && *most < kMostElements) {
    body = Block::make(require(extent <= static_cast<int>(*most), kRunTooLarge), body);
  }
  return Block::make(require(extent >= 1, kRunBadExtent), body);
}

/// For `name` from 0 to count - 1, one after the other.
inline Halide::Internal::Stmt loop(const std::string& name, const Halide::Expr& count,
                                   const Halide::Internal::Stmt& body) {
  return Halide::Internal::For::make(name, 0, count, Halide::Internal::ForType::Serial,
                                     Halide::Partition::Never, Halide::DeviceAPI::None, body);
}

/// What a call is given or a layer has: packed weights (null where they are constants), and images.
inline Halide::Expr packed_weights(const LayerPlan& plan) {
  return plan.spec.embeds_weights() ? Halide::Internal::make_zero(Halide::Handle())
                                    : pointer("packed");
}
inline Halide::Expr images_of(const LayerPlan& plan) {
  if (plan.spec.images) return static_cast<int>(*plan.spec.images);
  return Halide::Internal::Variable::make(Halide::Int(32), "images");
}

/// `count` pixels of y from `first` on: some by `fill`, a pipeline (packed -> y) of first pixel and
/// count, the others by memcpy, which writes lines without reading them: where y is in memory and
/// mostly gaps, layers take 0.65 to 0.8 of the time.
Halide::Internal::Stmt fill_pixels(const LayerPlan& plan, const Leaf& fill,
                                   const Halide::Expr& first, const Halide::Expr& count);

/// The caller's scratch, from where vectors of every target may begin.
inline Halide::Expr aligned_scratch() {
  using Halide::reinterpret;
  const Halide::Type bytes = Halide::UInt(64);
  const Halide::Expr last = Halide::Internal::make_const(bytes, kHeapAlignment - 1);
  return reinterpret(Halide::Handle(), (reinterpret(bytes, pointer("scratch")) + last) & ~last);
}

/// Adds a function whose name is the layer's and `suffix`.
inline void add_function(Halide::Module& module, const LayerPlan& plan, const std::string& suffix,
                         const std::vector<Halide::Internal::LoweredArgument>& arguments,
                         const Halide::Internal::Stmt& body) {
  module.append(Halide::Internal::LoweredFunc(plan.spec.name + suffix, arguments, body,
                                              Halide::LinkageType::External,
                                              Halide::NameMangling::C));
}

/// Packs every part by its (kernel) -> weights and its (bias) -> biases.
inline Halide::Internal::Stmt pack_parts(const LayerPlan& plan, const std::vector<Leaf>& weights,
                                         const std::vector<Leaf>& biases) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  const Halide::Expr bias = plan.spec.checked.options.use_bias
                                ? pointer("bias")
                                : Halide::Internal::make_zero(Halide::Handle());
  std::vector<Halide::Internal::Stmt> calls;
  for (std::size_t n = 0; n < plan.parts.size(); ++n) {
    const PlannedPart& part = plan.parts[n];
    calls.push_back(
        weights[n].call({pointer("kernel"), address(type, "packed", part.weights_at)}, {}));
    calls.push_back(biases[n].call({bias, address(type, "packed", part.bias_at)}, {}));
  }
  return Halide::Internal::Block::make(calls);
}

}  // namespace upconv::compiler
