#include "driver.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "blocks.h"
#include "chunk.h"
#include "heap.h"
#include "statements.h"
#include "tables.h"
#include "whole_layer.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Argument;
using Halide::cast;
using Halide::Expr;
using Halide::Int;

Expr integer(const std::string& name) { return Halide::Internal::Variable::make(Int(32), name); }

/// Output length and offset of a window, in 64 bits; the formulas are those of upconv/shape.h.
struct WindowExprs {
  Expr output, offset;
};
WindowExprs infer_window_expr(const Axis& axis, const Expr& input) {
  const auto number = [](Index value) { return make_const(Int(64), value); };
  const Expr steps = (input - number(1)) * number(axis.stride);
  const Index reach = (axis.filter - 1) * axis.dilation + 1;
  const Expr full = steps + number(reach);
  if (axis.padding == Padding::Kind::kExplicit) {
    return {full + number(axis.output_padding.value_or(0) - axis.crop_begin - axis.crop_end),
            number(axis.crop_begin)};
  }
  if (axis.padding == Padding::Kind::kValid) {
    return {axis.output_padding ? full + number(*axis.output_padding)
                                : steps + number(std::max(reach, axis.stride)),
            number(0)};
  }
  const Expr output = axis.output_padding ? steps + number(reach % 2 + *axis.output_padding)
                                          : input * number(axis.stride);
  return {output, Halide::max(full - output, number(0)) / number(2)};
}

/// The call's integers by name, in the order in which they must be computed.
class Values {
 public:
  Expr add(const std::string& name, const Expr& value) {
    lets_.emplace_back(name, value);
    return Halide::Internal::Variable::make(value.type(), name);
  }
  Stmt around(Stmt body) const {
    for (std::size_t n = lets_.size(); n-- > 0;) {
      body = LetStmt::make(lets_[n].first, lets_[n].second, body);
    }
    return body;
  }

 private:
  std::vector<std::pair<std::string, Expr>> lets_;
};

/// Names of the axes d, h, w.
constexpr std::array<const char*, 3> kAxisNames = {"depth", "height", "width"};

class Driver {
 public:
  Driver(Halide::Module& module, const LayerPlan& plan, const LayerPipelines& pipelines)
      : module_(module), plan_(plan), pipelines_(pipelines) {}

  void add_run() {
    add_function(module_, plan_, "_run", run_arguments(plan_), check_extents(walk()));
  }

  void add_pack() {
    add_function(module_, plan_, "_pack", pack_arguments(plan_),
                 pack_parts(plan_, pipelines_.pack_weights, pipelines_.pack_bias));
  }

 private:
  /// Names for the extents of a call, each checked before it is used, around `body`.
  Stmt check_extents(Stmt body) const {
    const auto wide = [](const Expr& value) { return cast(Int(64), value); };
    const Expr most = make_const(Int(64), kMostElements);
    // A factor at a time, so that no product overflows.
    const auto require_small = [&](Index channels, auto extent_of) {
      Expr size = wide(images()) * make_const(Int(64), channels);
      std::vector<Stmt> checks = {require(size <= most, kRunTooLarge)};
      for (int axis = 0; axis < 3; ++axis) {
        size = size * wide(extent_of(axis));
        checks.push_back(require(size <= most, kRunTooLarge));
      }
      return Block::make(checks);
    };
    // From the inside out: the sizes of x and y, then one axis after the other.
    if (!plan_.is_fixed()) {
      body = Block::make(
          {require_small(plan_.input_size(), [&](int axis) { return input(axis); }),
           require_small(plan_.output_size(), [&](int axis) { return output(axis); }), body});
    }
    for (int axis = 2; axis >= 0; --axis) {
      const PlannedAxis& of = plan_.axes[static_cast<std::size_t>(axis)];
      if (of.input) continue;
      const std::string name = kAxisNames[static_cast<std::size_t>(axis)];
      const WindowExprs window = infer_window_expr(of.axis, wide(integer(name)));
      const Expr length = Halide::Internal::Variable::make(Int(64), name + "_length");
      body = LetStmt::make(name + "_offset", cast(Int(32), window.offset), body);
      body = LetStmt::make(name + "_output", cast(Int(32), length), body);
      body = Block::make({require(length >= make_const(Int(64), 0), kRunBadExtent),
                          require(length <= most, kRunTooLarge), body});
      body = LetStmt::make(name + "_length", window.output, body);
      body = require_extent(
          name, plan_.spec.most_extents[static_cast<std::size_t>(axis - (3 - plan_.spec.rank()))],
          body);
    }
    if (!plan_.spec.images) body = require_extent("images", plan_.spec.most_images, body);
    return body;
  }

