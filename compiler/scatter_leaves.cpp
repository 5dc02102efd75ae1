#include "scatter_leaves.h"

#include <string>

#include "added_rows.h"
#include "added_runs.h"
#include "elements.h"
#include "finish.h"
#include "pipelines.h"
#include "product_leaf.h"
#include "row_tiles.h"
#include "scatter_plan.h"
#include "statements.h"

namespace upconv::compiler {

namespace {

using Halide::Expr;
using Halide::Func;
using Halide::ImageParam;
using Halide::Param;

class Leaves {
 public:
  Leaves(Halide::Module& module, const LayerPlan& plan)
      : module_(module), plan_(plan), type_(halide_type(plan.spec.dtype())) {
    if (!plan.scatter->once) sums_values_ = sums_;
  }

  Leaf add_runs(const TapRuns& runs) const {
    Param<int> inputs("inputs");
    const Index channels = plan_.output_size();
    const std::string name = "_add_" + std::to_string(runs.taps);
    if (plan_.scatter->joined) {
      const Expr length = inputs * static_cast<int>(plan_.scatter->pitch);
      generators::AddedPart added(products_, sums_values_, length, plan_.target.lanes, type_);
      added.schedule();
      return leaf(name, added.y, {inputs});
    }
    generators::AddedRuns added({.products = products_,
                                 .sums = sums_values_,
                                 .run = static_cast<int>(runs.taps * channels),
                                 .from_step = static_cast<int>(plan_.scatter->pitch),
                                 .to_step = static_cast<int>(plan_.axes[2].axis.stride * channels),
                                 .count = inputs,
                                 .lanes = plan_.target.lanes,
                                 .type = type_});
    added.schedule();
    return leaf(name, added.y, {inputs});
  }

  Leaf add_part() const {
    Param<int> length("length");
    generators::AddedPart added(products_, sums_values_, length, plan_.target.lanes, type_);
    added.schedule();
    return leaf("_add_part", added.y, {length});
  }

  Leaf gather() const {
    Param<int> inputs("inputs"), begin("begin"), end("end"), taps("taps");
    const PlannedAxis &h = plan_.axes[1], &w = plan_.axes[2];
    const auto elements = [&](Index outputs) {
      return static_cast<int>(outputs * plan_.output_size());
    };
    generators::AddedRows added(
        {.products = products_,
         .sums = sums_,
         .inputs = inputs,
         .pitch = static_cast<int>(plan_.scatter->pitch),
         .run = elements(w.axis.filter),
         .shift = elements(w.axis.stride),
         .begin = begin,
         .end = end,
         .h = {taps, elements(w.axis.filter), elements(h.axis.dilation * w.window.output)},
         .lanes = plan_.target.lanes,
         .type = type_},
        Func("gathered"));
    schedules::schedule_added_rows(added);
    return leaf("_gather", added.y, {inputs, begin, end, taps});
  }

 private:
  Leaf leaf(const std::string& name, const Func& y, const std::vector<Param<int>>& integers) const {
    y.output_buffer().dim(0).set_min(0).set_extent(2147483647).set_stride(1);
    Leaf made(module_, plan_.spec.name + name, y, {products_, sums_}, integers);
    made.reads_output(sums_);
    made.writes("y");
    return made;
  }

  Halide::Module& module_;
  const LayerPlan& plan_;
  Halide::Type type_;
  ImageParam products_ = elements(type_, "products"), sums_ = elements(type_, "sums");
  Func sums_values_ = {};  ///< undefined where products are copied
};

}  // namespace

ScatterLeaves add_scatter_leaves(Halide::Module& module, const LayerPlan& plan,
                                 const Halide::Buffer<void>& packed) {
  const ScatterPlan& scatter = *plan.scatter;
  ScatterLeaves leaves{.weights = packed.defined() ? address_of(packed) : packed_weights(plan)};
  const ProductShape shape{.row_step = plan.input_size(),
                           .most_rows = scatter.chunk,
                           .product_step = scatter.pitch,
                           .usual_rows = scatter.chunk,
                           .outputs = scatter.once};
  for (std::size_t n = 0; n < plan.parts.size(); ++n) {
    const PlannedPart& part = plan.parts[n];
    std::map<int, Leaf>& by_height = leaves.products.emplace_back();
    for (const int height : scatter.heights[n]) {
      by_height.emplace(height, part.few
                                    ? few_columns_leaf(module, plan, part, height, shape, packed)
                                    : product_leaf(module, plan, part, height, shape, packed));
    }
    if (plan.spec.embeds_weights()) continue;
    leaves.pack_weights.push_back(weight_packing(module, plan, part));
    leaves.pack_bias.push_back(bias_packing(module, plan, part));
  }
  const Leaves make(module, plan);
  for (const TapRuns& runs : scatter.runs) leaves.add.push_back(make.add_runs(runs));
  leaves.add_part = make.add_part();
  if (scatter.gathers) leaves.gather = make.gather();
  if (scatter.fills) leaves.fill = fill_leaf(module, plan, scatter.once, packed);
  if (!scatter.once && !is_linear(plan)) leaves.finish = finish_leaf(module, plan);
  return leaves;
}

}  // namespace upconv::compiler
