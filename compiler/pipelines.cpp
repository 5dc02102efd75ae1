#include "pipelines.h"

#include <algorithm>
#include <string>
#include <utility>

#include "autoschedule.h"
#include "finish.h"
#include "layer_tiles.h"
#include "pack_layer.h"
#include "phases.h"
#include "segments.h"
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
using internal::AxisPhases;
using internal::CallAxis;
using internal::Phase;
using internal::Segment;

Halide::Type halide_type(DType dtype) {
  return dtype == DType::kFloat32 ? Halide::Float(32) : Halide::Float(64);
}

Func constants(const std::vector<int>& values) {
  Buffer<int> buffer(static_cast<int>(values.size()));
  std::copy(values.begin(), values.end(), buffer.begin());
  Var i("i");
  Func f;
  f(i) = buffer(i);
  return f;
}

/// Elements that start at 0, as a pointer is.
ImageParam elements(Halide::Type type, const char* name) {
  ImageParam param(type, 1, name);
  param.dim(0).set_min(0).set_extent(2147483647).set_stride(1);
  return param;
}

void end_at_zero(const Func& output) {
  output.output_buffer().dim(0).set_min(0).set_extent(2147483647).set_stride(1);
}

/// The segments of an axis whose extents are known: the rows that are not empty.
Buffer<int> known_segments(const PlannedAxis& axis) {
  std::vector<std::array<int, kSegmentColumns>> rows;
  const auto number = [](Index value) { return static_cast<int>(value); };
  const Index width = axis.combined, offset = axis.window.offset, output = axis.window.output;
  CallAxis call{&axis.phases, *axis.input, axis.window};
  if (width > 1) {  // the window in blocks
    call.window.offset = internal::floor_div(offset, width);
    call.window.output = internal::floor_div(offset + output - 1, width) + 1 - call.window.offset;
  }
  const auto add = [&](const Phase& phase, const Segment& segment, Index low, Index high) {
    rows.push_back({number(segment.begin), number(segment.end),
                    number(phase.taps_before + segment.tap_begin),
                    number(segment.tap_end - segment.tap_begin),
                    number(-phase.origin - segment.tap_begin * axis.phases.input_step()),
                    number(phase.residue - offset), number(low), number(high)});
  };
  call.for_each_phase([&](const Phase& phase) {
    internal::for_each_segment(
        call, phase, call.q_begin(), call.q_end(), [&](const Segment& segment) {
          if (width == 1) return add(phase, segment, 0, 1);
          // Blocks that the window cuts are rows of their own.
          const Index whole_end = internal::floor_div(offset + output, width);
          for (Segment rest = segment; rest.begin < segment.end; rest.begin = rest.end) {
            const Index low = std::max<Index>(0, offset - rest.begin * width);
            const Index high = std::min(width, offset + output - rest.begin * width);
            const bool cut = low > 0 || high < width;
            rest.end = cut ? rest.begin + 1 : std::min(segment.end, whole_end);
            add(phase, rest, low, high);
          }
        });
  });
  if (rows.empty()) rows.push_back({});  // an empty output: nothing is walked
  Buffer<int> table(kSegmentColumns, number(static_cast<Index>(rows.size())));
  for (int e = 0; e < table.dim(1).extent(); ++e) {
    for (int column = 0; column < kSegmentColumns; ++column) {
      table(column, e) = rows[static_cast<std::size_t>(e)][static_cast<std::size_t>(column)];
    }
  }
  return table;
}