  Expr images() const {
    return plan_.spec.images ? Expr(static_cast<int>(*plan_.spec.images)) : integer("images");
  }
  Expr value(int axis, const char* suffix, std::optional<Index> known) const {
    if (plan_.axes[static_cast<std::size_t>(axis)].input) return static_cast<int>(*known);
    return integer(std::string(kAxisNames[static_cast<std::size_t>(axis)]) + suffix);
  }
  Expr input(int axis) const {
    return value(axis, "", plan_.axes[static_cast<std::size_t>(axis)].input);
  }
  Expr output(int axis) const {
    return value(axis, "_output", plan_.axes[static_cast<std::size_t>(axis)].window.output);
  }
  Expr offset(int axis) const {
    return value(axis, "_offset", plan_.axes[static_cast<std::size_t>(axis)].window.offset);
  }

  /// Slabs of x: images, or if one is too large, ranges of its slowest axis, whose x stays in the
  /// second-level cache while all phases and parts read it.
  Stmt walk() const {
    if (!plan_.autoscheduler.empty()) return call_schedule();
    Values values;
    const int slow = plan_.slow_axis;
    const Index pixel_bytes = plan_.input_size() * static_cast<Index>(plan_.element_bytes());
    // In pieces, x of a slab is what weights are read for, not what is read again at once.
    const Index slab = plan_.in_pieces()
                           ? std::min(internal::kChunkPixels * pixel_bytes, kMostElements)
                           : Index{plan_.target.slab_bytes};
    Expr row = static_cast<int>(pixel_bytes);
    for (int axis = slow + 1; axis < 3; ++axis) row = row * input(axis);
    const Expr row_bytes = values.add("row_bytes", Halide::max(row, 1));
    Expr most_rows = static_cast<int>(slab) / row_bytes;
    if (!plan_.in_pieces()) most_rows = Halide::min(most_rows, rows_of_outputs());
    const Expr rows = values.add("rows", Halide::max(most_rows, 1));
    const Expr whole = values.add("whole", rows >= input(slow));
    const Expr together = values.add(
        "together", select(whole, Halide::max(rows / Halide::max(input(slow), 1), 1), 1));
    const int stride = static_cast<int>(plan_.axes[static_cast<std::size_t>(slow)].axis.stride);
    const Expr first = values.add("first_q", offset(slow) / stride);
    const Expr end = values.add("end_q", (offset(slow) + output(slow) - 1) / stride + 1);
    const Expr step = values.add("step", select(whole, Halide::max(end - first, 1), rows));

    const Expr n = integer("slab_n") * together, q = first + integer("slab_q") * step;
    const std::vector<Expr> slab_integers = {n, Halide::min(n + together, images()), q,
                                             Halide::min(q + step, end)};
    std::vector<Stmt> parts;
    if (plan_.fills_gaps) parts.push_back(fill_slab(slab_integers));
    for (std::size_t n_part = 0; n_part < plan_.parts.size(); ++n_part) {
      parts.push_back(walk_part(n_part, slab_integers));
    }
    const Stmt slabs = loop("slab_n", (images() + together - 1) / together,
                            loop("slab_q", (end - first + step - 1) / step, Block::make(parts)));
    std::vector<Stmt> all = make_tables();
    if (plan_.in_pieces()) all.push_back(fill(0, pixels()));
    all.push_back(values.around(slabs));
    if (pipelines_.finish) all.push_back(pipelines_.finish->call({pointer("y")}, {pixels()}));
    return Block::make(all);
  }

  /// All blocks of a part, one after the other, so that the weights of a block stay in cache: of
  /// each all phases, for the same reason, and of a phase all boxes; or in pieces, all taps. (Or
  /// tiles walk the blocks.)
  Stmt walk_part(std::size_t part, const std::vector<Expr>& slab) const {
    std::vector<Expr> integers = slab;
    integers.push_back(integer("block"));
    std::vector<std::pair<std::string, Expr>> phases, rows;
    for (int axis = 0; axis < 3; ++axis) {
      const std::string name = kAxisNames[static_cast<std::size_t>(axis)];
      const TableShape shape = table_shape(plan_, axis);
      phases.emplace_back(name + "_phase", shape.phases);
      rows.emplace_back(name + "_row", shape.rows);
      integers.push_back(integer(name + "_phase") * shape.rows + integer(name + "_row"));
    }
    integers.push_back(integer("piece") * plan_.piece_inputs);
    for (int axis = 0; axis < 3; ++axis) {
      if (plan_.axes[static_cast<std::size_t>(axis)].input) continue;
      integers.push_back(input(axis));
      integers.push_back(output(axis));
    }
    const int pieces =
        plan_.in_pieces()
            ? static_cast<int>(internal::ceil_div(plan_.input_size(), plan_.piece_inputs))
            : 1;
    Stmt body = loop("piece", pieces,
                     pipelines_.parts[part].call({packed_weights(plan_), pipelines_.weights,
                                                  pointer("x"), pointer("scratch"), pointer("y")},
                                                 integers));
    for (auto loops : {rows, phases}) {
      for (; !loops.empty(); loops.pop_back()) {
        body = loop(loops.back().first, loops.back().second, body);
      }
    }
    const PlannedPart& of = plan_.parts[part];
    return loop("block", of.blocks / blocks_of_tile(plan_, of), body);
  }

