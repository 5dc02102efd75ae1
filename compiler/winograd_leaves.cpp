#include "winograd_leaves.h"

#include <string>
#include <utility>

#include "elements.h"
#include "finish.h"
#include "pipelines.h"
#include "product_leaf.h"
#include "statements.h"
#include "winograd_layer.h"
#include "winograd_tiles.h"

namespace upconv::compiler {

namespace {

using generators::TileTransform;
using Halide::Buffer;
using Halide::Expr;
using Halide::Func;
using Halide::ImageParam;
using Halide::Param;
using Halide::TailStrategy;
using Halide::Var;

class Leaves {
 public:
  Leaves(Halide::Module& module, const LayerPlan& plan, const Buffer<void>& constant)
      : module_(module),
        plan_(plan),
        winograd_(*plan.winograd),
        constant_(constant),
        type_(halide_type(plan.spec.dtype())) {}

  ClassLeaves for_class(const TileClass& of) const {
    ClassLeaves leaves;
    if (of.all(&TileAxis::some_inputs_exist)) leaves.input = input(of, false);
    if (!of.all(&TileAxis::inputs_exist)) leaves.input_at_edge = input(of, true);
    const bool folded = is_folded(plan_);
    if (folded) {
      // A group has all channels of a position, or some.
      if (plan_.parts.front().channels == plan_.channels()) leaves.deal = deal(of, true);
      leaves.deal_cut = deal(of, false);
    }
    const bool inside = folded || of.all(&TileAxis::some_outputs_exist);
    const bool edges = !folded && !of.all(&TileAxis::outputs_exist);
    for (const PlannedPart& part : plan_.parts) {
      if (has_few_channels(plan_, part)) {
        if (inside) leaves.few = output(of, false, part.channels);
        if (edges) leaves.few_at_edge = output(of, true, part.channels);
      } else {
        if (inside && !leaves.output) leaves.output = output(of, false, 0);
        if (edges && !leaves.output_at_edge) leaves.output_at_edge = output(of, true, 0);
      }
    }
    return leaves;
  }

  std::map<int, Leaf> for_part(const PlannedPart& part) const {
    const ProductShape shape{.row_step = winograd_.pitch,
                             .most_rows = winograd_.tile_rows,
                             .product_step = winograd_.group_channels,
                             .usual_rows = winograd_.round_tiles};
    std::map<int, Leaf> leaves;
    for (const int height : part.tile.heights) {
      leaves.emplace(height, product_leaf(module_, plan_, part, height, shape, constant_));
    }
    return leaves;
  }

  Leaf pack_weights(const PlannedPart& part) const {
    ImageParam kernel = elements(type_, "kernel");
    std::array<generators::WeightAxis, 3> axes;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      axes[axis] = weight_axis(plan_.axes[axis], winograd_.axes[axis]);
    }
    generators::PointWeights weights(
        kernel, axes, input_size(), static_cast<int>(plan_.output_size()), part.first_channel,
        part.block_channels, part.channels < part.block_channels, type_);
    schedules::schedule_point_weights(weights, plan_.target.lanes);
    const auto buffer = weights.packed.output_buffer();
    int step = part.block_channels;
    buffer.dim(0).set_bounds(0, step);
    const int extents[] = {input_size(), static_cast<int>(winograd_.axes[2].points),
                           static_cast<int>(winograd_.axes[1].points),
                           static_cast<int>(winograd_.axes[0].points), part.blocks};
    for (int n = 1; n <= 5; ++n) {
      buffer.dim(n).set_bounds(0, extents[n - 1]).set_stride(step);
      step *= extents[n - 1];
    }
    return Leaf(module_, name("pack", part.first_channel), weights.packed, {kernel}, {});
  }

 private:
  int input_size() const { return static_cast<int>(plan_.input_size()); }
  std::string name(const std::string& what, Index number) const {
    return plan_.spec.name + "_" + what + "_" + std::to_string(number);
  }
  /// Steps from one element of x to the next along w, h and d.
  std::array<int, 3> x_steps() const {
    const int w = input_size(), h = w * static_cast<int>(*plan_.axes[2].input);
    return {w, h, h * static_cast<int>(*plan_.axes[1].input)};
  }
  /// From one output of a tile to the next along w, h and d, in elements of y ...
  std::array<int, 3> y_steps(const TileClass& of) const {
    std::array<int, 3> steps;
    int step = static_cast<int>(plan_.output_size());
    for (std::size_t n = 0; n < 3; ++n) {
      const std::size_t axis = 2 - n;
      // With one output per tile there is no step, and the product may not fit.
      steps[n] = of.axes[axis].outputs() > 1
                     ? step * static_cast<int>(y_step_of_output(plan_, of, axis))
                     : step;
      step *= static_cast<int>(plan_.axes[axis].window.output);
    }
    return steps;
  }
  /// ... and where they are kept in scratch.
  std::array<int, 3> scratch_steps(const TileClass& of) const {
    const int w = static_cast<int>(winograd_.group_channels), h = w * of.axes[2].outputs();
    return {w, h, h * of.axes[1].outputs()};
  }
  /// Elements from one point to the next, of points or of products.
  int point_step(Index pitch) const { return static_cast<int>(winograd_.tile_rows * pitch); }

