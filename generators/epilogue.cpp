// The generator of the epilogue kernels: an activation over the pixels of a finished tile.
//
//   out[pixel_out[p] + c] = activation(in[pixel_in[p] + c] + residual[pixel_residual[p] + c])
//
// for every pixel p of pixel_out and every channel c; without the residual when has_residual is 0,
// and then `residual` and `pixel_residual` are not read. in, residual and out may be the same
// memory at the same offsets.
#include "epilogue.h"

#include "Halide.h"
#include "activations.h"

namespace {

using Halide::cast;
using Halide::Expr;
using Halide::Type;
using Halide::unsafe_promise_clamped;
using upconv::activations::Kind;

class Epilogue : public Halide::Generator<Epilogue> {
 public:
  GeneratorParam<Type> dtype{"dtype", Halide::Float(32)};
  GeneratorParam<int> lanes{"lanes", 8};
  GeneratorParam<Kind> activation{"activation", Kind::kClamp, upconv::activations::kinds()};

  Input<Buffer<void, 1>> in{"in"};
  Input<Buffer<void, 1>> residual{"residual"};
  Input<Buffer<int32_t, 1>> pixel_in{"pixel_in"};
  Input<Buffer<int32_t, 1>> pixel_residual{"pixel_residual"};
  Input<Buffer<int32_t, 1>> pixel_out{"pixel_out"};
  Input<int32_t> channels{"channels"};
  Input<int32_t> has_residual{"has_residual"};
  Input<double> p0{"p0"}, p1{"p1"};
  Output<Buffer<void, 1>> out{"out"};

  void configure() {
    in.set_type(dtype);
    residual.set_type(dtype);
    out.set_type(dtype);
  }

  void generate() {
    RDom r(0, channels, 0, pixel_out.dim(0).extent(), "r");
    const Expr c = r.x, p = r.y;
    // Where a pixel's channels begin: a promise to Halide that they lie inside the buffer.
    Var q{"q"}, i{"i"};
    Func first_in{"first_in"}, first_residual{"first_residual"}, first_out{"first_out"};
    const auto inside = [&](const auto& offsets, const auto& buffer) {
      return unsafe_promise_clamped(offsets(q), 0, buffer.dim(0).extent() - channels);
    };
    first_in(q) = inside(pixel_in, in);
    first_residual(q) = inside(pixel_residual, residual);
    first_out(q) = inside(pixel_out, out);

    const Expr value = in(first_in(p) + c);
    const Expr sum = Halide::strict_float(value + residual(first_residual(p) + c));
    const Expr v = select(has_residual != 0, sum, value);
    out(i) = Halide::undef(dtype);
    out(first_out(p) + c) =
        upconv::activations::activate(activation, v, cast(dtype, p0), cast(dtype, p1));

    for (auto* buffer : {&in, &residual}) buffer->dim(0).set_min(0);
    for (auto* buffer : {&pixel_in, &pixel_residual, &pixel_out}) buffer->dim(0).set_min(0);
    upconv::schedules::schedule_epilogue(out, channels, has_residual, r.x, r.y,
                                         {first_in, first_residual, first_out}, lanes);
    out.dim(0).set_min(0);
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(Epilogue, epilogue)
