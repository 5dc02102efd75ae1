// A layer of few output channels, as algorithms without a schedule: vectors lie along the output
// positions of a planar copy of x (docs/design.md, "Narrow outputs"), and weights are broadcast.
//
//   planar   x of a strip of positions, [ci][d][h][w] with zeros around the image: position (h, w)
//            of the strip is column h * pitch_w + w, so that a tap is a distance between columns
//   row      one output of every position: a phase of each axis and a channel
//   group    the rows of some phases and channels, whose sums are a register tile
//   piece    taps that some rows of a group have: of each axis those of its first phases, since
//            phases are in the order of their taps, most first
//
// so that with o an axis' origin of the row's phase
//
//   sums[row, column] = bias[c] + sum over (piece, j_d, j_h, j_w, ci) of
//                           planar[ci, column + reach - o - j * step] * w[row, j, ci]
//
// Pieces come in an order in which every row sums its taps in row-major order: that of all kernels.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "Halide.h"
#include "prefetch.h"

namespace upconv::generators {

/// Taps [0, taps) per axis (d, h, w) of a piece's rows, from the taps that `columns` is of.
struct PieceSums {
  std::array<int, 3> taps = {1, 1, 1};
  std::array<int, 3> phases = {1, 1, 1};         ///< of the group's, those that have the taps
  std::array<std::vector<int>, 3> columns = {};  ///< per phase: what the first tap adds to a column
  std::array<int, 3> steps = {};                 ///< what a tap takes from a column
  int weights_at = 0;                            ///< packed [j_d][j_h][j_w][ci][row]
};

struct NarrowInputs {
  Halide::Func planar = {};               ///< (i): elements from the first of the columns on
  Halide::Func values = {};               ///< (i): packed weights and biases
  int bias_at = 0;                        ///< of the group's first channel
  int input_size = 1, plane = 1;          ///< plane: elements from a channel to the next
  std::array<int, 3> phases = {1, 1, 1};  ///< of the group
  int channels = 1;                       ///< of the group
  std::vector<PieceSums> pieces = {};
  bool fused = true;  ///< the target has a fused multiply-add
  Halide::Type type = {};
  // What is needed next, brought nearer: from `ahead` on, `ahead_lines` lines of 64 bytes for each
  // register tile of `width` columns.
  Halide::Func ahead = {};  ///< (i): elements; undefined: nothing
  int ahead_lines = 0, width = 1, lanes = 1;
};

/// The sums of a group.
struct NarrowSums {
  Halide::Var column{"column"}, c{"c"}, w{"w"}, h{"h"}, d{"d"};
  Halide::Func sum{"sum"}, sums{"sums"};  ///< (column, channel, phase along w, h, d)

  explicit NarrowSums(const NarrowInputs& in) {
    using Halide::Expr;
    sum(column, c, w, h, d) = in.values(in.bias_at + c);
    int number = 0, fetched = 0;
    for (const PieceSums& piece : in.pieces) {
      // Rows first, as innermost: no loop over taps or inputs is moved over another.
      const Halide::RDom r(0, in.channels, 0, piece.phases[2], 0, piece.phases[1], 0,
                           piece.phases[0], 0, in.input_size, 0, piece.taps[2], 0, piece.taps[1], 0,
                           piece.taps[0], "r_" + std::to_string(number++));
      const Expr ci = r[4];
      Expr at = column + ci * in.plane, tap = 0, row = 0;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const Expr phase = r[static_cast<int>(3 - axis)], j = r[static_cast<int>(7 - axis)];
        at = at + pick(piece.columns[axis], phase) - j * piece.steps[axis];
        tap = tap * piece.taps[axis] + j;
        row = row * piece.phases[axis] + phase;
      }
      row = row * in.channels + r[0];
      const int rows = piece.phases[0] * piece.phases[1] * piece.phases[2] * in.channels;
      const Expr weight = in.values(piece.weights_at + (tap * in.input_size + ci) * rows + row);
      Expr x = in.planar(at);
      if (in.ahead.defined() && in.ahead_lines > fetched) {
        // A line for every other input channel of every tap, until all are on their way: more at
        // once would wait for each other.
        const int line = 64 / in.type.bytes(), lines = (in.input_size + 1) / 2;
        const Expr from = column / in.width * in.ahead_lines + fetched + tap * lines + ci / 2;
        const Expr once = r[0] == 0 && r[1] == 0 && r[2] == 0 && r[3] == 0 && ci % 2 == 0 &&
                          column % in.width < in.lanes;
        x = Halide::select(once, prefetching(start_of_input(in.ahead), from * line, x), x);
        fetched += piece.taps[0] * piece.taps[1] * piece.taps[2] * lines;
      }
      const Expr next = sum(column, r[0], r[1], r[2], r[3]) + x * weight;
      sum(column, r[0], r[1], r[2], r[3]) = in.fused ? next : Halide::strict_float(next);
    }
    sums(column, c, w, h, d) = sum(column, c, w, h, d);
  }

 private:
  /// The value of a list at an index that unrolling makes a constant.
  static Halide::Expr pick(const std::vector<int>& values, const Halide::Expr& index) {
    Halide::Expr value = values.front();
    for (std::size_t n = 1; n < values.size(); ++n) {
      if (values[n] == values[0]) continue;
      value = Halide::select(index == static_cast<int>(n), values[n], value);
    }
    return value;
  }
};

/// A row of x, [w][ci], as columns of planes; of y, planes of sums as [q][row].
struct Transposed {
  Halide::Var i{"i"}, k{"k"};
  Halide::Func square{"square"}, out{"out"};  ///< (i, k) = from(k, i)

  explicit Transposed(const Halide::Func& from) {
    square(i, k) = from(k, i);
    out(i, k) = square(i, k);
  }
};

}  // namespace upconv::generators
