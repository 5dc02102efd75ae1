// The generators of the winograd strategy's transforms: inputs, algorithm, schedule.
#include "winograd.h"

#include "winograd_transform.h"

namespace {

using Halide::cast;
using Halide::Expr;
using Halide::select;
using Halide::strict_float;
using Halide::Type;
using upconv::generators::Transform;
using upconv::generators::TransformInputs;
using upconv::internal::toom_cook;

/// What both directions take and do.
template <typename Self>
class TransformGenerator : public Halide::Generator<Self> {
 public:
  using Base = Halide::Generator<Self>;
  template <typename T>
  using Input = typename Base::template Input<T>;
  template <typename T>
  using Output = typename Base::template Output<T>;
  using Buffer1 = Halide::Buffer<void, 1>;
  using Offsets = Halide::Buffer<int32_t, 1>;

  Halide::GeneratorParam<Type> dtype{"dtype", Halide::Float(32)};
  Halide::GeneratorParam<int> lanes{"lanes", 8};

  Input<Buffer1> in{"in"};
  Input<Offsets> pixel_in{"pixel_in"};
  Input<Offsets> pixel_out{"pixel_out"};
  Input<int32_t> channels{"channels"};
  Input<int32_t> in_u{"in_u"}, in_v{"in_v"}, out_u{"out_u"}, out_v{"out_v"};

 protected:
  TransformInputs inputs(const Halide::Func& out, const Expr& out_extent, const Expr& blocks) {
    in.dim(0).set_min(0);
    pixel_in.dim(0).set_min(0);
    pixel_out.dim(0).set_min(0);
    return {.out = out,
            .in = in,
            .pixel_in = pixel_in,
            .pixel_out = pixel_out,
            .in_u = in_u,
            .in_v = in_v,
            .out_u = out_u,
            .out_v = out_v,
            .in_extent = in.dim(0).extent(),
            .out_extent = out_extent,
            .pixels = pixel_out.dim(0).extent(),
            .blocks = blocks,
            .type = dtype,
            .lanes = lanes};
  }
};

/// Inputs of tiles to points. channels >= lanes: the last vector of a pixel begins early where
/// lanes do not divide the channels, and repeats some of the one before.
class WinogradInput : public TransformGenerator<WinogradInput> {
 public:
  GeneratorParam<int> points_u{"points_u", 4}, points_v{"points_v", 4};
  Output<Buffer1> out{"out"};

  void configure() {
    in.set_type(dtype);
    out.set_type(dtype);
  }

  void generate() {
    const Expr last = channels - lanes;
    Transform transform(
        inputs(out, out.dim(0).extent(), (channels + lanes - 1) / lanes),
        toom_cook(points_u, 1).input, toom_cook(points_v, 1).input,
        [&](const Expr& b) { return Halide::min(b * lanes, last); },
        [](const Expr& value, const Expr&) { return value; });
    upconv::schedules::schedule_transform(transform, lanes, points_u, points_v);
    out.dim(0).set_min(0);
  }
};

/// Products at points to outputs of tiles. `lanes` divides the channels.
class WinogradOutput : public TransformGenerator<WinogradOutput> {
 public:
  GeneratorParam<int> outputs_u{"outputs_u", 3}, taps_u{"taps_u", 2};
  GeneratorParam<int> outputs_v{"outputs_v", 3}, taps_v{"taps_v", 2};
  Input<Buffer1> bias{"bias"};
  Input<double> min{"min"}, max{"max"};
  Output<Buffer1> out{"out"};

  void configure() {
    in.set_type(dtype);
    bias.set_type(dtype);
    out.set_type(dtype);
  }

  void generate() {
    const Expr low = cast(dtype, min), high = cast(dtype, max);
    Transform transform(
        inputs(out, out.dim(0).extent(), channels / lanes), toom_cook(outputs_u, taps_u).output,
        toom_cook(outputs_v, taps_v).output, [&](const Expr& b) { return b * lanes; },
        [&](const Expr& value, const Expr& c) {
          // Comparisons, not min and max: a NaN must come out as NaN.
          const Expr y = value + bias(c);
          return select(strict_float(y > high), high, select(strict_float(y < low), low, y));
        });
    upconv::schedules::schedule_transform(transform, lanes, outputs_u,
                                          static_cast<int>(outputs_v) + taps_v - 1);
    bias.dim(0).set_min(0);
    out.dim(0).set_min(0);
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(WinogradInput, winograd_input)
HALIDE_REGISTER_GENERATOR(WinogradOutput, winograd_output)
