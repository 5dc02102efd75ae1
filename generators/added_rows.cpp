// The generator of kernels that add rows of products to outputs: inputs, algorithm, schedule.
#include "added_rows.h"

#include "row_tiles.h"

namespace {

using Halide::Type;

class AddedRows : public Halide::Generator<AddedRows> {
 public:
  GeneratorParam<Type> dtype{"dtype", Halide::Float(32)};
  GeneratorParam<int> lanes{"lanes", 8};

  Input<Buffer<void, 1>> products{"products"};
  Input<Buffer<void, 1>> sums{"sums"};  ///< y, before
  Input<int32_t> inputs{"inputs"}, pitch{"pitch"};
  Input<int32_t> run{"run"}, shift{"shift"};
  Input<int32_t> begin{"begin"}, end{"end"};
  Input<int32_t> taps_d{"taps_d"}, from_d{"from_d"}, to_d{"to_d"};
  Input<int32_t> taps_h{"taps_h"}, from_h{"from_h"}, to_h{"to_h"};
  Output<Buffer<void, 1>> y{"y"};

  void configure() {
    products.set_type(dtype);
    sums.set_type(dtype);
    y.set_type(dtype);
  }

  void generate() {
    upconv::generators::AddedRows rows({.products = products,
                                        .sums = sums,
                                        .inputs = inputs,
                                        .pitch = pitch,
                                        .run = run,
                                        .shift = shift,
                                        .begin = begin,
                                        .end = end,
                                        .d = {taps_d, from_d, to_d},
                                        .h = {taps_h, from_h, to_h},
                                        .lanes = lanes,
                                        .type = dtype},
                                       y);
    for (auto* buffer : {&products, &sums}) buffer->dim(0).set_min(0);
    upconv::schedules::schedule_added_rows(rows);
    y.dim(0).set_min(0);
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(AddedRows, added_rows)