  Leaf input(const TileClass& of, bool at_edge) const {
    ImageParam x = elements(type_, "x");
    Param<int> first_d("first_d"), first_h("first_h"), first_w("first_w");
    Var c("c"), w("w"), h("h"), d("d");
    const std::array<int, 3> steps = x_steps();  // w, h, d
    const std::array<Expr, 3> first = {first_w, first_h, first_d}, at = {w, h, d};
    std::array<generators::RationalMatrix, 3> matrices;  // d, h, w
    std::array<int, 3> extents;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      extents[axis] = of.axes[axis].points();
      matrices[axis] = internal::toom_cook(extents[axis], 1).input;
    }
    Expr from = c, exists = Halide::Internal::const_true();
    for (std::size_t n = 0; n < 3; ++n) {
      const TileAxis& axis = of.axes[2 - n];
      Expr index = at[n] * static_cast<int>(axis.step);
      if (at_edge) {
        index = index + first[n];
        if (!axis.inputs_exist) {
          const int extent = static_cast<int>(*plan_.axes[2 - n].input);
          exists = exists && index >= 0 && index < extent;
          index = Halide::clamp(index, 0, extent - 1);
        }
      }
      from = from + index * steps[n];
    }
    Func tile("tile");
    // The bound of what is read, here and below, or Halide's own would overflow.
    int last = input_size() - 1;
    for (std::size_t n = 0; n < 3; ++n) {
      const TileAxis& axis = of.axes[2 - n];
      const Index reach = (axis.points() - 1) * axis.step;
      last += static_cast<int>(at_edge ? *plan_.axes[2 - n].input - 1 : reach) * steps[n];
    }
    const Expr value = x(Halide::unsafe_promise_clamped(from, 0, last));
    tile(c, w, h, d) =
        at_edge ? Halide::select(exists, value, Halide::Internal::make_const(type_, 0)) : value;
    TileTransform transform(tile, matrices, type_, [](const Expr& v, const Expr&) { return v; });
    schedules::schedule_tile_transform(transform, plan_.target.lanes, at_edge ? tile : Func(),
                                       extents, false, TailStrategy::ShiftInwards);
    const auto buffer = transform.out.output_buffer();
    buffer.dim(0).set_bounds(0, input_size());
    int step = point_step(winograd_.pitch);
    for (int n = 0; n < 3; ++n) {
      const int extent = extents[static_cast<std::size_t>(2 - n)];
      buffer.dim(n + 1).set_bounds(0, extent).set_stride(step);
      step *= extent;
    }
    std::vector<Param<int>> integers;
    if (at_edge) integers = {first_d, first_h, first_w};
    Leaf leaf(module_, plan_.spec.name + "_input", transform.out, {x}, integers);
    leaf.writes("points");
    return leaf;
  }

