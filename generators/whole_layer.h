// A box of a layer, as algorithms without a schedule: what the compiler `upconvc` specialises.
//
// conv_transpose.h is told the pixels of a phase in lists; here phases and borders are in tables,
// because the layer's channels, filter, stride and dilation are constants (batch and extents are
// constants or not). Along one axis, docs/design.md cuts the outputs of
// every phase into segments that reach the same taps. A table has a row per segment, and
//
//   box      a row of each axis' table, for a range of images: all its outputs reach the same taps
//   pixel    an output position of a box, counted row-major through images, d, h and w
//   tile     `height` pixels that are next to one another in that count
//
// so that for a pixel (q_d, q_h, q_w) of a box
//
//   y[q*s + output, co] = activation(bias[co] + sum over (j_d, j_h, j_w, ci) of
//                             x[q + input - j*step, ci] * w[first_tap + j, ci, co])
//
// with s the strides, step = d/g, and input, output and first_tap of the three rows. Nothing
// outside x is read, no zero is multiplied, and sums are in the order of all kernels: bias, taps,
// channels. A call of the pipeline computes a box for one block of channels; what calls it walks
// the rows of the tables and the blocks.
//
// Sums in pieces. Where the weights of a phase are too many for a cache, a box is the outputs that
// reach one tap, and a call takes some of the input channels: sums start with what y holds, and y
// holds them until the next piece. Pieces come in the order of summation. Of a block that is padded
// the sums of a piece start with nothing and are added to y, which has no room for more channels.
//
// Phases combined. Where the filter is a multiple of the stride s (or padded to one with zero taps)
// and the dilation is 1, all phases of an axis read the same inputs, so that a layer with few
// output channels is one with s times as many and stride 1: channel r * output_size + co of block q
// is output q*s + r. Along w these are neighbours in y; along h and d they are other rows. A block
// that the window cuts has outputs [low, high) of r only, which is two more columns of the table.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "Halide.h"
#include "prefetch.h"

namespace upconv::generators {

/// Tiles of combined phases are written to y as blocks (WholeLayer::writes_blocks).
/// @param one_row of y is what a block holds: phases of d and h are not combined
/// @param height of the tallest tile
constexpr bool writes_combined_blocks(bool one_row, int height) {
  constexpr int kMostPixels = 8;
  return one_row && height <= kMostPixels;
}

/// The columns of a table of segments.
enum SegmentColumn {
  kBegin,  ///< outputs q of [begin, end)
  kEnd,
  kFirstTap,  ///< of the axis' taps in packed order: phase by phase
  kTaps,      ///< taps that are reached
  kInput,     ///< output q reads input q + kInput - j * step
  kOutput,    ///< and is output q * stride + kOutput of y
  kLow,       ///< with combined phases, of its outputs those from low
  kHigh,      ///< to below high
  kSegmentColumns,
};

/// What is constant along one axis of a layer, and its extents in a call.
struct LayerAxis {
  int filter = 1, stride = 1, step = 1;  ///< step: input elements from tap to tap of a phase, d/g
  int combined = 1;                      ///< phases that are channels: 1, or the stride
  int taps_of_phase = 1;                 ///< the most taps that one phase has
  int segments = 1;                      ///< rows of the table
  Halide::Expr row;                      ///< the box'
  Halide::Expr input, output;            ///< extents of x and y
};

/// Along the slowest axis with more than one position, and the images: the part of a call whose x
/// is read again and again, and stays in cache.
struct SlabRange {
  Halide::Expr image_begin, image_end;
  int axis = 2;  ///< the one that is cut
  Halide::Expr q_begin, q_end;
};

/// The tiles of one height: their sums, and where they begin in x and y.
struct LayerTiles {
  int height = 1;
  Halide::Func sum = {};                    ///< (c, p, block, tile)
  Halide::Func finished = {};               ///< the same with the activation; by rows, or undefined
  Halide::Func pixel_x = {}, pixel_y = {};  ///< (p, tile): offsets of channel 0
  Halide::RDom outputs = {};                ///< (c, r_h, r_d, p, block, tile)
};

struct LayerInputs {
  Halide::Func x = {};      ///< (i): input elements, [image, d, h, w, ci] without gaps
  Halide::Func w = {};      ///< (c, ci, tap_w, tap_h, tap_d, b): packed weights of one part
  Halide::Func start = {};  ///< (i): what the sums of channel i of the part start with
  Halide::Func sums = {};   ///< (i): elements of y, with which they start instead; or undefined
  bool adds = false;        ///< to `sums` when they are complete, and they start with nothing
  /// (column, row) of the tables, d first. (No Funcs: loops end where they say.)
  std::array<std::function<Halide::Expr(int, Halide::Expr)>, 3> segments = {};
  std::array<LayerAxis, 3> axes = {};  ///< d, h, w
  SlabRange slab = {};
  int input_size = 1, output_size = 1;  ///< channels of x and of y
  Halide::Expr first_input = 0;         ///< the input channels that are summed
  Halide::Expr inputs = 1;
  // Of channels as they are computed, those of combined phases counted one by one.
  int first_channel = 0;          ///< of the first block
  int block_channels = 1;         ///< of a block in w
  int channels = 1;               ///< of them, those that are not padding
  Halide::Expr block = 0;         ///< the first that is computed
  int blocks = 1;                 ///< so many, for a tile one after the other
  int lanes = 1;                  ///< channels per vector
  std::vector<int> heights = {};  ///< of tiles, tallest first, 1 last
  /// (i): all packed weights, of which w's begin at packed_at: tiles ask for the weights of the
  /// next call (prefetch.h). Undefined: they do not.
  Halide::Func packed = {};
  int packed_at = 0;
  int tiles = 1;  ///< that read them, in most calls
  /// (i): elements of x and y, where these are in memory and phases have one tap: tiles ask for
  /// the next one's x and their own y. Undefined: they do not.
  Halide::Func near_x = {}, near_y = {};
  bool fused = true;  ///< the target has a fused multiply-add
  Halide::Type type = {};
};

/// Defines y(i), the scatter of the outputs of a box; a stage per height of tile, since the pixels
/// of a box that the tallest tiles leave over are one lower tile.
class WholeLayer {
 public:
  Halide::Var c{"c"}, p{"p"}, b{"b"}, t{"t"}, i{"i"};
  Halide::Func y{"y"};
  std::vector<LayerTiles> tiles;  ///< the tallest, then those for the rest of a box

