// A hint to bring a cache line nearer, inside an algorithm: Halide's own `prefetch` directive takes
// the lines of a whole region, some iterations ahead; here one line is chosen by an expression.
#pragma once

#include "Halide.h"

namespace upconv::generators {

/// `value`, beside which the line of element `at` of an input buffer is prefetched. No address
/// faults, so `at` may be anywhere.
/// @param buffer the input as a Func
inline Halide::Expr prefetching(const Halide::Func& buffer, const Halide::Expr& at,
                                const Halide::Expr& value) {
  using Halide::Internal::Call;
  using Halide::Internal::Variable;
  const auto& input = buffer.value().as<Call>()->param;
  const Halide::Expr base = Variable::make(Halide::type_of<void*>(), input.name(), input);
  // One line: extent and stride 1.
  const Halide::Expr hint =
      Call::make(Halide::Int(32), Call::prefetch, {base, at, 1, 1}, Call::Intrinsic);
  return Call::make(value.type(), Call::return_second, {hint, value}, Call::PureIntrinsic);
}

}  // namespace upconv::generators
