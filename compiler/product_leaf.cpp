#include "product_leaf.h"

#include <string>

#include "column_tiles.h"
#include "elements.h"
#include "finish.h"
#include "hints.h"
#include "product_tiles.h"

namespace upconv::compiler {

Leaf product_leaf(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part,
                  int height, const ProductShape& shape, const Halide::Buffer<void>& constant) {
  using namespace Halide;
  const Type type = halide_type(plan.spec.dtype());
  ImageParam packed = elements(type, "packed"), rows = elements(type, "rows");
  ImageParam hinted = elements(type, "hinted");
  Param<int> weights_at("weights_at"), next_at("next_at"), bias_at("bias_at");
  Param<int> tiles("tiles");
  Var c("c"), t("t"), ci("ci");
  Func in("in"), weights("weights");
  const Func all = packed_values(constant, packed);
  const auto last = static_cast<int>(shape.most_rows * shape.row_step - 1);
  in(ci, t) = rows(unsafe_promise_clamped(t * static_cast<int>(shape.row_step) + ci, 0, last));
  weights(c, ci) = all(inside(weights_at + ci * part.block_channels + c));
  generators::MatrixProduct::Inputs inputs{.in = in,
                                           .weights = weights,
                                           .input_size = static_cast<int>(plan.input_size()),
                                           .block_channels = part.block_channels,
                                           .pixels = height,
                                           .lanes = plan.target.lanes,
                                           .fused = plan.target.fused(),
                                           .type = type};
  if (height == part.tile.heights.front() && wants_next_panel(plan, part)) {
    inputs.packed = by_name(hinted);
    inputs.next_panel = next_at;
    inputs.tiles = static_cast<int>(shape.usual_rows / height);
  }
  if (shape.outputs) {
    inputs.start = Func("start");
    inputs.start(c) = all(inside(bias_at + c));
  }
  const Activation& activation = plan.spec.checked.options.activation_fn;
  generators::MatrixProduct product(
      inputs, [&](const Expr& sum) { return shape.outputs ? finish(activation, sum) : sum; });
  schedules::schedule_matrix_product(product, {.lanes = plan.target.lanes,
                                               .vectors = part.tile.vectors,
                                               .pixels = height,
                                               .unroll = part.tile.unroll});
  const auto buffer = product.products.output_buffer();
  buffer.dim(0).set_bounds(0, part.block_channels);
  buffer.dim(1).set_bounds(0, tiles * height).set_stride(static_cast<int>(shape.product_step));
  const std::string name = plan.spec.name + "_product_" + std::to_string(part.first_channel);
  Leaf leaf(module, name, product.products, {packed, rows, hinted},
            {weights_at, next_at, bias_at, tiles});
  leaf.writes("products");
  return leaf;
}

Leaf few_columns_leaf(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part,
                      int height, const ProductShape& shape, const Halide::Buffer<void>& constant) {
  using namespace Halide;
  const Type type = halide_type(plan.spec.dtype());
  const int lanes = plan.target.lanes;
  ImageParam packed = elements(type, "packed"), rows = elements(type, "rows");
  ImageParam hinted = elements(type, "hinted");
  Param<int> weights_at("weights_at"), next_at("next_at"), bias_at("bias_at"), count("count");
  Var c("c"), t("t"), ci("ci");
  Func in("in"), weights("weights"), start("start");
  const Func all = packed_values(constant, packed);
  const auto last = static_cast<int>(shape.most_rows * shape.row_step - 1);
  const bool whole = height == lanes;
  const Expr row = whole ? Expr(t) : min(t, count - 1);  // spare rows are the last one again
  in(ci, t) = rows(unsafe_promise_clamped(row * static_cast<int>(shape.row_step) + ci, 0, last));
  weights(c, ci) = all(inside(weights_at + ci * part.block_channels + c));
  start(c) = all(inside(bias_at + c));
  const Activation& activation = plan.spec.checked.options.activation_fn;
  generators::FewColumns few({.in = in,
                              .weights = weights,
                              .start = shape.outputs ? start : Func(),
                              .input_size = static_cast<int>(plan.input_size()),
                              .columns = part.block_channels,
                              .lanes = lanes,
                              .fused = plan.target.fused(),
                              .type = type},
                             Func("products"), [&](const Expr& sum) {
                               return shape.outputs ? finish(activation, sum) : sum;
                             });
  schedules::schedule_few_columns(few);
  const auto buffer = few.products.output_buffer();
  buffer.dim(0).set_bounds(0, part.block_channels);
  buffer.dim(1)
      .set_bounds(0, (whole ? Expr(count) : min(count, 1)) * lanes)
      .set_stride(static_cast<int>(shape.product_step));
  const std::string name = plan.spec.name + (whole ? "_columns" : "_columns_rest");
  Leaf leaf(module, name, few.products, {packed, rows, hinted},
            {weights_at, next_at, bias_at, count});
  leaf.writes("products");
  return leaf;
}

}  // namespace upconv::compiler
