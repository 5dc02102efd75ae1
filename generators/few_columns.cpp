// The generator of kernels that multiply with few columns: inputs, algorithm, schedule.
#include "few_columns.h"

#include "column_tiles.h"

namespace {

using Halide::Type;

class FewColumns : public Halide::Generator<FewColumns> {
 public:
  GeneratorParam<Type> dtype{"dtype", Halide::Float(32)};
  GeneratorParam<int> lanes{"lanes", 8};
  GeneratorParam<int> columns{"columns", 4};

  Input<Buffer<void, 1>> x{"x"};
  Input<Buffer<int32_t, 1>> pixel_x{"pixel_x"};
  Input<Buffer<void, 2>> w{"w"};
  Input<Buffer<void, 1>> start{"start"};
  Input<int32_t> input_size{"input_size"};
  Input<double> min{"min"}, max{"max"};
  Output<Buffer<void, 2>> products{"products"};

  void configure() {
    for (auto* buffer : {&x, &start}) buffer->set_type(dtype);
    w.set_type(dtype);
    products.set_type(dtype);
  }

  void generate() {
    upconv::generators::FewColumns few(
        {.x = x,
         .pixel_x = pixel_x,
         .w = w,
         .start = start,
         .input_size = input_size,
         .x_extent = x.dim(0).extent(),
         .min = min,
         .max = max,
         .columns = columns,
         .lanes = lanes,
         .fused = get_target().arch != Target::X86 || get_target().has_feature(Target::FMA),
         .type = dtype},
        products);
    for (auto* buffer : {&x, &start}) buffer->dim(0).set_min(0);
    pixel_x.dim(0).set_min(0);
    w.dim(0).set_bounds(0, columns).set_stride(1);
    w.dim(1).set_min(0).set_stride(columns);
    products.dim(0).set_bounds(0, columns).set_stride(1);
    products.dim(1).set_min(0).set_stride(columns);
    upconv::schedules::schedule_few_columns(few);
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(FewColumns, few_columns)
