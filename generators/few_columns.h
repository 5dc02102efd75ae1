// Products of pixels with few columns of weights, a vector of pixels at a time, as an algorithm:
// the first half of the scatter strategy where a vector of columns would be mostly empty.
//
//   products[c, i] = clamp(start[c] + sum over ci of x[pixel_x[i] + ci] * w[c, ci])
//
// A pixel's channels are neighbours in x, and a vector has one channel of as many pixels: so four
// channels of all pixels of a tile are read, and transposed in registers. Pixel i of a tile is lane
// i: pixel p of group g, 4 * g + p.
#pragma once

#include "Halide.h"

namespace upconv::generators {

struct FewColumnsInputs {
  Halide::Func x = {};        ///< (i)
  Halide::Func pixel_x = {};  ///< (i)
  Halide::Func w = {};        ///< (c, ci)
  Halide::Func start = {};    ///< (c)
  Halide::Expr input_size = {};
  Halide::Expr x_extent = {};
  Halide::Expr min = {}, max = {};
  int columns = 1;
  int lanes = 1;      ///< pixels of a tile
  bool fused = true;  ///< the target has a fused multiply-add
  Halide::Type type = {};
};

/// The Funcs and Vars that a schedule may name.
struct FewColumns {
  static constexpr int kQuad =
      4;  ///< channels that are transposed at a time, and pixels of a group

  int columns, groups;
  Halide::Var p{"p"}, g{"g"}, tile{"tile"}, k{"k"}, q{"q"}, ci{"ci"}, c{"c"}, i{"i"};
  Halide::Func quads{"quads"};  ///< (k, g, p, q, tile): channel 4 * q + k, as in x
  Halide::Func lanes{"lanes"};  ///< (p, g, k, q, tile): the same, transposed
  Halide::Func one{"one"};      ///< (p, g, ci, tile): a channel after the last four
  Halide::Func sum{"sum"};      ///< (p, g, c, tile)
  Halide::RDom four, rest;      ///< (k, q), and the channels after the last four
  Halide::Func products;        ///< (c, i): the algorithm defines it

  FewColumns(const FewColumnsInputs& in, const Halide::Func& to)
      : columns(in.columns),
        groups(in.lanes / kQuad),
        four(0, kQuad, 0, in.input_size / kQuad, "four"),
        rest(0, in.input_size % kQuad, "rest"),
        products(to) {
    using Halide::cast;
    using Halide::Expr;
    using Halide::select;
    using Halide::strict_float;
    const auto x = [&](const Expr& channel) {
      const Expr pixel = tile * in.lanes + g * kQuad + p;
      return in.x(Halide::unsafe_promise_clamped(in.pixel_x(pixel) + channel, 0, in.x_extent - 1));
    };
    quads(k, g, p, q, tile) = x(q * kQuad + k);
    lanes(p, g, k, q, tile) = quads(k, g, p, q, tile);
    one(p, g, ci, tile) = x(ci);

    const auto add = [&](const Expr& value, const Expr& channel) {
      const Expr next = sum(p, g, c, tile) + value * in.w(c, channel);
      sum(p, g, c, tile) = in.fused ? next : strict_float(next);
    };
    sum(p, g, c, tile) = in.start(c);
    add(lanes(p, g, four[0], four[1], tile), four[1] * kQuad + four[0]);
    const Expr last = in.input_size / kQuad * kQuad + rest;
    add(one(p, g, last, tile), last);

    // Comparisons, not min and max: a NaN must come out as NaN.
    const Expr value = sum(i % kQuad, i % in.lanes / kQuad, c, i / in.lanes);
    const Expr low = cast(in.type, in.min), high = cast(in.type, in.max);
    const Expr raised = select(strict_float(value < low), low, value);
    products(c, i) = select(strict_float(raised > high), high, raised);
  }
};

}  // namespace upconv::generators