  /// @param finish the activation of a sum
  template <typename Finish>
  WholeLayer(const LayerInputs& in, Finish finish) : in_(in) {
    y(i) = Halide::undef(in.type);
    for (std::size_t n = 0; n <= in.heights.size(); ++n) {
      const bool rest = n > 0;
      const int height = in.heights[rest ? n - 1 : 0];
      const int lower = rest && n < in.heights.size() ? in.heights[n] : 0;
      // A rest is less than the tallest tile, which serves only those above the next height.
      if (writes_blocks()) add_tiles(height, rest, lower, false, finish);
      if (combines()) add_tiles(height, rest, lower, true, finish);
    }
  }

 private:
  using Expr = Halide::Expr;
  static constexpr int kMostElements = 2147483647;

  static Expr inside(const Expr& at) {
    return Halide::unsafe_promise_clamped(at, 0, kMostElements - 1);
  }

  Expr segment(int axis, int column) const {
    const LayerAxis& of = in_.axes[axis];
    return in_.segments[axis](column, Halide::unsafe_promise_clamped(of.row, 0, of.segments - 1));
  }
  /// Outputs q of a segment within the slab: the first, and how many.
  Expr first(int axis) const {
    const Expr begin = segment(axis, kBegin);
    return cut(axis) ? Halide::max(begin, in_.slab.q_begin) : begin;
  }
  Expr length(int axis) const {
    const Expr end = segment(axis, kEnd);
    return (cut(axis) ? Halide::min(end, in_.slab.q_end) : end) - first(axis);
  }
  bool cut(int axis) const { return axis == in_.slab.axis && in_.slab.q_begin.defined(); }

  /// Pixels of the box.
  Expr pixels() const {
    Expr count = in_.slab.image_end - in_.slab.image_begin;
    for (int axis = 0; axis < 3; ++axis) count = count * Halide::max(length(axis), 0);
    return count;
  }

