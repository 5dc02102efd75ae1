// Transposed convolution, one phase at a time, as an algorithm without a schedule.
//
// Along one axis, write an index of the full result as z = s*q + r, with 0 <= r < s the phase. The
// taps of phase r are t0 + j*(s/g), g = gcd(s, d), and tap j reads input q - o0 - j*(d/g) (see
// docs/design.md). For outputs q whose tap range is the same, a phase is therefore a dense sum:
//
//   y[q, co] = clamp(init[co] + sum over (j_d, j_h, j_w, ci) of
//                        x[q - o0 - j*(d/g), ci] * w[j_d, j_h, j_w, ci, co])
//
// in which every product is needed: no inserted zero, no tap that falls outside the input. The
// caller lists the outputs ("pixels") as offsets into x and y, so one kernel serves every rank,
// batch, stride, dilation, window and memory layout with contiguous channels.
#pragma once

#include "Halide.h"
#include "prefetch.h"

namespace upconv::generators {

/// Run-time values of one call. Extents and steps in row-major order d, h, w.
struct PhaseInputs {
  Halide::Func y;           ///< (i): output elements; the algorithm defines it
  Halide::Func x;           ///< (i): input elements
  Halide::Func w;           ///< (c, ci, j_w, j_h, j_d, b): weights of a block of channels b
  Halide::Func init;        ///< (i): what the sums start with
  Halide::Func pixel_x;     ///< (p): offset in x of what the first tap of pixel p reads
  Halide::Func pixel_init;  ///< (p): offset in init of channel 0 of pixel p
  Halide::Func pixel_y;     ///< (p): offset in y of channel 0 of pixel p
  /// Where the rows (tap, ci) are listed: (k): what is added to pixel_x and to the place in w, then
  /// (i): weights, for row k. In their stead, input_size to tap_x have no meaning.
  Halide::Func row_x, row_w;
  Halide::Expr rows;        ///< of these
  Halide::Expr input_size;  ///< input channels
  Halide::Expr taps[3];     ///< taps per axis
  Halide::Expr tap_x[3];    ///< step in x from tap to tap
  Halide::Expr min, max;    ///< the clamp
  Halide::Expr x_extent, init_extent, y_extent,
      w_extent;                ///< bounds for what Halide cannot infer from tables
  Halide::Expr tiles, blocks;  ///< pixels / tile_pixels, blocks of channels
  int block_channels;          ///< channels per block
  Halide::Expr block_init;     ///< step in init from block to block
  Halide::Expr block_y;        ///< step in y from block to block
  int tile_pixels;             ///< pixels per tile; the lists are padded to whole tiles
  int lanes;                   ///< channels per vector
  bool prefetch = false;       ///< bring the next panel of weights nearer; w is packed
  Halide::Expr far;            ///< bring x and y nearer; undefined: never
  Halide::Expr block_w;        ///< step in w from block to block
  Halide::Type type;           ///< of x, w, init and y
  bool fused;                  ///< the target has a fused multiply-add
};

/// The Funcs and Vars a schedule may name.
struct Phase {
  Halide::Var c{"c"}, p{"p"}, b{"b"}, i{"i"};
  Halide::RDom r;           ///< (ci, j_w, j_h, j_d), the innermost first, or (k): the reduction
  Halide::RDom t;           ///< (c, p, tile, block): the outputs, tile by tile
  Halide::Func sum{"sum"};  ///< (c, p, b): the accumulators
  Halide::Func y;           ///< (i): output elements
  /// For a schedule to specialize: there is one tap, as in products of other strategies, and no
  /// loop over taps is needed. Undefined where rows are listed.
  Halide::Expr one_tap;
  /// As well: that of PanelHints. Undefined where there are no hints.
  Halide::Expr few_tiles;
  /// And these, where hints can differ.
  Halide::Expr fewest_tiles;
  /// Where there is one tap: hints at x and y pay. Undefined where they never do.
  Halide::Expr far;

