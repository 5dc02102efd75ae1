#include "pipelines.h"

#include <algorithm>
#include <string>
#include <utility>

#include "autoschedule.h"
#include "blocks.h"
#include "chunk.h"
#include "elements.h"
#include "finish.h"
#include "hints.h"
#include "layer_tiles.h"
#include "pack_layer.h"
#include "repeated_pixel.h"
#include "statements.h"
#include "tables.h"
#include "whole_layer.h"

namespace upconv::compiler {

namespace {

using generators::kSegmentColumns;
using Halide::Buffer;
using Halide::Expr;
using Halide::Func;
using Halide::ImageParam;
using Halide::Param;
using Halide::Var;
using internal::Phase;

void end_at_zero(const Func& output) {
  output.output_buffer().dim(0).set_min(0).set_extent(2147483647).set_stride(1);
}

/// A part's channels; of the kernel nothing.
generators::PackInputs pack_inputs(const LayerPlan& plan, const PlannedPart& part) {
  generators::PackInputs in{.input_size = static_cast<int>(plan.input_size()),
                            .output_size = static_cast<int>(plan.output_size()),
                            .first_channel = part.first_channel,
                            .block_channels = part.block_channels,
                            .blocks = part.blocks,
                            .type = halide_type(plan.spec.dtype())};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    in.combined[axis] = static_cast<int>(plan.axes[axis].combined);
  }
  return in;
}

/// The weights of a box lie one after the other.
bool reads_one_run(const LayerPlan& plan) {
  const auto one_tap = [&](std::size_t axis) { return plan.axes[axis].phases.most_taps() == 1; };
  return plan.in_pieces() || (one_tap(0) && one_tap(1));
}

/// Pixels of a large box; of extents that are arguments, very many.
Index box_pixels(const LayerPlan& plan) {
  if (!plan.is_fixed()) return kMostElements;
  Index pixels = *plan.spec.images;
  for (const PlannedAxis& axis : plan.axes) pixels *= *axis.input;
  const Index pixel_bytes = plan.input_size() * static_cast<Index>(plan.element_bytes());
  const Index most =
      plan.in_pieces() ? internal::kChunkPixels : Index{plan.target.slab_bytes} / pixel_bytes;
  return std::min(pixels, std::max<Index>(most, 1));
}

Leaf add_part(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part,
              const Buffer<void>& constant) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  ImageParam packed = elements(type, "packed"), x = elements(type, "x");
  ImageParam table = elements(Halide::Int(32), "table"), sums = elements(type, "sums");
  ImageParam hinted = elements(type, "hinted");
  Param<int> image_begin("image_begin"), image_end("image_end"), q_begin("q_begin"), q_end("q_end");
  Param<int> block("block"), first_input("first_input");
  std::vector<Param<int>> integers = {image_begin, image_end, q_begin, q_end, block};
  Var i("i"), c("c"), ci("ci"), tw("tw"), th("th"), td("td"), b("b");

  const Func values = packed_values(constant, packed);
  const int ci_count = static_cast<int>(plan.input_size()), channels = part.block_channels;
  generators::LayerInputs in{.type = type};
  in.x(i) = x(i);
  Expr row = td;
  row = row * static_cast<int>(plan.axes[1].phases.filter()) + th;
  row = row * static_cast<int>(plan.axes[2].phases.filter()) + tw;
  row = row * ci_count + ci;
  const int rows = static_cast<int>(plan.taps()) * ci_count;
  in.w(c, ci, tw, th, td, b) =
      values(inside(static_cast<int>(part.weights_at) + (b * rows + row) * channels + c));
  // Known to be constants that are 0, what sums start with would be left out, and the first two
  // products be fused in either order. So their place is not quite known: by the last bits of an
  // address of elements, which are 0.
  const Expr address = Halide::reinterpret<std::uint64_t>(
      Halide::Internal::Variable::make(Halide::type_of<void*>(), x.name(), x.parameter()));
  const Expr unknown = constant.defined() ? Halide::cast<int>(address & 3) : Expr(0);
  in.start(i) = values(inside(static_cast<int>(part.bias_at) + i + unknown));