  /// Offsets in x and y of pixel `at` of a box. The division is one in double precision, which is
  /// exact for 32-bit numbers with half a unit of distance to the next integer, and has vectors.
  void define_pixels(LayerTiles& of, const Expr& at) const {
    const auto quotient = [](const Expr& a, const Expr& by) {
      const auto real = [](const Expr& value) { return Halide::cast<double>(value); };
      const Expr one = Halide::cast<double>(1), half = Halide::cast<double>(0.5F);
      return Halide::cast<int>(Halide::strict_float((real(a) + half) * (one / real(by))));
    };
    Expr rest = Halide::min(at, pixels() - 1), q[3];
    for (int axis = 2; axis >= 0; --axis) {
      const bool last = trivial(axis - 1);
      const Expr count = length(axis);
      const Expr next = last ? Expr(0) : quotient(rest, count);
      q[axis] = last ? rest : rest - next * count;
      rest = next;
    }
    const Expr image = in_.slab.image_begin + rest;
    Expr from = image, to = image;
    for (int axis = 0; axis < 3; ++axis) {
      const Expr position = first(axis) + q[axis];
      from = from * in_.axes[axis].input + position + segment(axis, kInput);
      to = to * in_.axes[axis].output + position * in_.axes[axis].stride + segment(axis, kOutput);
    }
    of.pixel_x(p, t) = from * in_.input_size;
    of.pixel_y(p, t) = to * in_.output_size;
  }
  /// There is one position along this axis and all slower ones, the images (axis -1) included.
  bool trivial(int axis) const {
    if (!Halide::Internal::is_const_one(
            Halide::Internal::simplify(in_.slab.image_end - in_.slab.image_begin))) {
      return false;
    }
    for (int slower = 0; slower <= axis; ++slower) {
      if (!Halide::Internal::is_const_one(in_.axes[slower].input) ||
          !Halide::Internal::is_const_one(in_.axes[slower].output)) {
        return false;
      }
    }
    return true;
  }

  /// `x`, with a hint for what lies behind the weights that the call reads, which are one run: the
  /// next piece or tap, or the next phase of w.
  Expr bringing_next_panel(const Expr& x, const Halide::RDom& r) const {
    Expr first = b, taps = 1, row = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const Expr of_axis = segment(axis, kTaps);
      first = first * in_.axes[axis].filter + segment(axis, kFirstTap);
      taps = taps * of_axis;
      row = row * of_axis + r[3 - axis];
    }
    const PanelHints hints{.tile = t,
                           .tiles = in_.tiles,
                           .rows = taps * in_.inputs,
                           .row = row * in_.inputs + r[0],
                           .ci = r[0],
                           .lines = PanelHints::lines_of(in_.block_channels, in_.type)};
    const Expr panel = first * in_.input_size + in_.first_input + hints.rows;
    return hints.beside(x, p == 0 && c < in_.lanes, in_.packed,
                        in_.packed_at + panel * in_.block_channels);
  }

  /// With combined phases of h and d, a block holds so many rows of y.
  int rows() const { return in_.axes[1].combined * in_.axes[0].combined; }
  int row_channels() const { return in_.channels / rows(); }
  /// Elements of y from a block's first row to another.
  Expr row_offset(const Expr& h, const Expr& d) const {
    return (d * in_.axes[1].output + h) * (in_.axes[2].output * in_.output_size);
  }

  /// `x`, with hints for the next tile's inputs and this tile's outputs.
  Expr bringing_next_tile(const Expr& x, const LayerTiles& of, const Halide::RDom& r) const {
    const TileHints hints{.row = r[0],
                          .pixels = of.height,
                          .x = start_of_input(in_.near_x),
                          .y = start_of_input(in_.near_y),
                          .next_x = of.pixel_x(0, t) + of.height * in_.input_size,
                          .type = in_.type};
    const int lines = PanelHints::lines_of(row_channels(), in_.type);
    const Expr row = hints.line() / lines, pixel = Halide::min(row / rows(), of.height - 1);
    const Expr y_at = of.pixel_y(pixel, t) + in_.first_channel + b * in_.block_channels +
                      row_offset(row % in_.axes[1].combined, row % rows() / in_.axes[1].combined) +
                      hints.line() % lines * hints.line_elements();
    return hints.beside(x, p == 0 && c < in_.lanes, y_at);
  }

