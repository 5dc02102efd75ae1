// Products of rows with few columns of weights, a vector of rows at a time, as an algorithm: the
// first half of the scatter strategy where a vector of columns would be mostly empty
// (matrix_product.h).
//
//   products[t, c] = finish(start[c] + sum over ci of in[t, ci] * w[ci, c])
//
// A row's inputs are neighbours in memory, and a vector has one of each of as many rows: so four
// inputs of all rows of a tile are read, and transposed in registers. Row r of a tile is lane r:
// row p of group g, 4 * g + p.
#pragma once

#include "Halide.h"

namespace upconv::generators {

/// The Funcs and Vars that a schedule may name.
struct FewColumns {
  /// Inputs that are transposed at a time, and rows of a group.
  static constexpr int kQuad = 4;

  struct Inputs {
    Halide::Func in = {};       ///< (ci, t)
    Halide::Func weights = {};  ///< (c, ci)
    Halide::Func start = {};    ///< (c): what sums start with; undefined: nothing
    Halide::Expr input_size = {};
    int columns = 1;
    int lanes = 1;      ///< rows of a tile, a multiple of kQuad
    bool fused = true;  ///< the target has a fused multiply-add
    Halide::Type type = {};
  };

  int columns, groups;
  Halide::Var c{"c"}, t{"t"}, p{"p"}, g{"g"}, tile{"tile"}, k{"k"}, q{"q"}, ci{"ci"};
  Halide::Func quads{"quads"};  ///< (k, g, p, q, tile): input 4 * q + k, as in memory
  Halide::Func lanes{"lanes"};  ///< (p, g, k, q, tile): the same, transposed
  Halide::Func one{"one"};      ///< (p, g, ci, tile): an input after the last four
  Halide::Func sum{"sum"};      ///< (p, g, c, tile)
  Halide::RDom four, rest;      ///< (k, q), and the inputs after the last four
  Halide::Func products;        ///< (c, t): the algorithm defines it

  /// @param finish what becomes of a sum
  template <typename Finish>
  FewColumns(const Inputs& of, const Halide::Func& to, Finish finish)
      : columns(of.columns),
        groups(of.lanes / kQuad),
        four(0, kQuad, 0, of.input_size / kQuad, "four"),
        rest(0, of.input_size % kQuad, "rest"),
        products(to) {
    using Halide::Expr;
    const auto in = [&](const Expr& input) {
      return of.in(input, tile * of.lanes + g * kQuad + p);
    };
    quads(k, g, p, q, tile) = in(q * kQuad + k);
    lanes(p, g, k, q, tile) = quads(k, g, p, q, tile);
    one(p, g, ci, tile) = in(ci);

    const auto add = [&](const Expr& value, const Expr& input) {
      const Expr next = sum(p, g, c, tile) + value * of.weights(c, input);
      sum(p, g, c, tile) = of.fused ? next : Halide::strict_float(next);
    };
    sum(p, g, c, tile) =
        of.start.defined() ? of.start(c) : Halide::Internal::make_const(of.type, 0);
    add(lanes(p, g, four[0], four[1], tile), four[1] * kQuad + four[0]);
    const Expr last = of.input_size / kQuad * kQuad + rest;
    add(one(p, g, last, tile), last);
    products(c, t) = finish(sum(t % kQuad, t % of.lanes / kQuad, c, t / of.lanes));
  }
};

}  // namespace upconv::generators
