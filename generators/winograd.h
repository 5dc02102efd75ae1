// The transforms of the winograd strategy as an algorithm without a schedule (docs/design.md).
//
// Along two axes u and v of a pixel p, every channel c:
//
//   out[pixel_out[p] + i*out_u + j*out_v + c] =
//       sum over k, l of matrix_u[i][k] * matrix_v[j][l] * in[pixel_in[p] + k*in_u + l*in_v + c]
//
// With B of toom_cook.h for both axes this takes the inputs of a tile to its points; with A, the
// products at the points to the tile's outputs, where the bias and the clamp come too. An axis
// without a transform has the matrix [1].
#pragma once

#include <vector>

#include "Halide.h"
#include "toom_cook.h"

namespace upconv::generators {

using internal::Rational;
using internal::RationalMatrix;

/// Row `row` of the matrix times the vector of which value(k) is element k. Zeros are left out,
/// ones are not multiplied.
template <typename Value>
Halide::Expr matrix_row(const RationalMatrix& matrix, const Halide::Expr& row, Halide::Type type,
                        Value value) {
  std::vector<Halide::Expr> sums;
  for (const auto& entries : matrix) {
    Halide::Expr sum;
    for (std::size_t k = 0; k < entries.size(); ++k) {
      if (entries[k] == Rational(0)) continue;
      const Halide::Expr element = value(Halide::Expr(static_cast<int>(k)));
      if (!sum.defined()) {
        sum = entries[k] == Rational(1)
                  ? element
                  : element * Halide::Internal::make_const(type, entries[k].value());
      } else if (entries[k] == Rational(1)) {
        sum = sum + element;
      } else if (entries[k] == Rational(-1)) {
        sum = sum - element;
      } else {
        sum = sum + element * Halide::Internal::make_const(type, entries[k].value());
      }
    }
    sums.push_back(sum);
  }
  return sums.size() == 1 ? sums[0] : Halide::mux(row, sums);
}

/// Run-time values of one call; offsets and steps in elements.
struct TransformInputs {
  Halide::Func out;         ///< (e): output elements; the algorithm defines it
  Halide::Func in;          ///< (e): input elements
  Halide::Func pixel_in;    ///< (p): offset in `in` of a pixel's first input
  Halide::Func pixel_out;   ///< (p): offset in `out` of its first output
  Halide::Expr in_u, in_v;  ///< steps from input to input
  Halide::Expr out_u, out_v;
  Halide::Expr in_extent, out_extent;  ///< bounds for what Halide cannot infer from tables
  Halide::Expr pixels;
  Halide::Expr blocks;  ///< vectors of channels
  Halide::Type type;
  int lanes = 1;
};

/// The Funcs and Vars a schedule may name.
struct Transform {
  Halide::Var l{"l"}, i{"i"}, k{"k"}, b{"b"}, p{"p"}, e{"e"};
  Halide::Func along_u{"along_u"};  ///< (l, i, k, b, p): transformed along u, input k along v
  Halide::RDom t;                   ///< (l, i, j, b, p): the outputs, vector by vector
  Halide::Func out;                 ///< (e)

  /// @param channel of lane 0 of block b
  /// @param finish what becomes of a transformed value of channel c before it is stored
  template <typename Channel, typename Finish>
  Transform(const TransformInputs& in, const RationalMatrix& matrix_u,
            const RationalMatrix& matrix_v, Channel channel, Finish finish)
      : t(0, in.lanes, 0, rows(matrix_u), 0, rows(matrix_v), 0, in.blocks, 0, in.pixels, "t"),
        out(in.out) {
    using Halide::Expr;
    using Halide::unsafe_promise_clamped;

    const auto input = [&](const Expr& at_u) {
      const Expr at = in.pixel_in(p) + at_u * in.in_u + k * in.in_v + channel(b) + l;
      return in.in(unsafe_promise_clamped(at, 0, in.in_extent - 1));
    };
    along_u(l, i, k, b, p) = matrix_row(matrix_u, i, in.type, input);

    const Expr lane = t[0], at_u = t[1], at_v = t[2], block = t[3], pixel = t[4];
    const Expr value = matrix_row(matrix_v, at_v, in.type, [&](const Expr& from) {
      return along_u(lane, at_u, from, block, pixel);
    });
    const Expr c = channel(block) + lane;
    const Expr at = in.pixel_out(pixel) + at_u * in.out_u + at_v * in.out_v + c;
    out(e) = Halide::undef(in.type);
    out(unsafe_promise_clamped(at, 0, in.out_extent - 1)) = finish(value, c);
  }

 private:
  static int rows(const RationalMatrix& matrix) { return static_cast<int>(matrix.size()); }
};

}  // namespace upconv::generators