  /// @param by_rows sums of combined phases, which go to y row by row, some of them outside the
  ///        window. (Of phases of w alone that may be for boxes that the window cuts: in the
  ///        others, a block's channels are neighbours.)
  template <typename Finish>
  void add_tiles(int height, bool rest, int lower, bool by_rows, Finish finish) {
    using namespace Halide;
    const std::string name =
        std::to_string(height) + (rest ? "_rest" : "_tall") + (by_rows ? "_by_rows" : "");
    const int tallest = in_.heights[0];
    LayerTiles of{.height = height,
                  .sum = Func("sum_" + name),
                  .pixel_x = Func("pixel_x_" + name),
                  .pixel_y = Func("pixel_y_" + name)};
    // A rest begins where the tall tiles end.
    define_pixels(of, rest ? pixels() / tallest * tallest + p : t * height + p);

    RDom r(0, in_.inputs, 0, in_.axes[2].taps_of_phase, 0, in_.axes[1].taps_of_phase, 0,
           in_.axes[0].taps_of_phase, "r_" + name);
    const RVar j[3] = {r[3], r[2], r[1]};
    const Expr ci = in_.first_input + r[0];
    Expr from = of.pixel_x(p, t) + ci, tap[3], stride = in_.input_size;
    for (int axis = 2; axis >= 0; --axis) {
      r.where(j[axis] < segment(axis, kTaps));
      from = from - j[axis] * (stride * in_.axes[axis].step);
      stride = stride * in_.axes[axis].input;
      tap[axis] =
          unsafe_promise_clamped(segment(axis, kFirstTap) + j[axis], 0, in_.axes[axis].filter - 1);
    }
    const Expr at = b * in_.block_channels + c;
    if (in_.adds) {
      of.sum(c, p, b, t) = Internal::make_zero(in_.type);
    } else {
      of.sum(c, p, b, t) = in_.sums.defined()
                               ? in_.sums(inside(of.pixel_y(p, t) + in_.first_channel + at))
                               : in_.start(at);
    }
    Expr x = in_.x(inside(from));
    if (in_.packed.defined() && !rest) x = bringing_next_panel(x, r);
    if (in_.near_x.defined() && !rest) x = bringing_next_tile(x, of, r);
    const Expr next = of.sum(c, p, b, t) + x * in_.w(c, ci, tap[2], tap[1], tap[0], b);
    of.sum(c, p, b, t) = in_.fused ? next : strict_float(next);

    // All tiles that fit, or one for a rest of this height.
    const int rows_h = in_.axes[1].combined, rows_d = in_.axes[0].combined;
    const Expr count = pixels();
    Expr tiles_of_box =
        rest ? cast<int>(count % tallest > lower && count % tallest <= height) : count / tallest;
    if (combines() && writes_blocks()) {
      const Expr is_cut = segment(2, kLow) > 0 || segment(2, kHigh) < in_.axes[2].combined;
      tiles_of_box = select(by_rows ? is_cut : !is_cut, tiles_of_box, 0);
    }
    RDom u(0, row_channels(), 0, rows_h, 0, rows_d, 0, height, in_.block, in_.blocks, 0,
           tiles_of_box, "u_" + name);
    const Expr lane = in_.first_channel + u[4] * in_.block_channels + u[0];  // of a row of y
    Expr to = of.pixel_y(u[3], u[5]) + lane;
    if (!by_rows) {
      Expr value = of.sum(u[0], u[3], u[4], u[5]);
      if (in_.adds) {
        value = in_.sums(inside(to)) + value;
        // The last pixel is repeated where a rest does not fill its tile, and counts once.
        if (rest) u.where(u[3] < count % tallest);
      }
      y(inside(to)) = finish(value);
    } else {
      of.finished = Func("finished_" + name);
      of.finished(c, p, b, t) = finish(of.sum(c, p, b, t));
      const auto require = [&](int axis, const Expr& index, int unit) {
        if (in_.axes[axis].combined == 1) return;
        u.where(index >= segment(axis, kLow) * unit);
        u.where(index < segment(axis, kHigh) * unit);
      };
      require(0, u[2], 1);
      require(1, u[1], 1);
      require(2, lane, in_.output_size);
      to = to + row_offset(u[1], u[2]);
      y(inside(to)) = of.finished((u[2] * rows_h + u[1]) * row_channels() + u[0], u[3], u[4], u[5]);
    }
    of.outputs = u;
    tiles.push_back(of);
  }

 public:
  bool combines() const {
    return in_.axes[0].combined * in_.axes[1].combined * in_.axes[2].combined > 1;
  }
  /// Some boxes have the channels of a block next to one another in y. (Where phases are combined,
  /// not for tall tiles: their pointers would not stay in registers while they are summed.)
  bool writes_blocks() const {
    return !combines() ||
           writes_combined_blocks(in_.axes[0].combined * in_.axes[1].combined == 1, in_.heights[0]);
  }

 private:
  LayerInputs in_;
};

}  // namespace upconv::generators
