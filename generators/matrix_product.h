// Rows times a block of weights, as an algorithm without a schedule: the products of the strategies
// that multiply apart from taps, of tiles at a point (winograd) or of inputs (scatter).
//
//   products[t, c] = finish(start[c] + sum over ci of in[t, ci] * w[ci, c])
#pragma once

#include "Halide.h"
#include "prefetch.h"

namespace upconv::generators {

struct MatrixProduct {
  Halide::Var c{"c"}, t{"t"};
  Halide::RDom r;
  Halide::Func sum{"sum"}, products{"products"};  ///< (c, t)

  struct Inputs {
    Halide::Func in = {};       ///< (ci, t)
    Halide::Func weights = {};  ///< (c, ci)
    Halide::Func start = {};    ///< (c): what sums start with; undefined: nothing
    int input_size = 1;
    /// (i): all packed weights, of which the panel that comes next begins at next_panel
    /// (prefetch.h); undefined: tiles do not ask for it.
    Halide::Func packed = {};
    Halide::Expr next_panel = {};
    int tiles = 1;  ///< that read a panel
    int block_channels = 1;
    int pixels = 1;  ///< rows of a register tile
    int lanes = 1;
    bool fused = true;  ///< the target has a fused multiply-add
    Halide::Type type = {};
  };

  /// @param finish what becomes of a sum
  template <typename Finish>
  MatrixProduct(const Inputs& of, Finish finish) : r(0, of.input_size, "r") {
    sum(c, t) = of.start.defined() ? of.start(c) : Halide::Internal::make_const(of.type, 0);
    Halide::Expr x = of.in(r, t);
    if (of.packed.defined()) x = bringing_next_panel(of, x);
    const Halide::Expr next = sum(c, t) + x * of.weights(c, r);
    sum(c, t) = of.fused ? next : Halide::strict_float(next);
    products(c, t) = finish(sum(c, t));
  }

 private:
  Halide::Expr bringing_next_panel(const Inputs& of, const Halide::Expr& x) const {
    const PanelHints hints{.tile = t / of.pixels,
                           .tiles = of.tiles,
                           .rows = of.input_size,
                           .row = r,
                           .ci = r,
                           .lines = PanelHints::lines_of(of.block_channels, of.type)};
    return hints.beside(x, t % of.pixels == 0 && c < of.lanes, of.packed, of.next_panel);
  }
};

}  // namespace upconv::generators