  /// @param few channels, fewer than a vector has; 0: an argument
  Leaf output(const TileClass& of, bool at_edge, int few) const {
    ImageParam packed = elements(type_, "packed"), products = elements(type_, "products");
    Param<int> bias_at("bias_at"), channels("channels");
    Param<int> low_d("low_d"), low_h("low_h"), low_w("low_w");
    Param<int> count_d("count_d"), count_h("count_h"), count_w("count_w");
    Var c("c"), w("w"), h("h"), d("d");
    std::array<generators::RationalMatrix, 3> matrices;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const internal::AxisTransform& transform = of.axes[axis].grid.transform;
      matrices[axis] = internal::toom_cook(transform.outputs, transform.taps).output;
    }
    const int point = point_step(winograd_.group_channels);
    Func sums("sums");
    sums(c, w, h, d) = products(Halide::unsafe_promise_clamped(
        c + ((d * of.axes[1].points() + h) * of.axes[2].points() + w) * point, 0,
        of.points() * point - 1));
    const Func all = packed_values(constant_, packed);
    const Activation& activation = plan_.spec.checked.options.activation_fn;
    TileTransform transform(sums, matrices, type_, [&](const Expr& v, const Expr& channel) {
      return finish(activation, v + all(inside(bias_at + channel)));
    });
    const bool long_finish = !activation.is_clamp() && activation.kind() != ActivationKind::kLinear;
    schedules::schedule_tile_transform(
        transform, plan_.target.lanes, Func(), {}, at_edge || long_finish,
        few > 0 ? TailStrategy::Predicate : TailStrategy::ShiftInwards);
    const auto buffer = transform.out.output_buffer();
    buffer.dim(0).set_bounds(0, few > 0 ? Expr(few) : Expr(channels));
    const bool folded = is_folded(plan_);
    const std::array<int, 3> steps = folded ? scratch_steps(of) : y_steps(of);
    const std::array<Expr, 3> low = {low_w, low_h, low_d}, count = {count_w, count_h, count_d};
    for (int n = 0; n < 3; ++n) {
      const auto index = static_cast<std::size_t>(n);
      const TileAxis& axis = of.axes[2 - index];
      const bool whole = !at_edge || axis.outputs_exist;
      buffer.dim(n + 1)
          .set_bounds(whole ? 0 : low[index], whole ? axis.outputs() : count[index])
          .set_stride(steps[index]);
    }
    std::vector<Param<int>> integers = {bias_at};
    if (few == 0) integers.push_back(channels);
    if (at_edge) {
      integers.insert(integers.end(), {low_d, low_h, low_w, count_d, count_h, count_w});
    }
    Leaf leaf(module_, plan_.spec.name + "_output", transform.out, {packed, products}, integers);
    leaf.writes(folded ? "outputs" : "y");
    return leaf;
  }

  /// @param whole a row's channels are all of its own, whose number is constant
  Leaf deal(const TileClass& of, bool whole) const {
    const ImageParam outputs = elements(type_, "outputs");
    Param<int> channels("channels"), count_d("count_d"), count_h("count_h"), count_w("count_w");
    const int row = static_cast<int>(row_channels(plan_));
    const std::array<int, 3> extents = {of.axes[0].outputs(), of.axes[1].outputs(),
                                        of.axes[2].outputs()};
    generators::DealtRow dealt(outputs, extents, static_cast<int>(winograd_.group_channels));
    schedules::schedule_dealt_row(dealt, plan_.target.lanes, whole ? row : 0);
    const auto buffer = dealt.out.output_buffer();
    buffer.dim(0).set_bounds(0, whole ? Expr(row) : Expr(channels));
    const std::array<int, 3> steps = y_steps(of);
    buffer.dim(1).set_bounds(0, count_w).set_stride(steps[0]);
    buffer.dim(2).set_bounds(0, count_h).set_stride(steps[1]);
    buffer.dim(3).set_bounds(0, count_d).set_stride(steps[2]);
    std::vector<Param<int>> integers;
    if (!whole) integers.push_back(channels);
    integers.insert(integers.end(), {count_d, count_h, count_w});
    Leaf leaf(module_, plan_.spec.name + "_deal", dealt.out, {outputs}, integers);
    leaf.writes("y");
    return leaf;
  }

  Halide::Module& module_;
  const LayerPlan& plan_;
  const WinogradPlan& winograd_;
  const Buffer<void>& constant_;
  Halide::Type type_;
};

}  // namespace

bool is_folded(const LayerPlan& plan) { return plan.channels() > plan.output_size(); }

Index row_channels(const LayerPlan& plan) { return plan.axes[2].combined * plan.output_size(); }

Index y_step_of_output(const LayerPlan& plan, const TileClass& of, std::size_t axis) {
  return of.axes[axis].output_step * plan.axes[axis].combined;
}

bool has_few_channels(const LayerPlan& plan, const PlannedPart& part) {
  return part.channels < plan.target.lanes;
}

WinogradLeaves add_winograd_leaves(Halide::Module& module, const LayerPlan& plan,
                                   const Buffer<void>& packed) {
  const Leaves make(module, plan, packed);
  WinogradLeaves leaves{.weights = packed.defined() ? address_of(packed) : packed_weights(plan)};
  for (const TileClass& of : plan.winograd->classes) leaves.classes.push_back(make.for_class(of));
  for (const PlannedPart& part : plan.parts) {
    leaves.products.push_back(make.for_part(part));
    if (plan.spec.embeds_weights()) continue;
    leaves.pack_weights.push_back(make.pack_weights(part));
    leaves.pack_bias.push_back(bias_packing(module, plan, part));
  }
  return leaves;
}

}  // namespace upconv::compiler