  /// Of the slowest axis, positions whose outputs stay in the second-level cache while blocks and
  /// phases write them, a part of each line at a time; but not so few that weights, read for every
  /// slab, are more.
  Expr rows_of_outputs() const {
    const auto size = static_cast<Index>(plan_.element_bytes());
    const auto most =
        static_cast<int>(std::max(internal::kSlabOutputBytes / size, plan_.packed_elements));
    const auto stride =
        static_cast<int>(plan_.axes[static_cast<std::size_t>(plan_.slow_axis)].axis.stride);
    const Expr row = Halide::min(stride, output(plan_.slow_axis)) * row_pixels() *
                     static_cast<int>(plan_.output_size());
    return most / Halide::max(row, 1);
  }

  /// Pixels of y: all, and those of one output of the slowest axis.
  Expr pixels() const { return images() * output(plan_.slow_axis) * row_pixels(); }
  Expr row_pixels() const {
    Expr count = 1;
    for (int axis = plan_.slow_axis + 1; axis < 3; ++axis) count = count * output(axis);
    return count;
  }

  Stmt fill(const Expr& first, const Expr& count) const {
    return fill_pixels(plan_, *pipelines_.fill, first, count);
  }
  /// The outputs of a slab of images [0] to [1] and positions [2] to [3], which lie in one run.
  Stmt fill_slab(const std::vector<Expr>& slab) const {
    const int slow = plan_.slow_axis;
    const int stride = static_cast<int>(plan_.axes[static_cast<std::size_t>(slow)].axis.stride);
    const auto output_of = [&](const Expr& q) {
      const Expr at = cast(Int(64), q) * make_const(Int(64), stride) - cast(Int(64), offset(slow));
      return cast(Int(32), Halide::clamp(at, 0, cast(Int(64), output(slow))));
    };
    const Expr first = slab[0] * output(slow) + output_of(slab[2]);
    const Expr last = (slab[1] - 1) * output(slow) + output_of(slab[3]);
    return fill(first * row_pixels(), (last - first) * row_pixels());
  }

  /// An autoscheduled layer, with the scratch that it needs from an aligned address on.
  Stmt call_schedule() const {
    const Expr last = make_const(Halide::UInt(64), kHeapAlignment - 1);
    const Expr begin = reinterpret(Halide::UInt(64), pointer("scratch"));
    return LetStmt::make(
        kHeap, reinterpret(Halide::Handle(), (begin + last) & ~last),
        pipelines_.parts.front().call({packed_weights(plan_), pointer("x"), pointer("y")}, {}));
  }

  std::vector<Stmt> make_tables() const {
    std::vector<Stmt> calls;
    for (int axis = 0; axis < 3; ++axis) {
      const auto& leaf = pipelines_.segments[static_cast<std::size_t>(axis)];
      if (!leaf) continue;
      const Index at = first_table_row(plan_, axis) * generators::kSegmentColumns;
      calls.push_back(
          leaf->call({address(Int(32), "scratch", at)}, {input(axis), output(axis), offset(axis)}));
    }
    return calls;
  }

  Halide::Module& module_;
  const LayerPlan& plan_;
  const LayerPipelines& pipelines_;
};

}  // namespace

void add_functions(Halide::Module& module, const LayerPlan& plan, const LayerPipelines& pipelines) {
  Driver driver(module, plan, pipelines);
  driver.add_run();
  if (!plan.spec.embeds_weights()) driver.add_pack();
}

LoweredArgument argument(const std::string& name, Halide::Type type) {
  return LoweredArgument(name, Argument::InputScalar, type, 0, Halide::ArgumentEstimates{});
}

Expr output_length(const Axis& axis, const Expr& input) {
  return infer_window_expr(axis, input).output;
}

std::vector<LoweredArgument> run_arguments(const LayerPlan& plan) {
  std::vector<LoweredArgument> arguments;
  if (!plan.spec.embeds_weights()) arguments.push_back(argument("packed", Halide::Handle()));
  arguments.push_back(argument("x", Halide::Handle()));
  for (const std::string& name : extent_arguments(plan)) {
    arguments.push_back(argument(name, Int(32)));
  }
  arguments.push_back(argument("y", Halide::Handle()));
  arguments.push_back(argument("scratch", Halide::Handle()));
  return arguments;
}

std::vector<LoweredArgument> pack_arguments(const LayerPlan& plan) {
  std::vector<LoweredArgument> arguments = {argument("kernel", Halide::Handle())};
  if (plan.spec.checked.options.use_bias) arguments.push_back(argument("bias", Halide::Handle()));
  arguments.push_back(argument("packed", Halide::Handle()));
  return arguments;
}

std::vector<std::string> extent_arguments(const LayerPlan& plan) {
  std::vector<std::string> names;
  if (!plan.spec.images) names.emplace_back("images");
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (!plan.axes[axis].input) names.emplace_back(kAxisNames[axis]);
  }
  return names;
}

}  // namespace upconv::compiler