  std::vector<Param<int>> extents;
  for (int axis = 0; axis < 3; ++axis) {
    const PlannedAxis& planned = plan.axes[static_cast<std::size_t>(axis)];
    generators::LayerAxis& of = in.axes[static_cast<std::size_t>(axis)];
    of.filter = static_cast<int>(planned.phases.filter());
    of.combined = static_cast<int>(planned.combined);
    of.stride = static_cast<int>(planned.axis.stride);
    of.step = static_cast<int>(planned.phases.input_step());
    of.taps_of_phase = plan.in_pieces() ? 1 : static_cast<int>(planned.phases.most_taps());
    const TableShape shape = table_shape(plan, axis);
    of.segments = std::max(1, shape.phases * shape.rows);
    Param<int> of_box("row_" + std::to_string(axis));
    of.row = of_box;
    integers.push_back(of_box);
    auto& segments = in.segments[static_cast<std::size_t>(axis)];
    if (planned.input) {
      const Buffer<int> known = known_table(plan, axis);
      of.input = static_cast<int>(*planned.input);
      of.output = static_cast<int>(planned.window.output);
      segments = [known](int column, const Expr& e) -> Expr { return known(column, e); };
    } else {
      Param<int> input("input_" + std::to_string(axis)), output("output_" + std::to_string(axis));
      of.input = input;
      of.output = output;
      extents.push_back(input);
      extents.push_back(output);
      const int first = static_cast<int>(first_table_row(plan, axis));
      segments = [table, first](int column, const Expr& e) -> Expr {
        const Expr at = inside((first + e) * kSegmentColumns + column);
        return Halide::Internal::Call::make(table.parameter(), {at});
      };
    }
  }
  in.slab.image_begin = image_begin;
  in.slab.image_end = image_end;
  if (plan.spec.images == 1) {
    in.slab.image_begin = 0;
    in.slab.image_end = 1;
  }
  in.slab.axis = plan.slow_axis;
  in.slab.q_begin = q_begin;
  in.slab.q_end = q_end;
  in.input_size = ci_count;
  in.output_size = static_cast<int>(plan.output_size());
  in.inputs = ci_count;
  if (plan.in_pieces()) {
    in.sums(i) = sums(i);
    in.adds = part.channels < part.block_channels;
    in.first_input = first_input;
    in.inputs = plan.piece_inputs;
    if (ci_count % plan.piece_inputs != 0) {
      in.inputs = Halide::min(plan.piece_inputs, ci_count - first_input);
    }
  }
  in.first_channel = part.first_channel;
  in.block_channels = channels;
  in.channels = part.channels;
  in.block = block;
  in.blocks = blocks_of_tile(plan, part);
  in.lanes = plan.target.lanes;
  in.heights = part.tile.heights;
  if (wants_next_panel(plan, part) && reads_one_run(plan)) {
    in.packed = by_name(hinted);
    in.packed_at = static_cast<int>(part.weights_at);
    in.tiles = static_cast<int>(box_pixels(plan) / part.tile.heights.front());
  }
  if (wants_next_tile(plan, part)) {
    in.near_x = by_name(x);
    in.near_y = by_name(sums);
  }
  in.fused = plan.target.fused();
  const Activation& activation = plan.spec.checked.options.activation_fn;
  generators::WholeLayer layer(
      in, [&](const Expr& sum) { return plan.in_pieces() ? sum : finish(activation, sum); });
  schedules::schedule_whole_layer(layer,
                                  {.lanes = plan.target.lanes,
                                   .vectors = part.tile.vectors,
                                   .pixels = part.tile.heights.front(),
                                   .unroll = part.tile.unroll},
                                  part.channels);
  end_at_zero(layer.y);
  integers.push_back(first_input);
  integers.insert(integers.end(), extents.begin(), extents.end());
  Leaf leaf(module, plan.spec.name + "_part_" + std::to_string(part.first_channel), layer.y,
            {sums, packed, hinted, x, table}, integers);
  leaf.reads_output(sums);
  leaf.writes("y");
  return leaf;
}

}  // namespace

std::vector<int> packed_taps(const PlannedAxis& axis) {
  std::vector<int> taps;
  for (const Phase& phase : axis.phases.with_taps()) {
    for (Index j = 0; j < phase.taps; ++j) {
      const Index tap = phase.first_tap + j * axis.phases.tap_step();
      taps.push_back(static_cast<int>(tap * axis.combined));
    }
  }
  return taps;
}