Leaf add_segments(Halide::Module& module, const LayerPlan& plan, int axis) {
  const PlannedAxis& planned = plan.axes[static_cast<std::size_t>(axis)];
  const AxisPhases& phases = planned.phases;
  std::vector<int> taps, before, origin;
  for (Index residue = 0; residue < phases.stride(); ++residue) {
    const Phase phase = phases.phase(residue);
    taps.push_back(static_cast<int>(phase.taps));
    before.push_back(static_cast<int>(phase.taps_before));
    origin.push_back(static_cast<int>(phase.origin));
  }
  Param<int> input("input"), output("output"), offset("offset");
  Func table =
      generators::segment_table({.taps = constants(taps),
                                 .taps_before = constants(before),
                                 .origin = constants(origin),
                                 .combined = static_cast<int>(planned.combined),
                                 .stride = static_cast<int>(phases.stride()),
                                 .step = static_cast<int>(phases.input_step()),
                                 .most_taps = static_cast<int>(phases.with_taps().front().taps),
                                 .input = input,
                                 .output = output,
                                 .offset = offset});
  const int rows = static_cast<int>(free_segments(planned));
  table.output_buffer().dim(0).set_bounds(0, kSegmentColumns);
  table.output_buffer().dim(1).set_bounds(0, rows).set_stride(kSegmentColumns);
  return Leaf(module, plan.spec.name + "_segments_" + std::to_string(axis), table, {},
              {input, output, offset});
}

