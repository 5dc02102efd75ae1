#include "weights_object.h"

#include <algorithm>
#include <string>
#include <vector>

#include "driver.h"
#include "leaf.h"
#include "statements.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;

/// Copies the values to the pointer `to`, unless that is null. They are kept from the last to the
/// first: LLVM makes a call of memcpy of a loop that reads and writes in the same direction.
Stmt copy_to(Halide::Module& module, const std::string& to, const Tensor& values) {
  const int count = static_cast<int>(values.size());
  Halide::Buffer<void> constant(halide_type(values.dtype()), count);
  const auto keep = [&]<Element T>(std::span<const T> from) {
    std::reverse_copy(from.begin(), from.end(), static_cast<T*>(constant.data()));
  };
  if (values.dtype() == DType::kFloat32) {
    keep(values.values<float>());
  } else {
    keep(values.values<double>());
  }
  Halide::Var i("i");
  Halide::Func copy("copy");
  copy(i) = Call::make(constant, {count - 1 - i});
  copy.output_buffer().dim(0).set_bounds(0, count);
  const Leaf leaf(module, module.name() + "_" + to, copy, {}, {});
  const Halide::Expr at = reinterpret(Halide::UInt(64), pointer(to));
  return IfThenElse::make(at != make_zero(Halide::UInt(64)), leaf.call({pointer(to)}, {}));
}

}  // namespace

Halide::Module weights_module(const LayerPlan& plan) {
  const Halide::Target& of = plan.target.halide;
  Halide::Module module(plan.spec.name + "_weights",
                        Halide::Target(of.os, of.arch, of.bits, {Halide::Target::NoRuntime}));
  std::vector<LoweredArgument> arguments = {argument("kernel", Halide::Handle())};
  std::vector<Stmt> body = {copy_to(module, "kernel", *plan.spec.kernel)};
  if (plan.spec.bias) {
    arguments.push_back(argument("bias", Halide::Handle()));
    body.push_back(copy_to(module, "bias", *plan.spec.bias));
  }
  add_function(module, plan, "_weights", arguments, Block::make(body));
  return module;
}

}  // namespace upconv::compiler
