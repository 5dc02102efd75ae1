// Transposed convolution for a GPU, whole: all phases in one launch, as an algorithm without a
// schedule.
//
// Phases and taps are those of conv_transpose.h. A GPU has no use for lists of pixels that another
// processor writes; here an output is counted: *position* number n of a phase is an image and a q
// per axis,
//
//   y[s*q + r - offset, co] = clamp(bias[co] + sum over (j_d, j_h, j_w, ci) of
//                             x[q - o0 - j*(d/g), ci] * w[t0 + j*(s/g), ci, co] + residual)
//
// for residues r and positions alike, where s*q + r lies in the window. x is 0 outside of the
// input, and so is what is not a tap: positions of a tile need not reach the same inputs. All that
// says where something lies is a run-time value, so one kernel serves every layer of ranks 1 to 3.
#pragma once

#include <array>

#include "Halide.h"

namespace upconv::generators {

/// One axis of a call.
struct GpuAxis {
  Halide::Expr input, output;           ///< lengths
  Halide::Expr filter, stride, offset;  ///< offset: where the window begins
  Halide::Expr first_q, positions;      ///< all q that some phase has in the window
  Halide::Expr tap_step, input_step;    ///< s/g and d/g
  Halide::Expr inverse;                 ///< of d/g modulo s/g
};

/// The taps of one phase of an axis, as phases.h has them.
struct GpuTaps {
  Halide::Expr count, first, origin;  ///< first: t0, origin: o0

  GpuTaps(const GpuAxis& axis, const Halide::Expr& residue) {
    const Halide::Expr gcd = axis.stride / axis.tap_step;
    first = residue / gcd * axis.inverse % axis.tap_step;
    origin = (first * axis.input_step * gcd - residue) / axis.stride;
    const Halide::Expr taps = (axis.filter - first + axis.tap_step - 1) / axis.tap_step;
    count = Halide::select(residue % gcd == 0, Halide::max(taps, 0), 0);
  }
};

/// Run-time values of one call. Tensors are dense, in row-major order.
struct GpuInputs {
  Halide::Func x;         ///< (i): [images, d, h, w, input_size]
  Halide::Func w;         ///< (i): [t_d, t_h, t_w, input_size, output_size]
  Halide::Func bias;      ///< (i): [output_size]
  Halide::Func residual;  ///< (i): as y, or anything where residual_size is 0
  Halide::Expr x_size, w_size, y_size, residual_size;  ///< elements
  Halide::Expr images, input_size, output_size;
  Halide::Expr min, max;  ///< the clamp
  GpuAxis axes[3];        ///< d, h, w
};

/// What one block of threads computes, and how it is divided among them.
struct GpuTile {
  int thread_channels = 4, thread_pixels = 4;      ///< sums of a thread
  int threads_channels = 16, threads_pixels = 16;  ///< threads along each
  int depth = 16;                                  ///< input channels at a time

  int channels() const { return thread_channels * threads_channels; }
  int pixels() const { return thread_pixels * threads_pixels; }
};

/// The Funcs and Vars a schedule may name.
struct GpuPhases {
  Halide::Var p{"p"}, k{"k"}, c{"c"}, column{"column"};
  Halide::Var ci_block{"ci_block"}, j_w{"j_w"}, j_h{"j_h"}, j_d{"j_d"};
  Halide::Var cc{"cc"}, pp{"pp"}, tx{"tx"}, ty{"ty"}, i{"i"};
  /// (column, p, tile, phase): what the first tap of a position reads, d, h, w; its image; and its
  /// pixel of y, -1 for none.
  Halide::Func position{"position"};
  Halide::Func xs{"xs"};    ///< (p, k, ...): x as a tile reads it
  Halide::Func ws{"ws"};    ///< (c, k, ...): w as a block of channels reads it
  Halide::Func sum{"sum"};  ///< (cc, pp, tx, ty, block, tile, phase): the accumulators
  Halide::Func y{"y"};      ///< (i)
  Halide::RDom r;           ///< (k, ci_block, j_w, j_h, j_d): the reduction
  Halide::RDom out;         ///< (cc, pp, tx, ty, block, tile, phase): the outputs