Leaf add_part(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part,
              const Buffer<void>& constant) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  ImageParam packed = elements(type, "packed"), x = elements(type, "x");
  ImageParam table = elements(Halide::Int(32), "table");
  Param<int> image_begin("image_begin"), image_end("image_end"), q_begin("q_begin"), q_end("q_end");
  std::vector<Param<int>> integers = {image_begin, image_end, q_begin, q_end};
  Var i("i"), c("c"), ci("ci"), tw("tw"), th("th"), td("td"), b("b"), column("column"), e("e");

  Func values("values");
  if (constant.defined()) {
    values(i) = Halide::Internal::Call::make(constant, {i});
  } else {
    values(i) = packed(i);
  }
  const int ci_count = static_cast<int>(plan.input_size()), block = part.block_channels;
  generators::LayerInputs in{.type = type};
  in.x(i) = x(i);
  Expr row = td;
  row = row * static_cast<int>(plan.axes[1].phases.filter()) + th;
  row = row * static_cast<int>(plan.axes[2].phases.filter()) + tw;
  row = row * ci_count + ci;
  const int rows = static_cast<int>(plan.taps()) * ci_count;
  in.w(c, ci, tw, th, td, b) = values(Halide::unsafe_promise_clamped(
      static_cast<int>(part.weights_at) + (b * rows + row) * block + c, 0, 2147483646));
  in.start(i) =
      values(Halide::unsafe_promise_clamped(static_cast<int>(part.bias_at) + i, 0, 2147483646));

  for (int axis = 0; axis < 3; ++axis) {
    const PlannedAxis& planned = plan.axes[static_cast<std::size_t>(axis)];
    generators::LayerAxis& of = in.axes[static_cast<std::size_t>(axis)];
    of.filter = static_cast<int>(planned.phases.filter());
    of.combined = static_cast<int>(planned.combined);
    of.stride = static_cast<int>(planned.axis.stride);
    of.step = static_cast<int>(planned.phases.input_step());
    of.taps_of_phase = static_cast<int>(planned.phases.with_taps().front().taps);
    Func& segments = in.segments[static_cast<std::size_t>(axis)];
    if (planned.input) {
      const Buffer<int> known = known_segments(planned);
      of.segments = known.dim(1).extent();
      of.input = static_cast<int>(*planned.input);
      of.output = static_cast<int>(planned.window.output);
      segments(column, e) = known(column, e);
    } else {
      of.segments = static_cast<int>(free_segments(planned));
      Param<int> input("input_" + std::to_string(axis)), output("output_" + std::to_string(axis));
      of.input = input;
      of.output = output;
      integers.push_back(input);
      integers.push_back(output);
      const int first = static_cast<int>(first_segment_row(plan, axis));
      segments(column, e) = table(
          Halide::unsafe_promise_clamped((first + e) * kSegmentColumns + column, 0, 2147483646));
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
  in.first_channel = part.first_channel;
  in.block_channels = block;
  in.channels = part.channels;
  in.blocks = part.blocks;
  in.heights = part.tile.heights;
  in.fused = plan.target.halide.arch != Halide::Target::X86 ||
             plan.target.halide.has_feature(Halide::Target::FMA);
  const Activation& activation = plan.spec.checked.options.activation_fn;
  generators::WholeLayer layer(in, [&](const Expr& sum) { return finish(activation, sum); });
  schedules::schedule_whole_layer(layer,
                                  {.lanes = plan.target.lanes,
                                   .vectors = part.tile.vectors,
                                   .pixels = part.tile.heights.front(),
                                   .unroll = part.tile.unroll},
                                  part.channels);
  end_at_zero(layer.y);
  return Leaf(module, plan.spec.name + "_part_" + std::to_string(part.first_channel), layer.y,
              {packed, x, table}, integers);
}

void add_packing(Halide::Module& module, const LayerPlan& plan, LayerPipelines& pipelines) {
  const Halide::Type type = halide_type(plan.spec.dtype());
  for (const PlannedPart& part : plan.parts) {
    ImageParam kernel = elements(type, "kernel"), bias = elements(type, "bias");
    Var i("i");
    generators::PackInputs in{.input_size = static_cast<int>(plan.input_size()),
                              .output_size = static_cast<int>(plan.output_size()),
                              .first_channel = part.first_channel,
                              .block_channels = part.block_channels,
                              .blocks = part.blocks,
                              .type = type};
    in.kernel(i) = kernel(i);
    if (plan.spec.checked.options.use_bias) in.bias(i) = bias(i);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const PlannedAxis& of = plan.axes[axis];
      in.filter[axis] = static_cast<int>(of.phases.filter());
      in.kernel_taps[axis] = static_cast<int>(of.axis.filter);
      in.combined[axis] = static_cast<int>(of.combined);
      in.tap[axis] = constants(packed_taps(of));
    }
    const int rows = static_cast<int>(plan.taps() * plan.input_size());
    Func weights = generators::packed_weights(in), start = generators::packed_bias(in);
    weights.output_buffer().dim(0).set_bounds(0, part.block_channels);
    weights.output_buffer().dim(1).set_bounds(0, rows).set_stride(part.block_channels);
    weights.output_buffer()
        .dim(2)
        .set_bounds(0, part.blocks)
        .set_stride(rows * part.block_channels);
    start.output_buffer().dim(0).set_bounds(0, part.block_channels);
    start.output_buffer().dim(1).set_bounds(0, part.blocks).set_stride(part.block_channels);
    const std::string name = plan.spec.name + "_pack_" + std::to_string(part.first_channel);
    pipelines.pack_weights.emplace_back(module, name, weights, std::vector{kernel},
                                        std::vector<Param<int>>{});
    pipelines.pack_bias.emplace_back(module, name + "_bias", start, std::vector{bias},
                                     std::vector<Param<int>>{});
  }
}

}  // namespace

Index first_segment_row(const LayerPlan& plan, int axis) {
  Index row = 0;
  for (int before = 0; before < axis; ++before) {
    const PlannedAxis& of = plan.axes[static_cast<std::size_t>(before)];
    row += of.input ? 0 : free_segments(of);
  }
  return row;
}

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

LayerPipelines add_pipelines(Halide::Module& module, const LayerPlan& plan,
                             const Buffer<void>& packed) {
  LayerPipelines pipelines;
  for (int axis = 0; axis < 3; ++axis) {
    if (plan.axes[static_cast<std::size_t>(axis)].input) continue;
    pipelines.segments[static_cast<std::size_t>(axis)] = add_segments(module, plan, axis);
  }
  if (!plan.autoscheduler.empty()) {
    pipelines.parts.push_back(
        autoscheduled_layer(module, plan, packed, kHeap, pipelines.heap_bytes));
  } else {
    for (const PlannedPart& part : plan.parts) {
      pipelines.parts.push_back(add_part(module, plan, part, packed));
    }
  }
  if (!plan.spec.embeds_weights()) add_packing(module, plan, pipelines);
  return pipelines;
}

}  // namespace upconv::compiler
