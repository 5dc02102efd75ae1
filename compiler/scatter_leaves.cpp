#include "scatter_leaves.h"

#include <string>

#include "added_runs.h"
#include "elements.h"
#include "finish.h"
#include "pipelines.h"
#include "product_leaf.h"
#include "scatter_plan.h"
#include "statements.h"

namespace upconv::compiler {

namespace {

using Halide::Func;
using Halide::ImageParam;
using Halide::Param;

/// A leaf that adds to y what it reads.
Leaf adding_leaf(Halide::Module& module, const std::string& name, Func y, const ImageParam& from,
                 const ImageParam& sums, const Param<int>& count) {
  y.output_buffer().dim(0).set_min(0).set_extent(2147483647).set_stride(1);
  Leaf leaf(module, name, y, {from, sums}, {count});
  leaf.reads_output(sums);
  leaf.writes("y");
  return leaf;
}

Leaf add_runs(Halide::Module& module, const LayerPlan& plan, const TapRuns& runs) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  const ImageParam products = elements(type, "products"), sums = elements(type, "sums");
  Param<int> inputs("inputs");
  const Index channels = plan.output_size();
  generators::AddedRuns added(
      {.products = products,
       .sums = sums,
       .run = static_cast<int>(runs.taps * channels),
       .from_step = static_cast<int>(plan.scatter->pitch),
       .to_step = static_cast<int>(plan.axes[2].axis.stride * channels),
       .count = inputs,
       .lanes = plan.target.lanes,
       .type = type});
  added.schedule();
  const std::string name = plan.spec.name + "_add_" + std::to_string(runs.taps);
  return adding_leaf(module, name, added.y, products, sums, inputs);
}

Leaf add_part_of_run(Halide::Module& module, const LayerPlan& plan) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  const ImageParam products = elements(type, "products"), sums = elements(type, "sums");
  Param<int> length("length");
  generators::AddedPart added(products, sums, length, plan.target.lanes, type);
  added.schedule();
  return adding_leaf(module, plan.spec.name + "_add_part", added.y, products, sums, length);
}

}  // namespace

ScatterLeaves add_scatter_leaves(Halide::Module& module, const LayerPlan& plan,
                                 const Halide::Buffer<void>& packed) {
  const ScatterPlan& scatter = *plan.scatter;
  ScatterLeaves leaves{.weights = packed.defined() ? address_of(packed) : packed_weights(plan)};
  const ProductShape shape{.row_step = plan.input_size(),
                           .most_rows = scatter.chunk,
                           .product_step = scatter.pitch,
                           .usual_rows = scatter.chunk};
  for (std::size_t n = 0; n < plan.parts.size(); ++n) {
    const PlannedPart& part = plan.parts[n];
    std::map<int, Leaf>& by_height = leaves.products.emplace_back();
    for (const int height : scatter.heights[n]) {
      by_height.emplace(height, product_leaf(module, plan, part, height, shape, packed));
    }
    if (plan.spec.embeds_weights()) continue;
    leaves.pack_weights.push_back(weight_packing(module, plan, part));
    leaves.pack_bias.push_back(bias_packing(module, plan, part));
  }
  for (const TapRuns& runs : scatter.runs) leaves.add.push_back(add_runs(module, plan, runs));
  leaves.add_part = add_part_of_run(module, plan);
  leaves.fill = fill_leaf(module, plan, false, packed);
  if (!is_linear(plan)) leaves.finish = finish_leaf(module, plan);
  return leaves;
}

}  // namespace upconv::compiler