  GpuPhases(const GpuInputs& in, const GpuTile& tile, const Halide::Func& output) : y(output) {
    using Halide::clamp;
    using Halide::Expr;
    using Halide::RDom;
    using Halide::select;
    using Halide::strict_float;
    using Halide::unsafe_promise_clamped;
    using Halide::Var;
    const GpuAxis(&a)[3] = in.axes;
    const Var block{"block"}, t{"t"}, f{"f"};
    const Expr positions = in.images * a[0].positions * a[1].positions * a[2].positions;

    // Number f of all phases is a residue per axis.
    const auto residue_of = [&](const Expr& f, int axis) {
      if (axis == 2) return f % a[2].stride;
      return axis == 1 ? f / a[2].stride % a[1].stride : f / a[2].stride / a[1].stride;
    };
    const std::array taps = {GpuTaps(a[0], residue_of(f, 0)), GpuTaps(a[1], residue_of(f, 1)),
                             GpuTaps(a[2], residue_of(f, 2))};
    const auto most_taps = [](const GpuAxis& axis) {
      return (axis.filter + axis.tap_step - 1) / axis.tap_step;
    };

    const Expr n = t * tile.pixels() + p;
    const Expr row = n / a[2].positions, plane = row / a[1].positions;
    const Expr image = plane / a[0].positions;
    const Expr counted[3] = {plane % a[0].positions, row % a[1].positions, n % a[2].positions};
    Expr input[3], pixel = image, in_window = n < positions;
    for (int axis = 0; axis < 3; ++axis) {
      const Expr q = counted[axis] + a[axis].first_q;
      const Expr o = q * a[axis].stride + residue_of(f, axis) - a[axis].offset;
      input[axis] = q - taps[axis].origin;
      pixel = pixel * a[axis].output + o;
      in_window = in_window && o >= 0 && o < a[axis].output;
    }
    position(column, p, t, f) =
        Halide::mux(column, {input[0], input[1], input[2], image, select(in_window, pixel, -1)});

    const Expr j[3] = {j_d, j_h, j_w}, ci = ci_block * tile.depth + k;
    Expr inside = n < positions && ci < in.input_size, at = position(3, p, t, f), tap = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const Expr from = position(axis, p, t, f) - j[axis] * a[axis].input_step;
      inside = inside && from >= 0 && from < a[axis].input;
      at = at * a[axis].input + from;
      tap = tap * a[axis].filter + taps[axis].first + j[axis] * a[axis].tap_step;
    }
    // An index is 0 where nothing is read, since it may be read all the same.
    const auto element = [](const Halide::Func& of, const Expr& wanted, const Expr& index,
                            const Expr& size) {
      return select(wanted, of(unsafe_promise_clamped(select(wanted, index, 0), 0, size - 1)),
                    0.0f);
    };
    xs(p, k, ci_block, j_w, j_h, j_d, t, f) =
        element(in.x, inside, at * in.input_size + ci, in.x_size);
    const Expr co = block * tile.channels() + c;
    ws(c, k, ci_block, j_w, j_h, j_d, block, f) =
        element(in.w, ci < in.input_size && co < in.output_size,
                (tap * in.input_size + ci) * in.output_size + co, in.w_size);

    // The order of summation of all direct strategies: bias, taps in row-major order, channels.
    r = RDom(0, tile.depth, 0, (in.input_size + tile.depth - 1) / tile.depth, 0, most_taps(a[2]), 0,
             most_taps(a[1]), 0, most_taps(a[0]), "r");
    for (int axis = 0; axis < 3; ++axis) r.where(r[4 - axis] < taps[axis].count);
    const Expr own_c = tx * tile.thread_channels + cc, own_p = ty * tile.thread_pixels + pp;
    sum(cc, pp, tx, ty, block, t, f) = in.bias(unsafe_promise_clamped(
        Halide::min(block * tile.channels() + own_c, in.output_size - 1), 0, in.output_size - 1));
    sum(cc, pp, tx, ty, block, t, f) += xs(own_p, r[0], r[1], r[2], r[3], r[4], t, f) *
                                        ws(own_c, r[0], r[1], r[2], r[3], r[4], block, f);

    const Expr blocks = (in.output_size + tile.channels() - 1) / tile.channels();
    const Expr tiles = (positions + tile.pixels() - 1) / tile.pixels();
    out = RDom(0, tile.thread_channels, 0, tile.thread_pixels, 0, tile.threads_channels, 0,
               tile.threads_pixels, 0, tiles, 0, blocks, 0, a[0].stride * a[1].stride * a[2].stride,
               "out");
    const Expr own = out[3] * tile.thread_pixels + out[1];
    const Expr channel = out[5] * tile.channels() + out[2] * tile.thread_channels + out[0];
    const Expr written = position(4, own, out[4], out[6]);
    out.where(channel < in.output_size);
    out.where(written >= 0);
    const Expr to = unsafe_promise_clamped(written * in.output_size + channel, 0, in.y_size - 1);
    const Expr value = sum(out[0], out[1], out[2], out[3], out[5], out[4], out[6]) +
                       element(in.residual, to < in.residual_size, to, in.y_size);
    // Comparisons, not min and max: a NaN must come out as NaN.
    const Expr raised = select(strict_float(value < in.min), in.min, value);
    y(i) = Halide::undef<float>();
    y(to) = select(strict_float(raised > in.max), in.max, raised);
  }
};

}  // namespace upconv::generators
