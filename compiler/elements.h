// What the pipelines of a compiled layer read: elements from a pointer on.
#pragma once

#include "Halide.h"

namespace upconv::compiler {

/// Elements that start at 0, as a pointer is.
inline Halide::ImageParam elements(Halide::Type type, const char* name) {
  Halide::ImageParam param(type, 1, name);
  param.dim(0).set_min(0).set_extent(2147483647).set_stride(1);
  return param;
}

/// An index of such elements, of which Halide would ask more than it can see.
inline Halide::Expr inside(const Halide::Expr& at) {
  return Halide::unsafe_promise_clamped(at, 0, 2147483646);
}

/// Weights and biases in packed order: constants, where there are such.
inline Halide::Func packed_values(const Halide::Buffer<void>& constant,
                                  const Halide::ImageParam& packed) {
  Halide::Var i("i");
  Halide::Func values("values");
  if (constant.defined()) {
    values(i) = Halide::Internal::Call::make(constant, {i});
  } else {
    values(i) = packed(i);
  }
  return values;
}

/// The elements themselves, for hints (generators/prefetch.h): they go by the pointer's own name.
inline Halide::Func by_name(const Halide::ImageParam& param) {
  Halide::Var i("i");
  Halide::Func values("by_name");
  values(i) = Halide::Internal::Call::make(param.parameter(), {i});
  return values;
}

/// The address of a constant in the code.
inline Halide::Expr address_of(const Halide::Buffer<void>& constant) {
  using namespace Halide::Internal;
  const Halide::Expr buffer = Halide::Internal::Variable::make(
      Halide::type_of<halide_buffer_t*>(), constant.name() + ".buffer", constant);
  return Call::make(Halide::Handle(), Call::buffer_get_host, {buffer}, Call::Extern);
}

}  // namespace upconv::compiler
