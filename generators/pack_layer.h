// Packing of a layer's kernel and bias for compiled code, as an algorithm.
//
//   packed[weights_at + (((b*K_d + t_d)*K_h + t_h)*K_w + t_w)*ci*C + ci*C + c]
//       = kernel[tap_d(t_d) + r_d, tap_h(t_h) + r_h, tap_w(t_w) + r_w, ci, co]
//
// with C the channels of a block, zero past the last and past the kernel's taps, and t the taps of
// an axis phase by phase. Channel first_channel + b*C + c is ((r_d*P_h + r_h)*P_w + r_w) *
// output_size + co, with P the phases of an axis that are combined, 1 where none are
// (whole_layer.h).
#pragma once

#include <array>

#include "Halide.h"

namespace upconv::generators {

struct PackInputs {
  Halide::Func kernel = {};  ///< (i): filter_shape ++ [input_size, output_size], C order
  Halide::Func bias = {};    ///< (i): undefined for a layer without
  std::array<Halide::Func, 3> tap = {};     ///< (t): the filter tap of packed tap t, d first
  std::array<int, 3> filter = {};           ///< packed taps
  std::array<int, 3> combined = {1, 1, 1};  ///< P
  std::array<int, 3> kernel_taps = {};      ///< of the kernel
  int input_size = 1, output_size = 1;
  int first_channel = 0, block_channels = 1, blocks = 1;
  Halide::Type type = {};
};

/// r of a channel, d first.
inline std::array<Halide::Expr, 3> residues(const Halide::Expr& channel,
                                            const std::array<int, 3>& combined, int output_size) {
  std::array<Halide::Expr, 3> r;
  Halide::Expr phase = channel / output_size;
  for (std::size_t axis = 3; axis-- > 0;) {
    r[axis] = phase % combined[axis];
    phase = phase / combined[axis];
  }
  return r;
}

/// @return weights(c, row, b), row = ((t_d * K_h + t_h) * K_w + t_w) * input_size + ci
inline Halide::Func packed_weights(const PackInputs& in) {
  using Halide::Expr;
  Halide::Var c("c"), row("row"), b("b");
  const Expr channel = in.first_channel + b * in.block_channels + c;
  const int channels = in.combined[0] * in.combined[1] * in.combined[2] * in.output_size;
  const std::array<Expr, 3> r = residues(channel, in.combined, in.output_size);
  const Expr tap = row / in.input_size, ci = row % in.input_size;
  const Expr t[3] = {tap / (in.filter[1] * in.filter[2]), tap / in.filter[2] % in.filter[1],
                     tap % in.filter[2]};
  Expr from = 0, exists = channel < channels;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const Expr at =
        r[axis] + in.tap[axis](Halide::unsafe_promise_clamped(t[axis], 0, in.filter[axis] - 1));
    exists = exists && at < in.kernel_taps[axis];
    from = from * in.kernel_taps[axis] + Halide::min(at, in.kernel_taps[axis] - 1);
  }
  from = (from * in.input_size + ci) * in.output_size + channel % in.output_size;
  Halide::Func weights("weights");
  weights(c, row, b) =
      Halide::select(exists, in.kernel(Halide::unsafe_promise_clamped(from, 0, 2147483646)),
                     Halide::Internal::make_const(in.type, 0));
  return weights;
}

/// @return start(c, b)
inline Halide::Func packed_bias(const PackInputs& in) {
  Halide::Var c("c"), b("b");
  Halide::Func start("start");
  const Halide::Expr channel = in.first_channel + b * in.block_channels + c;
  const int channels = in.combined[0] * in.combined[1] * in.combined[2] * in.output_size;
  const Halide::Expr zero = Halide::Internal::make_const(in.type, 0);
  start(c, b) = in.bias.defined()
                    ? Halide::select(channel < channels, in.bias(channel % in.output_size), zero)
                    : zero;
  return start;
}

}  // namespace upconv::generators
