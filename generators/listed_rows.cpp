// The generator of kernels whose rows, of a tap and an input channel each, are in lists: inputs,
// algorithm, schedule.
//
// The sums are those of conv_transpose.cpp in the same order. There a loop over the input channels
// begins and ends at every tap, which takes as long as some ten of them; here is one loop, which
// takes a place in x and one in w from the lists.
#include "conv_transpose.h"
#include "tile.h"

namespace {

using Halide::Type;

class ListedRows : public Halide::Generator<ListedRows> {
 public:
  GeneratorParam<Type> dtype{"dtype", Halide::Float(32)};
  GeneratorParam<int> lanes{"lanes", 8};
  GeneratorParam<int> vectors{"vectors", 3};
  GeneratorParam<int> pixels{"pixels", 4};
  GeneratorParam<int> unroll{"unroll", 2};

  Input<Buffer<void, 1>> x{"x"};
  Input<Buffer<void, 1>> w{"w"};
  Input<Buffer<void, 1>> init{"init"};
  Input<Buffer<int32_t, 1>> pixel_x{"pixel_x"};
  Input<Buffer<int32_t, 1>> pixel_init{"pixel_init"};
  Input<Buffer<int32_t, 1>> pixel_y{"pixel_y"};
  Input<Buffer<int32_t, 1>> row_x{"row_x"};
  Input<Buffer<int32_t, 1>> row_w{"row_w"};
  Input<int32_t> blocks{"blocks"};
  Input<int32_t> block_w{"block_w"}, block_init{"block_init"}, block_y{"block_y"};
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
    const upconv::generators::PhaseInputs in{
        .y = y,
        .x = x,
        .w = w,
        .init = init,
        .pixel_x = pixel_x,
        .pixel_init = pixel_init,
        .pixel_y = pixel_y,
        .row_x = row_x,
        .row_w = row_w,
        .rows = row_x.dim(0).extent(),
        .min = min,
        .max = max,
        .x_extent = x.dim(0).extent(),
        .init_extent = init.dim(0).extent(),
        .y_extent = y.dim(0).extent(),
        .w_extent = w.dim(0).extent(),
        .tiles = pixel_x.dim(0).extent() / tile.pixels,
        .blocks = blocks,
        .block_channels = tile.lanes * tile.vectors,
        .block_init = block_init,
        .block_y = block_y,
        .tile_pixels = tile.pixels,
        .lanes = tile.lanes,
        .block_w = block_w,
        .type = dtype,
        .fused = get_target().arch != Target::X86 || get_target().has_feature(Target::FMA),
    };
    upconv::generators::Phase phase(in);

    // Everything starts at 0: fewer terms in every address.
    for (auto* values : {&x, &w, &init}) values->dim(0).set_min(0);
    for (auto* list : {&pixel_x, &pixel_init, &pixel_y, &row_x, &row_w}) list->dim(0).set_min(0);
    upconv::schedules::schedule_tile(phase, tile);
    y.dim(0).set_min(0);
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(ListedRows, listed_rows)