Leaf weight_packing(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part) {
  const ImageParam kernel = elements(halide_type(plan.spec.dtype()), "kernel");
  Var i("i");
  generators::PackInputs in = pack_inputs(plan, part);
  in.kernel(i) = kernel(i);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[axis];
    in.filter[axis] = static_cast<int>(of.phases.filter());
    in.kernel_taps[axis] = static_cast<int>(of.axis.filter);
    in.tap[axis] = constants(packed_taps(of));
  }
  const int rows = static_cast<int>(plan.taps() * plan.input_size());
  const Func weights = generators::packed_weights(in);
  const auto buffer = weights.output_buffer();
  buffer.dim(0).set_bounds(0, part.block_channels);
  buffer.dim(1).set_bounds(0, rows).set_stride(part.block_channels);
  buffer.dim(2).set_bounds(0, part.blocks).set_stride(rows * part.block_channels);
  return Leaf(module, plan.spec.name + "_pack_" + std::to_string(part.first_channel), weights,
              {kernel}, {});
}

Leaf bias_packing(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part) {
  const ImageParam bias = elements(halide_type(plan.spec.dtype()), "bias");
  Var i("i");
  generators::PackInputs in = pack_inputs(plan, part);
  if (plan.spec.checked.options.use_bias) in.bias(i) = bias(i);
  const Func start = generators::packed_bias(in);
  const auto buffer = start.output_buffer();
  buffer.dim(0).set_bounds(0, part.block_channels);
  buffer.dim(1).set_bounds(0, part.blocks).set_stride(part.block_channels);
  return Leaf(module, plan.spec.name + "_pack_" + std::to_string(part.first_channel) + "_bias",
              start, {bias}, {});
}

Leaf fill_leaf(Halide::Module& module, const LayerPlan& plan, bool finished,
               const Buffer<void>& constant) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  ImageParam packed = elements(type, "packed");
  Param<int> first("first_pixel"), pixels("pixels");
  // Biases of all parts lie one after the other.
  const Func values = packed_values(constant, packed);
  const auto value = [&](const Expr& channel) {
    const Expr bias = values(static_cast<int>(plan.parts.front().bias_at) + channel);
    return finished ? finish(plan.spec.checked.options.activation_fn, bias) : bias;
  };
  generators::RepeatedPixel pixel(type, static_cast<int>(plan.output_size()), plan.target.lanes,
                                  first, pixels, value);
  pixel.schedule();
  end_at_zero(pixel.y);
  Leaf leaf(module, plan.spec.name + "_fill", pixel.y, {packed}, {first, pixels});
  leaf.writes("y");
  return leaf;
}

Leaf finish_leaf(Halide::Module& module, const LayerPlan& plan) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  ImageParam sums = elements(type, "sums");
  Param<int> pixels("pixels");
  Halide::RDom u(0, pixels * static_cast<int>(plan.output_size()), "u");
  Var i("i");
  Func y("y");
  y(i) = Halide::undef(type);
  y(u) = finish(plan.spec.checked.options.activation_fn, sums(u));
  y.update().allow_race_conditions().vectorize(u, plan.target.lanes);
  end_at_zero(y);
  Leaf leaf(module, plan.spec.name + "_finish", y, {sums}, {pixels});
  leaf.reads_output(sums);
  leaf.writes("y");
  return leaf;
}

LayerPipelines add_pipelines(Halide::Module& module, const LayerPlan& plan,
                             const Buffer<void>& packed) {
  LayerPipelines pipelines{.weights = packed.defined() ? address_of(packed) : packed_weights(plan)};
  for (int axis = 0; axis < 3; ++axis) {
    if (plan.axes[static_cast<std::size_t>(axis)].input) continue;
    pipelines.segments[static_cast<std::size_t>(axis)] = add_table(module, plan, axis);
  }
  if (!plan.autoscheduler.empty()) {
    pipelines.parts.push_back(
        autoscheduled_layer(module, plan, packed, kHeap, pipelines.heap_bytes));
  } else {
    for (const PlannedPart& part : plan.parts) {
      pipelines.parts.push_back(add_part(module, plan, part, packed));
    }
    if (plan.in_pieces() || plan.fills_gaps) {
      pipelines.fill = fill_leaf(module, plan, plan.fills_gaps, packed);
    }
    if (plan.in_pieces() && !is_linear(plan)) pipelines.finish = finish_leaf(module, plan);
  }
  if (plan.spec.embeds_weights()) return pipelines;
  for (const PlannedPart& part : plan.parts) {
    pipelines.pack_weights.push_back(weight_packing(module, plan, part));
    pipelines.pack_bias.push_back(bias_packing(module, plan, part));
  }
  return pipelines;
}

}  // namespace upconv::compiler
