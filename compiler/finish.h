// The activation of a layer, as what Halide computes.
#pragma once

#include <string>

#include "Halide.h"
#include "activations.h"
#include "plan.h"
#include "upconv/activation.h"

namespace upconv::compiler {

/// Nothing becomes of a sum but itself.
inline bool is_linear(const LayerPlan& plan) {
  return plan.spec.checked.options.activation_fn.kind() == ActivationKind::kLinear;
}

/// The activation of a sum.
inline Halide::Expr finish(const Activation& activation, const Halide::Expr& sum) {
  using activations::Kind;
  if (activation.kind() == ActivationKind::kLinear) return sum;
  const auto number = [&](double value) { return Halide::Internal::make_const(sum.type(), value); };
  if (activation.is_clamp()) {
    return activations::activate(Kind::kClamp, sum, number(activation.min()),
                                 number(activation.max()));
  }
  const Kind kind = activations::kinds().at(std::string(activation.name()));
  return activations::activate(kind, sum, number(activation.alpha()), number(0));
}

}  // namespace upconv::compiler
