#include "leaf.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Argument;
using Halide::Expr;

std::string pointer_name(const std::string& buffer) { return buffer + ".pointer"; }

/// `let x = host of x.buffer` at the head of a lowered body becomes `let x = x.pointer`. Of all
/// else that a buffer has, ends of loops may ask for the least index and the stride: those that
/// elements() sets. What is required of its extent is for checks that are not made.
Stmt take_pointers(const Stmt& body, const std::vector<std::string>& buffers) {
  const LetStmt* const let = body.as<LetStmt>();
  if (let == nullptr) return body;
  Expr value = let->value;
  for (const std::string& buffer : buffers) {
    if (let->name == buffer) {
      value = Halide::Internal::Variable::make(Halide::Handle(), pointer_name(buffer));
    }
    if (let->name == buffer + ".min.0") value = 0;
    if (let->name == buffer + ".stride.0") value = 1;
    if (let->name == buffer + ".extent.0" || let->name == buffer + ".extent.0.required") {
      return take_pointers(let->body, buffers);
    }
  }
  return LetStmt::make(let->name, value, take_pointers(let->body, buffers));
}

/// What is loaded from one name, or stored there, is so by another: memory of a caller, which
/// begins anywhere. (Of memory that is no argument Halide knows better, and would load aligned
/// vectors.)
class Renamer : public IRMutator {
 public:
  Renamer(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

 private:
  using IRMutator::visit;
  Expr visit(const Load* load) override {
    if (load->name != from_) return IRMutator::visit(load);
    return Load::make(load->type, to_, mutate(load->index), Halide::Buffer<>(), {},
                      mutate(load->predicate), ModulusRemainder());
  }
  Stmt visit(const Store* store) override {
    if (store->name != from_) return IRMutator::visit(store);
    return Store::make(to_, mutate(store->value), mutate(store->index), store->param,
                       mutate(store->predicate), store->alignment);
  }

  std::string from_, to_;
};

/// Allocations in registers become those of unsigned integers, whatever is stored there: a type
/// that no other allocation has. Memory of the stack that is free again, Halide gives to the next
/// allocation of the same type, and sums that share theirs with a tile of which loops take elements
/// stay in memory.
class OwnRegisters : public IRMutator {
  using IRMutator::visit;
  Stmt visit(const Allocate* of) override {
    if (of->memory_type != Halide::MemoryType::Register) return IRMutator::visit(of);
    return Allocate::make(of->name, Halide::UInt(of->type.bits()), of->memory_type, of->extents,
                          of->condition, mutate(of->body), of->new_expr, of->free_function,
                          of->padding);
  }
};

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
  output_ = output.name();
  pointers_.push_back(output_);
  const Halide::Target target = module.target()
                                    .with_feature(Halide::Target::NoAsserts)
                                    .with_feature(Halide::Target::NoBoundsQuery);
  const Halide::Module own = Halide::Pipeline(output).compile_to_module(
      arguments, name, target, Halide::LinkageType::Internal);
  for (const auto& buffer : own.buffers()) module.append(buffer);
  body_ = OwnRegisters().mutate(take_pointers(own.functions().front().body, pointers_));
  if (own.any_strict_float()) module.set_any_strict_float(true);
}

void Leaf::reads_output(const Halide::ImageParam& of) {
  const Expr output = Halide::Internal::Variable::make(Halide::Handle(), pointer_name(output_));
  body_ = LetStmt::make(pointer_name(of.name()), output, Renamer(of.name(), output_).mutate(body_));
  pointers_.erase(std::find(pointers_.begin(), pointers_.end(), of.name()));
}

void Leaf::writes(const std::string& memory) {
  const Expr pointer = Halide::Internal::Variable::make(Halide::Handle(), pointer_name(memory));
  body_ = LetStmt::make(memory, pointer, Renamer(output_, memory).mutate(body_));
  body_ = LetStmt::make(pointer_name(output_), pointer, body_);
  *std::find(pointers_.begin(), pointers_.end(), output_) = memory;
  output_ = memory;
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
