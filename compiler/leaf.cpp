#include "leaf.h"

#include <cstddef>

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Argument;
using Halide::Expr;

std::string pointer_name(const std::string& buffer) { return buffer + ".pointer"; }

/// `let x = host of x.buffer` at the head of a lowered body becomes `let x = x.pointer`. Nothing
/// else of a buffer is used: bounds and strides are constants, and there are no checks.
Stmt take_pointers(const Stmt& body, const std::vector<std::string>& buffers) {
  const LetStmt* const let = body.as<LetStmt>();
  if (let == nullptr) return body;
  Expr value = let->value;
  for (const std::string& buffer : buffers) {
    if (let->name == buffer) {
      value = Halide::Internal::Variable::make(Halide::Handle(), pointer_name(buffer));
    }
  }
  return LetStmt::make(let->name, value, take_pointers(let->body, buffers));
}

}  // namespace

Leaf::Leaf(Halide::Module& module, const std::string& name, const Halide::Func& output,
           const std::vector<Halide::ImageParam>& pointers,
           const std::vector<Halide::Param<int>>& integers) {
  std::vector<Argument> arguments;
  for (const Halide::ImageParam& pointer : pointers) {
    arguments.push_back(pointer);
    pointers_.push_back(pointer.name());
  }
  for (const Halide::Param<int>& integer : integers) {
    arguments.push_back(integer);
    integers_.push_back(integer.name());
  }
  pointers_.push_back(output.name());
  const Halide::Target target = module.target()
                                    .with_feature(Halide::Target::NoAsserts)
                                    .with_feature(Halide::Target::NoBoundsQuery);
  const Halide::Module own = Halide::Pipeline(output).compile_to_module(
      arguments, name, target, Halide::LinkageType::Internal);
  for (const auto& buffer : own.buffers()) module.append(buffer);
  body_ = take_pointers(own.functions().front().body, pointers_);
  if (own.any_strict_float()) module.set_any_strict_float(true);
}

Stmt Leaf::call(const std::vector<Expr>& pointers, const std::vector<Expr>& integers) const {
  Stmt statement = body_;
  for (std::size_t n = 0; n < integers.size(); ++n) {
    statement = LetStmt::make(integers_[n], integers[n], statement);
  }
  for (std::size_t n = 0; n < pointers.size(); ++n) {
    statement = LetStmt::make(pointer_name(pointers_[n]), pointers[n], statement);
  }
  return statement;
}

}  // namespace upconv::compiler
