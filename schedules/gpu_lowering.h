// A pass of lowering that leaves each thread its own sums, and one barrier where there were
// several.
//
// The sums of a block are one Func, computed by all its threads. Where it is kept in registers,
// Halide 21 gives every thread an array of all threads' sums; a thread touches only its share,
// which lies innermost, but an array of thousands does not fit registers. This pass cuts the array
// to that share.
#pragma once

#include <string>
#include <utility>

#include "Halide.h"

namespace upconv::schedules {

class GpuLowering : public Halide::Internal::IRMutator {
 public:
  /// Of the Func of that name; `share` sums are a thread's.
  GpuLowering(std::string name, int share) : name_(std::move(name)), share_(share) {}

 protected:
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const Halide::Internal::Allocate* op) override {
    if (!are_sums(op->name)) return IRMutator::visit(op);
    return Halide::Internal::Allocate::make(op->name, op->type, op->memory_type, {share_},
                                            op->condition, mutate(op->body));
  }
  Halide::Internal::Stmt visit(const Halide::Internal::Block* op) override {
    const auto* rest = op->rest.as<Halide::Internal::Block>();
    const Halide::Internal::Call* first = barrier(op->first);
    if (first && barrier(rest ? rest->first : op->rest) &&
        Halide::Internal::is_const_zero(first->args[0])) {  // it orders no memory
      return mutate(op->rest);
    }
    return IRMutator::visit(op);
  }
  Halide::Expr visit(const Halide::Internal::Load* op) override {
    if (!are_sums(op->name)) return IRMutator::visit(op);
    return Halide::Internal::Load::make(op->type, op->name, own(op->index), op->image, op->param,
                                        op->predicate, {});
  }
  Halide::Internal::Stmt visit(const Halide::Internal::Store* op) override {
    if (!are_sums(op->name)) return IRMutator::visit(op);
    return Halide::Internal::Store::make(op->name, mutate(op->value), own(op->index), op->param,
                                         op->predicate, {});
  }

 private:
  /// The call, where a statement is nothing but a barrier.
  static const Halide::Internal::Call* barrier(const Halide::Internal::Stmt& stmt) {
    const auto* evaluated = stmt.as<Halide::Internal::Evaluate>();
    if (evaluated == nullptr) return nullptr;
    return Halide::Internal::Call::as_intrinsic(evaluated->value,
                                                {Halide::Internal::Call::gpu_thread_barrier});
  }
  /// By then the array has a number behind its name.
  bool are_sums(const std::string& name) const {
    return name == name_ || name.starts_with(name_ + ".");
  }
  Halide::Expr own(const Halide::Expr& index) const {
    return Halide::Internal::simplify(index % share_);
  }

  const std::string name_;
  const int share_;
};

}  // namespace upconv::schedules
