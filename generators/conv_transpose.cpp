// The generator of the transposed-convolution kernels: inputs, algorithm, schedule.
#include "conv_transpose.h"

#include "tile.h"

namespace {

using Halide::Type;

class ConvTranspose : public Halide::Generator<ConvTranspose> {
 public:
  GeneratorParam<Type> dtype{"dtype", Halide::Float(32)};
  GeneratorParam<int> lanes{"lanes", 8};
  GeneratorParam<int> vectors{"vectors", 3};
  GeneratorParam<int> pixels{"pixels", 4};
  GeneratorParam<int> unroll{"unroll", 4};
  /// Rows of w are adjacent, as in packed weights; else their distance is w's stride.
  GeneratorParam<bool> packed{"packed", true};
  /// Hint at the weights that come next; only with packed ones.
  GeneratorParam<bool> prefetch{"prefetch", false};
  /// Hint at the inputs and outputs that come next, where a call says `far`.
  GeneratorParam<bool> prefetch_far{"prefetch_far", false};

  Input<Buffer<void, 1>> x{"x"};
  Input<Buffer<void, 6>> w{"w"};
  Input<Buffer<void, 1>> init{"init"};
  Input<Buffer<int32_t, 1>> pixel_x{"pixel_x"};
  Input<Buffer<int32_t, 1>> pixel_init{"pixel_init"};
  Input<Buffer<int32_t, 1>> pixel_y{"pixel_y"};
  Input<int32_t> input_size{"input_size"};
  Input<int32_t> taps_d{"taps_d"}, taps_h{"taps_h"}, taps_w{"taps_w"};
  Input<int32_t> tap_x_d{"tap_x_d"}, tap_x_h{"tap_x_h"}, tap_x_w{"tap_x_w"};
  Input<int32_t> block_init{"block_init"}, block_y{"block_y"};
  /// x comes from memory and y goes there.
  Input<bool> far{"far"};
  Input<double> min{"min"}, max{"max"};
  Output<Buffer<void, 1>> y{"y"};

  void configure() {
    x.set_type(dtype);
    w.set_type(dtype);
    init.set_type(dtype);
    y.set_type(dtype);
  }

  void generate() {
    const upconv::schedules::Tile tile{lanes, vectors, pixels, unroll};
    const int block = tile.lanes * tile.vectors;
    const upconv::generators::PhaseInputs in{
        .y = y,
        .x = x,
        .w = w,
        .init = init,
        .pixel_x = pixel_x,
        .pixel_init = pixel_init,
        .pixel_y = pixel_y,
        .input_size = input_size,
        .taps = {taps_d, taps_h, taps_w},
        .tap_x = {tap_x_d, tap_x_h, tap_x_w},
        .min = min,
        .max = max,
        .x_extent = x.dim(0).extent(),
        .init_extent = init.dim(0).extent(),
        .y_extent = y.dim(0).extent(),
        .tiles = pixel_x.dim(0).extent() / tile.pixels,
        .blocks = w.dim(5).extent(),
        .block_channels = block,
        .block_init = block_init,
        .block_y = block_y,
        .tile_pixels = tile.pixels,
        .lanes = tile.lanes,
        .prefetch = prefetch,
        .far = prefetch_far ? Halide::Expr(far) : Halide::Expr(),
        .block_w = w.dim(5).stride(),
        .type = dtype,
        .fused = get_target().arch != Target::X86 || get_target().has_feature(Target::FMA),
    };
    upconv::generators::Phase phase(in);

    // Everything starts at 0, and a block's channels are adjacent: fewer terms in every address.
    x.dim(0).set_min(0);
    init.dim(0).set_min(0);
    pixel_x.dim(0).set_min(0);
    pixel_init.dim(0).set_min(0);
    pixel_y.dim(0).set_min(0);
    w.dim(0).set_bounds(0, block).set_stride(1);
    for (int axis = 1; axis < 6; ++axis) w.dim(axis).set_min(0);
    if (packed) w.dim(1).set_stride(block);
    upconv::schedules::schedule_tile(phase, tile);
    if (packed) upconv::schedules::specialize_tile(phase);
    y.dim(0).set_min(0);
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(ConvTranspose, conv_transpose)