  explicit Phase(const PhaseInputs& in)
      : r(rows(in)),
        t(0, in.block_channels, 0, in.tile_pixels, 0, in.tiles, 0, in.blocks, "t"),
        y(in.y) {
    using Halide::cast;
    using Halide::Expr;
    using Halide::select;
    using Halide::strict_float;
    using Halide::unsafe_promise_clamped;

    // One fixed order of summation: bias, taps in row-major order, input channels.
    Expr row_x, w;
    if (is_listed(in)) {
      row_x = in.row_x(r[0]);
      w = in.w(unsafe_promise_clamped(in.row_w(r[0]) + b * in.block_w + c, 0, in.w_extent - 1));
    } else {
      Expr ci = r[0], j_w = r[1], j_h = r[2], j_d = r[3];
      row_x = j_d * in.tap_x[0] + j_h * in.tap_x[1] + j_w * in.tap_x[2] + ci;
      w = in.w(c, ci, j_w, j_h, j_d, b);
      one_tap = has_one_tap(in);
    }
    Expr x = in.x(unsafe_promise_clamped(in.pixel_x(p) + row_x, 0, in.x_extent - 1));
    if (in.prefetch) x = bringing_next_panel(in, x);
    if (in.far.defined()) {
      far = in.far;
      x = bringing_next_tile(in, x);
    }
    sum(c, p, b) = in.init(
        unsafe_promise_clamped(in.pixel_init(p) + b * in.block_init + c, 0, in.init_extent - 1));
    // A chain of fused operations keeps its order; separate products and sums would be reassociated
    // by Halide's default float rules. (strict_float everywhere would forbid to fuse them.)
    Expr next = sum(c, p, b) + x * w;
    sum(c, p, b) = in.fused ? next : strict_float(next);

    // Comparisons, not min and max: a NaN must come out as NaN. (One after the other, each is one
    // instruction.)
    Expr pixel = t[2] * in.tile_pixels + t[1];
    Expr value = sum(t[0], pixel, t[3]);
    Expr low = cast(in.type, in.min), high = cast(in.type, in.max);
    Expr raised = select(strict_float(value < low), low, value);
    Expr clamped = select(strict_float(raised > high), high, raised);
    Expr co = t[3] * in.block_y + t[0];
    y(i) = Halide::undef(in.type);
    y(unsafe_promise_clamped(in.pixel_y(pixel) + co, 0, in.y_extent - 1)) = clamped;
  }

 private:
  /// `x`, with a hint for the next panel: that of the next block, or, after the last, what follows
  /// the first block's.
  Halide::Expr bringing_next_panel(const PhaseInputs& in, const Halide::Expr& x) {
    using Halide::Expr;
    const Expr rows = in.taps[0] * in.taps[1] * in.taps[2] * in.input_size;
    const Expr panel = select(b + 1 < in.blocks, (b + 1) * in.block_w, rows * in.block_channels);
    const PanelHints hints{
        .tile = p / in.tile_pixels,
        .tiles = in.tiles,
        .rows = rows,
        .row = ((r[3] * in.taps[1] + r[2]) * in.taps[2] + r[1]) * in.input_size + r[0],
        .ci = r[0],
        .lines = PanelHints::lines_of(in.block_channels, in.type)};
    few_tiles = hints.few_tiles();
    if (hints.lines > 1) fewest_tiles = hints.fewest_tiles();
    return hints.beside(x, p % in.tile_pixels == 0 && c < in.lanes, in.w, panel);
  }

  /// `x`, with hints for the next tile's inputs and this tile's outputs. With several taps most
  /// inputs are near, since other outputs have read them.
  Halide::Expr bringing_next_tile(const PhaseInputs& in, const Halide::Expr& x) const {
    using Halide::Expr;
    const int pixels = in.tile_pixels;
    const Expr this_tile = p / pixels, next_tile = min(this_tile + 1, in.tiles - 1);
    const TileHints hints{.row = r[0],
                          .pixels = pixels,
                          .x = start_of_input(in.x),
                          .y = start_of_output(in.y),
                          .next_x = in.pixel_x(next_tile * pixels),
                          .type = in.type};
    const int y_lines = PanelHints::lines_of(in.block_channels, in.type);
    const Expr pixel = this_tile * pixels + min(hints.line() / y_lines, pixels - 1);
    const Expr y_at =
        in.pixel_y(pixel) + b * in.block_y + hints.line() % y_lines * hints.line_elements();
    Expr once = one_tap && far;
    if (few_tiles.defined()) once = once && !few_tiles;
    return hints.beside(x, once && p % pixels == 0 && c < in.lanes, y_at);
  }

  static bool is_listed(const PhaseInputs& in) { return in.row_x.defined(); }

  static Halide::RDom rows(const PhaseInputs& in) {
    if (is_listed(in)) return {0, in.rows, "r"};
    return {0, in.input_size, 0, taps(in, 2), 0, taps(in, 1), 0, taps(in, 0), "r"};
  }

  static Halide::Expr has_one_tap(const PhaseInputs& in) {
    return in.taps[0] * in.taps[1] * in.taps[2] == 1;
  }

  /// Known where one_tap is.
  static Halide::Expr taps(const PhaseInputs& in, int axis) {
    return select(has_one_tap(in), 1, in.taps[axis]);
  }
};

}  // namespace upconv::generators
