// Rows of products added to outputs, a vector of outputs at a time: the second half of the scatter
// strategy where the runs of neighbouring inputs overlap (runtime/scatter_add.h), as an algorithm.
//
// Along w, the products of input i with all taps of a row of the filter are `run` neighbours, which
// belong to as many outputs from i * shift on. Input by input, each output would be read and
// written for every tap that reaches it. Here a vector of outputs gathers what belongs to it:
//
//   y[o + d*to_d + h*to_h] += sum over i of products[i*pitch + d*from_d + h*from_h + o - i*shift],
//                                 0 <= i < inputs, 0 <= o - i*shift < run
//
// for begin <= o < end, i ascending. What lies up to a vector before and after the products is read
// and not used.
#pragma once

#include "Halide.h"

namespace upconv::generators {

/// Taps of another axis: as many rows of products and of y.
struct RowTaps {
  Halide::Expr taps = 1, from_step = 0, to_step = 0;
};

struct RowInputs {
  Halide::Func products = {};            ///< (i)
  Halide::Func sums = {};                ///< (i): elements of y
  Halide::Expr inputs = {}, pitch = {};  /// and elements from one's products to the next's
  Halide::Expr run = {}, shift = {};
  Halide::Expr begin = {}, end = {};  ///< at least a vector apart
  RowTaps d = {}, h = {};
  int lanes = 1;
  Halide::Type type = {};
};

/// The Funcs and Vars that a schedule may name.
struct AddedRows {
  Halide::Var l{"l"}, h{"h"}, d{"d"}, tile{"tile"};
  Halide::Func output{"output"}, input{"input"};  ///< (tile): its first output, and its first input
  Halide::Func sum{"sum"};                        ///< (l, h, d, tile)
  Halide::RDom k;                                 ///< inputs that reach a tile
  Halide::RDom t;                                 ///< (l, h, d, tile): the outputs
  Halide::Func y;                                 ///< (i): the algorithm defines it

  AddedRows(const RowInputs& in, const Halide::Func& to)
      : k(0, (in.run + in.lanes - 2) / in.shift + 1, "k"),
        t(0, in.lanes, 0, in.h.taps, 0, in.d.taps, 0, (in.end - in.begin + in.lanes - 1) / in.lanes,
          "t"),
        y(to) {
    using Halide::cast;
    using Halide::Expr;
    using Halide::select;
    // A promise to Halide, which cannot know: inside the buffers, or as far outside as said above.
    const auto anywhere = [](const Expr& index) {
      return Halide::unsafe_promise_clamped(index, 0, 2147483646);
    };
    const auto in_y = [&](const Expr& o, const Expr& row_h, const Expr& row_d) {
      return anywhere(o + row_h * in.h.to_step + row_d * in.d.to_step);
    };

    // The last tile is moved back to end where the outputs do.
    output(tile) = Halide::min(in.begin + tile * in.lanes, in.end - in.lanes);
    const Expr before = Halide::max(output(tile) + in.shift - in.run, 0);
    input(tile) = cast<int32_t>(cast<uint32_t>(before) / cast<uint32_t>(in.shift));

    const Expr o = output(tile) + l, i = input(tile) + k;
    sum(l, h, d, tile) = in.sums(in_y(o, h, d));
    k.where(i < in.inputs);
    const Expr e = o - i * in.shift;
    const Expr value =
        in.products(anywhere(i * in.pitch + h * in.h.from_step + d * in.d.from_step + e));
    sum(l, h, d, tile) = select(cast<uint32_t>(e) < cast<uint32_t>(in.run),
                                sum(l, h, d, tile) + value, sum(l, h, d, tile));

    // Those that the tile before has added to already stay.
    const Expr at = output(t[3]) + t[0], place = in_y(at, t[1], t[2]);
    y(Halide::Var("i")) = Halide::undef(in.type);
    y(place) =
        select(at >= in.begin + t[3] * in.lanes, sum(t[0], t[1], t[2], t[3]), in.sums(place));
  }
};

}  // namespace upconv::generators
