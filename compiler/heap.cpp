#include "heap.h"

#include <algorithm>
#include <set>

#include "upconv/error.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::MemoryType;

/// Allocations up to this stay on the stack, where Halide puts as much.
constexpr Index kStackBytes = Index{16} * 1024;

class Mover {
 public:
  explicit Mover(const std::string& base)
      : base_(reinterpret(Halide::UInt(64),
                          Halide::Internal::Variable::make(Halide::Handle(), base))) {}

  Index most() const { return most_; }

  Stmt move(const Stmt& statement) {
    if (const auto* let = statement.as<LetStmt>()) {
      return LetStmt::make(let->name, let->value, move(let->body));
    }
    if (const auto* block = statement.as<Block>()) {
      Stmt first = move(block->first), rest = move(block->rest);
      if (!first.defined()) return rest;
      return rest.defined() ? Block::make(first, rest) : first;
    }
    if (const auto* loop = statement.as<For>()) {
      return For::make(loop->name, loop->min, loop->extent, loop->for_type, loop->partition_policy,
                       loop->device_api, move(loop->body));
    }
    if (const auto* branch = statement.as<IfThenElse>()) {
      return IfThenElse::make(
          branch->condition, move(branch->then_case),
          branch->else_case.defined() ? move(branch->else_case) : branch->else_case);
    }
    if (const auto* stage = statement.as<ProducerConsumer>()) {
      return ProducerConsumer::make(stage->name, stage->is_producer, move(stage->body));
    }
    if (const auto* allocate = statement.as<Allocate>()) return move_allocation(*allocate);
    if (const auto* free = statement.as<Free>()) {
      return moved_.count(free->name) > 0 ? Evaluate::make(0) : statement;
    }
    return statement;  // stores and evaluations have no statements in them
  }

 private:
  Stmt move_allocation(const Allocate& of) {
    const Index elements = Allocate::constant_allocation_size(of.extents, of.name);
    if (elements <= 0 && !of.extents.empty()) {
      throw Error(ErrorKind::kUnsupported,
                  "the schedule allocates \"" + of.name +
                      "\", whose size is not constant; another autoscheduler may do");
    }
    const Index bytes = (elements + of.padding) * of.type.bytes();
    const bool small = bytes <= kStackBytes;
    if (of.memory_type == MemoryType::Stack || of.memory_type == MemoryType::Register || small) {
      const MemoryType type =
          of.memory_type == MemoryType::Register ? of.memory_type : MemoryType::Stack;
      return Allocate::make(of.name, of.type, type, of.extents, of.condition, move(of.body),
                            of.new_expr, of.free_function, of.padding);
    }
    moved_.insert(of.name);
    const Index at = top_;
    top_ += (bytes + kHeapAlignment - 1) / kHeapAlignment * kHeapAlignment;
    most_ = std::max(most_, top_);
    const Stmt body = move(of.body);
    top_ = at;
    return LetStmt::make(
        of.name, reinterpret(Halide::Handle(), base_ + make_const(Halide::UInt(64), at)), body);
  }

  Expr base_;
  Index top_ = 0, most_ = 0;
  std::set<std::string> moved_;
};

}  // namespace

WithoutHeap without_heap(const Stmt& body, const std::string& base) {
  Mover mover(base);
  WithoutHeap result{.body = mover.move(body)};
  result.bytes = mover.most();
  return result;
}

}  // namespace upconv::compiler
