// Statements of drivers whose layers have constant spatial extents: the library's strategies
// `winograd` and `narrow`. Their variables have names of their own, beside those of the pipelines.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "Halide.h"
#include "statements.h"

namespace upconv::compiler {

/// Axes in names.
inline constexpr std::array<const char*, 3> kAxes = {"d", "h", "w"};

inline Halide::Expr integer(const std::string& name) {
  return Halide::Internal::Variable::make(Halide::Int(32), "run." + name);
}
inline Halide::Internal::Stmt let(const std::string& name, const Halide::Expr& value,
                                  const Halide::Internal::Stmt& body) {
  return Halide::Internal::LetStmt::make("run." + name, value, body);
}
inline Halide::Internal::Stmt run_loop(const std::string& name, const Halide::Expr& count,
                                       const Halide::Internal::Stmt& body) {
  return loop("run." + name, count, body);
}

inline Halide::Expr wide(const Halide::Expr& value) { return Halide::cast(Halide::Int(64), value); }
inline Halide::Expr number(Index value) {
  return Halide::Internal::make_const(Halide::Int(64), value);
}

/// `body` after the checks of the number of images, where that is an argument.
inline Halide::Internal::Stmt check_images(const LayerPlan& plan,
                                           const Halide::Internal::Stmt& body) {
  if (plan.spec.images) return body;
  Index x = plan.input_size(), y = plan.output_size();
  for (const PlannedAxis& axis : plan.axes) {
    x *= *axis.input;
    y *= axis.window.output;
  }
  const Halide::Expr images = images_of(plan);
  return require_extent(
      "images", plan.spec.most_images,
      Halide::Internal::Block::make(
          require(wide(images) <= number(kMostElements / std::max(x, y)), kRunTooLarge), body));
}

/// Refuses weights that are not finite: they would reach outputs that do not see them.
inline Halide::Internal::Stmt check_finite(const LayerPlan& plan) {
  using namespace Halide::Internal;
  const bool single = plan.spec.dtype() == DType::kFloat32;
  const Halide::Type bits = Halide::UInt(single ? 32 : 64);
  const Halide::Expr exponent =
      single ? make_const(bits, 0x7f800000) : Halide::Expr(std::uint64_t{0x7ff0000000000000});
  Index count = plan.input_size() * plan.output_size();
  for (const PlannedAxis& axis : plan.axes) count *= axis.axis.filter;
  const Halide::Expr value = Load::make(bits, "kernel", integer("at"), Halide::Buffer<>(),
                                        Halide::Parameter(), const_true(), ModulusRemainder());
  return run_loop("at", static_cast<int>(count),
                  require((value & exponent) != exponent, kPackNotFinite));
}

}  // namespace upconv::compiler
