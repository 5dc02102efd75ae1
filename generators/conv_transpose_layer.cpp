// A whole layer of constant sizes, by phases as conv_transpose.h has them, for autoschedulers to
// schedule: what they make of it is compared with our own schedules (docs/tuning.md). No kernel of
// the library comes from here.
//
// Per axis, with full result z = s*q + r, taps t = r + j*s and offset L of the window:
//
//   sum(co, r, q) = bias[co] + sum over (ci, j) of x[ci, q - j] * w[co, ci, r + j*s]
//   y(co, i)      = activation(sum(co, (i + L) % s, (i + L) / s))
//
// x and w are 0 where there is no element. An axis of stride 1 has no r; one of one input, tap and
// output is left out.
#include <array>
#include <sstream>
#include <string>
#include <vector>

#include "Halide.h"

namespace {

using Halide::Expr;
using Halide::Func;
using Halide::Region;
using Halide::Var;

class ConvTransposeLayer : public Halide::Generator<ConvTransposeLayer> {
  using Sizes = std::array<int, 3>;
  static Sizes sizes(const std::string& text) {
    Sizes list{};
    std::istringstream in(text);
    char x = 'x';
    if (!(in >> list[0] >> x >> list[1] >> x >> list[2]) || x != 'x') {
      throw Halide::RuntimeError("sizes are \"" + text + "\"; they must be three, as in 4x4x4");
    }
    return list;
  }

 public:
  GeneratorParam<int> batch{"batch", 1};
  GeneratorParam<int> input_size{"input_size", 1};
  GeneratorParam<int> output_size{"output_size", 1};
  // Per axis, d first, as in 4x4x4.
  GeneratorParam<std::string> extents{"extents", "1x1x1"};
  GeneratorParam<std::string> filters{"filters", "1x1x1"};
  GeneratorParam<std::string> strides{"strides", "1x1x1"};
  GeneratorParam<std::string> offsets{"offsets", "0x0x0"};
  GeneratorParam<std::string> lengths{"lengths", "1x1x1"};
  GeneratorParam<bool> relu{"relu", false};

  Input<Buffer<float, 5>> x{"x"};  ///< (ci, w, h, d, n)
  Input<Buffer<float, 5>> w{"w"};  ///< (co, ci, t_w, t_h, t_d)
  Input<Buffer<float, 1>> bias{"bias"};
  Output<Buffer<float, 5>> y{"y"};  ///< (co, w, h, d, n)

  void generate() {
    const Sizes extent = sizes(extents), filter = sizes(filters), stride = sizes(strides);
    const Sizes offset = sizes(offsets), length = sizes(lengths);

    Region inside_x = {{Expr(), Expr()}}, inside_w = {{Expr(), Expr()}, {Expr(), Expr()}};
    Region taps = {{0, input_size}};
    bool whole = true;  // every phase has all taps
    for (int axis = 2; axis >= 0; --axis) {
      inside_x.push_back({0, extent[axis]});
      inside_w.push_back({0, filter[axis]});
      taps.push_back({0, (filter[axis] + stride[axis] - 1) / stride[axis]});
      whole = whole && filter[axis] % stride[axis] == 0;
    }
    inside_x.push_back({Expr(), Expr()});
    const Func x_padded = Halide::BoundaryConditions::constant_exterior(x, 0.0f, inside_x);
    const Func w_padded =
        whole ? Func(w) : Halide::BoundaryConditions::constant_exterior(w, 0.0f, inside_w);

    const Halide::RDom r(taps, "r");
    const Var co{"co"}, n{"n"};
    std::vector<Var> place = {co}, spatial;
    std::vector<Expr> x_at = {r[0]}, w_at = {co, r[0]}, of_output = {co}, y_at = {co};
    for (int axis = 2; axis >= 0; --axis) {
      const std::string name(1, "dhw"[axis]);
      const Var q{"q_" + name}, phase{"r_" + name}, i{name};
      const Expr j = r[3 - axis], z = i + offset[axis];
      const bool unit = extent[axis] == 1 && filter[axis] == 1 && length[axis] == 1;
      const bool phases = stride[axis] > 1 && !unit;
      if (phases) place.push_back(phase), of_output.push_back(z % stride[axis]);
      if (!unit) place.push_back(q), of_output.push_back(z / stride[axis]);
      x_at.push_back(unit ? Expr(0) : q - j);
      w_at.push_back(phases ? phase + j * stride[axis] : j);
      spatial.push_back(i);
    }
    place.push_back(n), of_output.push_back(n), x_at.push_back(n);

    Func sum{"sum"};
    sum(place) = bias(co);
    sum(place) += x_padded(x_at) * w_padded(w_at);
    const Expr value = sum(of_output);
    y(co, spatial[0], spatial[1], spatial[2], n) = relu ? Halide::max(value, 0.0f) : value;

    const auto fix = [](auto& buffer, const std::vector<int>& shape) {
      int step = 1;
      for (int dim = 0; dim < static_cast<int>(shape.size()); ++dim) {
        buffer.dim(dim).set_bounds(0, shape[dim]).set_stride(step).set_estimate(0, shape[dim]);
        step *= shape[dim];
      }
    };
    fix(x, {input_size, extent[2], extent[1], extent[0], batch});
    fix(w, {output_size, input_size, filter[2], filter[1], filter[0]});
    fix(bias, {output_size});
    fix(y, {output_size, length[2], length[1], length[0], batch});
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(ConvTransposeLayer, conv_transpose_layer)
