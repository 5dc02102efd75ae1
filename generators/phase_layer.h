// A whole layer of constant sizes, by phases as conv_transpose.h has them, for Halide's
// autoschedulers to schedule (docs/tuning.md, upconvc --autoscheduler).
//
// Per axis, with full result z = s*q + r, taps t = r + j*s and offset L of the window:
//
//   sum(co, r, q) = bias[co] + sum over (ci, j) of x[ci, q - j*d] * w[co, ci, r + j*s]
//   y(co, i)      = activation(sum(co, (i + L) % s, (i + L) / s))
//
// with the dilation d, which is 1 where s is not. x and w are 0 where there is no element, so that
// zeros are multiplied. An axis of stride 1 has no r; one of one input, tap and output is left out.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "Halide.h"

namespace upconv::generators {

/// Sizes of a layer, d first.
struct PhaseLayerSizes {
  using PerAxis = std::array<int, 3>;
  int input_size = 1;
  PerAxis extents = {1, 1, 1}, filters = {1, 1, 1}, strides = {1, 1, 1}, dilations = {1, 1, 1};
  PerAxis offsets = {0, 0, 0}, lengths = {1, 1, 1};
};

/// @param x (ci, w, h, d, n), @param w (co, ci, t_w, t_h, t_d), @param bias (co), which may be
///        undefined, @param finish the activation of a sum
/// @return y(co, w, h, d, n)
template <typename Finish>
Halide::Func phase_layer(const Halide::Func& x, const Halide::Func& w, const Halide::Func& bias,
                         const PhaseLayerSizes& of, Finish finish) {
  using Halide::Expr;
  using Halide::Func;
  using Halide::Region;
  using Halide::Var;
  Region inside_x = {{Expr(), Expr()}}, inside_w = {{Expr(), Expr()}, {Expr(), Expr()}};
  Region taps = {{0, of.input_size}};
  bool whole = true;  // every phase has all taps
  for (int axis = 2; axis >= 0; --axis) {
    inside_x.emplace_back(0, of.extents[axis]);
    inside_w.emplace_back(0, of.filters[axis]);
    taps.emplace_back(0, (of.filters[axis] + of.strides[axis] - 1) / of.strides[axis]);
    whole = whole && of.filters[axis] % of.strides[axis] == 0;
  }
  inside_x.emplace_back(Expr(), Expr());
  const Expr zero = Halide::Internal::make_const(x.type(), 0);
  const Func x_padded = Halide::BoundaryConditions::constant_exterior(x, zero, inside_x);
  const Func w_padded =
      whole ? w : Halide::BoundaryConditions::constant_exterior(w, zero, inside_w);

  const Halide::RDom r(taps, "r");
  const Var co{"co"}, n{"n"};
  std::vector<Var> place = {co}, spatial;
  std::vector<Expr> x_at = {r[0]}, w_at = {co, r[0]}, of_output = {co};
  for (int axis = 2; axis >= 0; --axis) {
    const std::string name(1, "dhw"[axis]);
    const Var q{"q_" + name}, phase{"r_" + name}, i{name};
    const int stride = of.strides[axis];
    const Expr j = r[3 - axis], z = i + of.offsets[axis];
    const bool unit = of.extents[axis] == 1 && of.filters[axis] == 1 && of.lengths[axis] == 1;
    const bool phases = stride > 1 && !unit;
    if (phases) place.push_back(phase), of_output.push_back(z % stride);
    if (!unit) place.push_back(q), of_output.push_back(z / stride);
    x_at.push_back(unit ? Expr(0) : q - j * of.dilations[axis]);
    w_at.push_back(phases ? phase + j * stride : j);
    spatial.push_back(i);
  }
  place.push_back(n), of_output.push_back(n), x_at.push_back(n);

  Func sum{"sum"}, y{"y"};
  sum(place) = bias.defined() ? bias(co) : zero;
  sum(place) += x_padded(x_at) * w_padded(w_at);
  y(co, spatial[0], spatial[1], spatial[2], n) = finish(sum(of_output));
  return y;
}

/// Fixes the bounds of an argument, fastest axis first, and what an autoscheduler expects of them.
template <typename Buffer>
void fix_bounds(Buffer&& buffer, const std::vector<int>& shape) {
  int step = 1;
  for (int dim = 0; dim < static_cast<int>(shape.size()); ++dim) {
    const int extent = shape[static_cast<std::size_t>(dim)];
    buffer.dim(dim).set_bounds(0, extent).set_stride(step).set_estimate(0, extent);
    step *= extent;
  }
}

}  // namespace upconv::generators
