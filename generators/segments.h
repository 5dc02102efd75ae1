// The table of segments of an axis, as an algorithm: for extents that are arguments of a call.
//
// With o0 the origin of a phase, T = d/g and i the input length, tap j of the phase reads inside
// the input for outputs q of [o0 + j*T, o0 + i + j*T). These 2n ends, in order, cut the outputs
// into 2n + 1 segments that reach the same taps. Both runs of ends are T apart, so their order has
// a closed form: the begins of the taps that come before tap 0 ends, D = min(n, ceil(i/T)) of them,
// then an end and a begin in turn, then the remaining ends.
#pragma once

#include <cstdint>
#include <limits>

#include "Halide.h"
#include "whole_layer.h"

namespace upconv::generators {

struct SegmentInputs {
  Halide::Func residue;                     ///< (k): of the phases that the table has
  Halide::Func taps, taps_before, origin;   ///< (k): of these
  int phases = 1;                           ///< of them
  int combined = 1;                         ///< phases that are one, of residue 0; or 1
  int stride = 1, step = 1, most_taps = 1;  ///< step: d/g
  Halide::Expr input, output, offset;       ///< extents of x and y, the window's offset
};

/// Row e = k * (2 * most_taps + 1) + m is segment m of phase k, whose residue is r.
/// With combined phases there is one, and each segment three rows: the first block of the window,
/// the last, and those between.
/// @return table(column, e)
inline Halide::Func segment_table(const SegmentInputs& in) {
  using Halide::Expr;
  using Halide::max;
  using Halide::min;
  using Halide::select;
  Halide::Var column("column"), e("e");
  const int rows = 2 * in.most_taps + 1;
  const int parts = in.combined > 1 ? 3 : 1;
  const Expr part = e % parts, m = e / parts % rows;
  const Expr k = Halide::unsafe_promise_clamped(e / (rows * parts), 0, in.phases - 1);
  const Expr r = in.residue(k), n = in.taps(k), o0 = in.origin(k), i = in.input;
  const int s = in.stride, step = in.step;
  const Expr before = min(n, (i + step - 1) / step);

  const auto end_of = [&](const Expr& at) {  // the at-th of the 2n ends in order
    const Expr turn = at - before;
    return select(at < before, o0 + at * step,                         //
                  turn >= 2 * (n - before), o0 + i + (at - n) * step,  //
                  turn % 2 == 0, o0 + i + turn / 2 * step,             //
                  o0 + (before + turn / 2) * step);
  };
  const Expr begun = select(m <= before, m, min(n, before + (m - before) / 2));
  const Expr ended = select(m <= before, 0, max((m - before + 1) / 2, m - n));

  // The outputs of the phase that the window holds.
  const bool combines = in.combined > 1;
  const int width = in.combined;
  const Expr first = combines ? in.offset / width : (in.offset - r + s - 1) / s;
  const Expr last = max(first, combines ? (in.offset + in.output - 1) / width + 1
                                        : (in.offset + in.output - 1 - r) / s + 1);
  const Expr begin =
      select(m == 0, first, m > 2 * n, last, Halide::clamp(end_of(m - 1), first, last));
  const Expr end = select(m >= 2 * n, last, Halide::clamp(end_of(m), first, last));

  // Of combined phases, the part of a segment that is the window's first block, and so on.
  const Expr inner = min(first + 1, last), outer = max(last - 1, inner);
  const Expr from =
      combines ? max(begin, select(part == 0, first, part == 1, inner, outer)) : begin;
  const Expr to = combines ? min(end, select(part == 0, inner, part == 1, outer, last)) : end;
  const Expr block = select(part == 0, first, last - 1) * width;
  const Expr low = select(part == 1, 0, max(in.offset - block, 0));
  const Expr high = select(part == 1, width, min(in.offset + in.output - block, width));

  Halide::Func table("segments");
  table(column, e) = Halide::mux(
      column, {from, max(from, to), in.taps_before(k) + ended, max(begun - ended, 0),
               -(o0 + ended * step), combines ? Expr(-in.offset) : r - in.offset, low, high});
  table.bound(column, 0, kSegmentColumns).reorder(column, e).unroll(column);
  return table;
}

struct ReachInputs {
  Halide::Func residue, reach;  ///< (t): of packed tap t: its phase's; output q reads q - reach
  int taps = 1, stride = 1;
  Halide::Expr input, output, offset;
};

/// Row t is the outputs that reach tap t, for sums in pieces. @return table(column, t)
inline Halide::Func reach_table(const ReachInputs& in) {
  using Halide::Expr;
  Halide::Var column("column"), t("t");
  const Expr tap = Halide::unsafe_promise_clamped(t, 0, in.taps - 1);
  const Expr r = in.residue(tap), reach = in.reach(tap);
  const int s = in.stride;
  const Expr first = (in.offset - r + s - 1) / s, last = (in.offset + in.output - 1 - r) / s + 1;
  const Expr begin = Halide::max(first, reach), end = Halide::min(last, reach + in.input);
  Halide::Func table("segments");
  table(column, t) =
      Halide::mux(column, {begin, Halide::max(begin, end), t, 1, -reach, r - in.offset, 0, 1});
  table.bound(column, 0, kSegmentColumns).reorder(column, t).unroll(column);
  return table;
}

}  // namespace upconv::generators
