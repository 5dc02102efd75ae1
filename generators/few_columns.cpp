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
    x.set_type(dtype);
    w.set_type(dtype);
    start.set_type(dtype);
    products.set_type(dtype);
  }

  void generate() {
    using Halide::cast;
    using Halide::Expr;
    using Halide::select;
    using Halide::strict_float;
    Halide::Var t("t"), ci("ci");
    Halide::Func in("in");
    in(ci, t) = x(Halide::unsafe_promise_clamped(pixel_x(t) + ci, 0, x.dim(0).extent() - 1));
    upconv::generators::FewColumns few(
        {.in = in,
         .weights = w,
         .start = start,
         .input_size = input_size,
         .columns = columns,
         .lanes = lanes,
         .fused = get_target().arch != Target::X86 || get_target().has_feature(Target::FMA),
         .type = dtype},
        products, [&](const Expr& sum) {
          // Comparisons, not min and max: a NaN must come out as NaN.
          const Expr low = cast(sum.type(), min), high = cast(sum.type(), max);
          const Expr raised = select(strict_float(sum < low), low, sum);
          return select(strict_float(raised > high), high, raised);
        });
    x.dim(0).set_min(0);
    start.dim(0).set_min(0);
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
