// The winograd strategy of a compiled layer, as algorithms without a schedule: what upconvc puts
// into its loops over tiles (compiler/winograd_driver.cpp).
//
// winograd.h is told the pixels of many tiles in lists; here the layer's channels, extents and
// transforms are constants, and one pipeline is one tile, or the products of some tiles at one
// point. Along each axis d, h, w, with the matrices of toom_cook.h:
//
//   transform  out[i_d, i_h, i_w, c] = finish(sum over k of A_d[i_d][k_d] * A_h[i_h][k_h] *
//                                             A_w[i_w][k_w] * in[k_d, k_h, k_w, c])
//   product    of some tiles at a point, matrix_product.h
//   weights    at point a of an axis, a row of G for one of its phases, over the taps of the filter
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "Halide.h"
#include "pack_layer.h"
#include "winograd.h"

namespace upconv::generators {

/// A tile through a transform along every axis that has one.
struct TileTransform {
  /// Values between two axes, with their extents.
  struct Stage {
    Halide::Func values;  ///< (c, w, h, d)
    std::array<int, 3> extents;
  };
  Halide::Var c{"c"}, w{"w"}, h{"h"}, d{"d"};
  std::vector<Stage> stages;  ///< the last: transformed along all axes; empty where none has one
  Halide::Func out{"out"};    ///< (c, w, h, d)

  /// @param in (c, w, h, d): what is transformed
  /// @param matrices d first; [1] is no transform
  /// @param finish what becomes of a transformed value of channel c
  template <typename Finish>
  TileTransform(const Halide::Func& in, const std::array<RationalMatrix, 3>& matrices,
                Halide::Type type, Finish finish) {
    std::array<int, 3> extents;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      extents[axis] = static_cast<int>(matrices[axis].front().size());
    }
    Halide::Func from = in;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (is_identity(matrices[axis])) continue;
      extents[axis] = static_cast<int>(matrices[axis].size());
      const std::array<Halide::Var, 3> at = {d, h, w};
      Halide::Func next("along_" + std::to_string(axis));
      next(c, w, h, d) = matrix_row(matrices[axis], at[axis], type, [&](const Halide::Expr& k) {
        std::array<Halide::Expr, 3> index = {d, h, w};
        index[axis] = k;
        return from(c, index[2], index[1], index[0]);
      });
      stages.push_back({next, extents});
      from = next;
    }
    out(c, w, h, d) = finish(from(c, w, h, d), c);
  }

  static bool is_identity(const RationalMatrix& matrix) {
    return matrix.size() == 1 && matrix.front() == std::vector<Rational>{1};
  }
};

/// Outputs of a folded layer's tile, [d][h][w][channel of a group], as a row of y's phases has
/// them: some positions, of each some channels next to one another.
struct DealtRow {
  Halide::Var e{"e"}, w{"w"}, h{"h"}, d{"d"};
  Halide::Func out{"dealt"};  ///< (e, w, h, d)

  /// @param outputs (i), from the first position and channel on
  /// @param extents of the tile, d first
  DealtRow(const Halide::Func& outputs, const std::array<int, 3>& extents, int channels) {
    const int last = extents[0] * extents[1] * extents[2] * channels - 1;
    out(e, w, h, d) = outputs(Halide::unsafe_promise_clamped(
        e + ((d * extents[1] + h) * extents[2] + w) * channels, 0, last));
  }
};

/// An axis of the weights at their points: row a is the sum over its terms of factor * tap.
struct WeightAxis {
  struct Term {
    int tap = 0;  ///< of the filter; with combined phases that of the first one
    double factor = 0;
  };
  std::vector<std::vector<Term>> rows = {};  ///< all of one length
  int filter = 1;                            ///< taps of the kernel
  int combined = 1;                          ///< phases that are channels (pack_layer.h)
};

/// Kernel values at the points of all phases.
struct PointWeights {
  Halide::Var c{"c"}, ci{"ci"}, w{"w"}, h{"h"}, d{"d"}, b{"b"};
  Halide::Func packed{"packed_points"};  ///< (c, ci, w, h, d, b): block b of the part

  /// @param kernel (i): filter_shape ++ [input_size, output_size], C order
  /// @param output_size of the kernel
  /// @param padded the block has channels that the layer has not
  PointWeights(const Halide::Func& kernel, const std::array<WeightAxis, 3>& axes, int input_size,
               int output_size, int first_channel, int block_channels, bool padded,
               Halide::Type type) {
    using Halide::cast;
    using Halide::Expr;
    const std::array<Halide::Var, 3> at = {d, h, w};
    const Halide::Type wide = Halide::Float(64);
    const Expr zero = Halide::Internal::make_const(wide, 0);
    const int channels = axes[0].combined * axes[1].combined * axes[2].combined * output_size;
    const Expr own = first_channel + b * block_channels + c;
    const Expr channel = padded ? Halide::min(own, channels - 1) : own;
    const bool combines = channels > output_size;
    const std::array<Expr, 3> residue =
        residues(channel, {axes[0].combined, axes[1].combined, axes[2].combined}, output_size);
    const Expr co = combines ? channel % output_size : channel;
    Expr sum = zero;
    for (std::size_t j_d = 0; j_d < axes[0].rows[0].size(); ++j_d) {
      for (std::size_t j_h = 0; j_h < axes[1].rows[0].size(); ++j_h) {
        for (std::size_t j_w = 0; j_w < axes[2].rows[0].size(); ++j_w) {
          const std::array<std::size_t, 3> j = {j_d, j_h, j_w};
          Expr from = 0, factor = Halide::Internal::make_const(wide, 1);
          Expr exists = Halide::Internal::const_true();
          for (std::size_t axis = 0; axis < 3; ++axis) {
            const WeightAxis& of = axes[axis];
            Expr kernel_tap = tap(of, j[axis])(at[axis]);
            if (of.combined > 1) {
              kernel_tap = kernel_tap * of.combined + residue[axis];
              exists = exists && kernel_tap < of.filter;
              kernel_tap = Halide::min(kernel_tap, of.filter - 1);
            }
            from = from * of.filter + kernel_tap;
            factor = factor * this->factor(of, j[axis])(at[axis]);
          }
          from = (from * input_size + ci) * output_size + co;
          const Expr term =
              factor * cast(wide, kernel(Halide::unsafe_promise_clamped(from, 0, 2147483646)));
          sum += combines ? Halide::select(exists, term, zero) : term;
        }
      }
    }
    const Expr value = cast(type, sum);
    packed(c, ci, w, h, d, b) =
        padded ? Halide::select(own < channels, value, cast(type, zero)) : value;
  }

 private:
  /// Term j of every row, as a table.
  template <typename T, typename Value>
  static Halide::Func table(const WeightAxis& axis, Value value) {
    Halide::Buffer<T> buffer(static_cast<int>(axis.rows.size()));
    for (std::size_t a = 0; a < axis.rows.size(); ++a) {
      buffer(static_cast<int>(a)) = value(axis.rows[a]);
    }
    Halide::Var a("a");
    Halide::Func f;
    f(a) = buffer(Halide::unsafe_promise_clamped(a, 0, buffer.dim(0).extent() - 1));
    return f;
  }
  static Halide::Func tap(const WeightAxis& axis, std::size_t j) {
    return table<int>(axis, [j](const auto& row) { return row[j].tap; });
  }
  static Halide::Func factor(const WeightAxis& axis, std::size_t j) {
    return table<double>(axis, [j](const auto& row) { return row[j].factor; });
  }
};

}  // namespace upconv::generators
