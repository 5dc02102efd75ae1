#include "statements.h"

#include <algorithm>

namespace upconv::compiler {

Halide::Internal::Stmt fill_pixels(const LayerPlan& plan, const Leaf& fill,
                                   const Halide::Expr& first, const Halide::Expr& count) {
  using namespace Halide::Internal;
  using Halide::cast;
  using Halide::Expr;
  using Halide::Int;
  constexpr Index kCopiedBytes = Index{32} * 1024;
  const Halide::Type type = halide_type(plan.spec.dtype());
  const Index channels = plan.output_size(), pixel_bytes = channels * type.bytes();
  const int copied = static_cast<int>(std::max<Index>(1, kCopiedBytes / pixel_bytes));
  const auto named = [](const char* name) {
    return Halide::Internal::Variable::make(Int(32), name);
  };
  const Expr begin = named("fill.first"), all = named("fill.count");
  const Expr at = (named("fill.copy") + 1) * copied;
  const auto pixel = [&](const Expr& index) {
    return address(type, "y", cast(Int(64), index) * make_const(Int(64), channels));
  };
  const Halide::Type size = Halide::UInt(plan.target.halide.bits);
  const Expr bytes = cast(size, Halide::min(all - at, copied)) * make_const(size, pixel_bytes);
  const Stmt copy = Evaluate::make(Call::make(
      Halide::Handle(), "memcpy", {pixel(begin + at), pixel(begin), bytes}, Call::Extern));
  Stmt body = fill.call({packed_weights(plan), pointer("y")}, {begin, Halide::min(all, copied)});
  body = Block::make(body, loop("fill.copy", (all - 1) / copied, copy));
  return LetStmt::make("fill.first", first, LetStmt::make("fill.count", count, body));
}

}  // namespace upconv::compiler
