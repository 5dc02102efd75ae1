#include "narrow_leaves.h"

#include <algorithm>
#include <string>
#include <utility>

#include "elements.h"
#include "finish.h"
#include "narrow_tiles.h"

namespace upconv::compiler {

namespace {

using Halide::Buffer;
using Halide::Expr;
using Halide::Func;
using Halide::ImageParam;
using Halide::Param;
using Halide::RDom;
using Halide::Var;

class Leaves {
 public:
  Leaves(Halide::Module& module, const LayerPlan& plan, const Buffer<void>& constant)
      : module_(module),
        plan_(plan),
        narrow_(*plan.narrow),
        constant_(constant),
        type_(halide_type(plan.spec.dtype())),
        lanes_(plan.target.lanes) {}

  Leaf copy() const {
    const ImageParam x = elements(type_, "x");
    Param<int> inputs("inputs");
    Func from("from");
    Var k("k"), i("i");
    from(k, i) = x(inside(i * input_size() + k));
    generators::Transposed row(from);
    if (has_squares()) {
      schedules::schedule_transposed(row, static_cast<int>(square_side()));
    } else if (least_filled() >= lanes_) {
      schedules::schedule_few_rows(row, lanes_);
    }
    bound_planes(row.out, inputs);
    return leaf("copy", "planes", row.out, {x}, {inputs});
  }

  Index square() const {
    // Stores at known distances behind a known part of a line end up elsewhere: LLVM 21's 32-bit
    // ARM counts that part twice where it lets a store advance the address of the next.
    const Halide::Target& target = plan_.target.halide;
    if (target.arch == Halide::Target::ARM && target.bits == 32) return 1;
    return has_squares() ? square_side() : 1;
  }

  Leaf clear(Index columns) const {
    Func zeros("zeros");
    Var i("i"), k("k");
    zeros(i, k) = Halide::Internal::make_zero(type_);
    if (columns >= lanes_) zeros.vectorize(i, lanes_, Halide::TailStrategy::ShiftInwards);
    bound_planes(zeros, static_cast<int>(columns));
    return leaf("clear", "planes", zeros, {}, {});
  }

  Leaf move() const {
    const ImageParam planes = elements(type_, "planes");
    Param<int> columns("columns");
    const auto moved = static_cast<int>(narrow_.strip_h * narrow_.pitch[2]);
    const RDom r(0, columns, 0, input_size(), "r");
    Func to("to");
    Var i("i");
    to(i) = Halide::undef(type_);
    const Expr at = r[1] * static_cast<int>(narrow_.plane) + r[0];
    to(inside(at)) = planes(inside(at + moved));
    // In order, and a vector is read before it is written.
    if (moved >= lanes_) {
      to.update().allow_race_conditions().vectorize(r[0], lanes_,
                                                    Halide::TailStrategy::GuardWithIf);
    }
    to.output_buffer().dim(0).set_min(0).set_extent(2147483647).set_stride(1);
    return leaf("move", "planes", to, {}, {columns}, &planes);
  }

  Leaf sums(const NarrowGroup& group) const {
    const ImageParam packed = elements(type_, "packed"), planes = elements(type_, "planes");
    Param<int> tiles("tiles");
    Var i("i");
    generators::NarrowInputs in{.bias_at = static_cast<int>(narrow_.bias_at) + group.first_channel,
                                .input_size = input_size(),
                                .plane = static_cast<int>(narrow_.plane),
                                .phases = group.phases,
                                .channels = group.channels,
                                .pieces = group.pieces,
                                .fused = plan_.target.fused(),
                                .type = type_};
    in.planar(i) = planes(inside(i));
    const ImageParam ahead = elements(type_, "ahead");
    if (plan_.hints && group.ahead_lines > 0) in.ahead = by_name(ahead);
    in.ahead_lines = static_cast<int>(group.ahead_lines);
    in.width = group.vectors * lanes_;
    in.lanes = lanes_;
    const Func values = packed_values(constant_, packed);
    in.values(i) = values(inside(i));
    generators::NarrowSums sums(in);
    const int width = group.vectors * lanes_;
    schedules::schedule_narrow_sums(sums, in, lanes_, group.vectors, kUnroll);
    const auto buffer = sums.sums.output_buffer();
    buffer.dim(0).set_bounds(0, tiles * width);
    const auto step = [&](int d, int h, int w) {
      return static_cast<int>(narrow_.row(d, h, w, plan_.output_size()) * narrow_.sums_step);
    };
    const int steps[] = {static_cast<int>(narrow_.sums_step), step(0, 0, 1), step(0, 1, 0),
                         step(1, 0, 0)};
    const int extents[] = {group.channels, group.phases[2], group.phases[1], group.phases[0]};
    for (int n = 0; n < 4; ++n) {
      buffer.dim(n + 1).set_bounds(0, extents[n]).set_stride(steps[n]);
    }
    return leaf("sums", "sums", sums.sums, {packed, planes, ahead}, {tiles});
  }

  /// All outputs of some positions, which are next to one another in y.
  Leaf write() const {
    const ImageParam sums = elements(type_, "sums");
    Param<int> positions("positions");
    const int columns = row_outputs();
    generators::Transposed row(outputs(sums));
    const std::pair<Index, Index> whole = whole_positions(plan_);
    const Index least = least_of_strips([&](Index strip) {
      const Index begin = strip_begin(plan_, strip);
      return std::min(begin + narrow_.strip_w, whole.second) - std::max(begin, whole.first);
    });
    if (least >= lanes_ && columns > kFewColumns && columns >= lanes_) {
      schedules::schedule_transposed(row, lanes_);
    } else if (least >= lanes_) {
      schedules::schedule_few_columns(row, lanes_);
    }
    const auto buffer = row.out.output_buffer();
    buffer.dim(0).set_bounds(0, columns);
    buffer.dim(1).set_bounds(0, positions).set_stride(columns);
    return leaf("write", "y", row.out, {sums}, {positions});
  }

  Leaf write_some() const {
    const ImageParam sums = elements(type_, "sums");
    Param<int> first("first"), count("count");
    Var i("i");
    Func some("some");
    some(i) = outputs(sums)(0, i);
    some.output_buffer().dim(0).set_bounds(first, count);
    return leaf("write_some", "y", some, {sums}, {first, count});
  }

  Leaf pack_weights(const NarrowGroup& group, std::size_t piece) const {
    const ImageParam kernel = elements(type_, "kernel");
    const std::vector<int> list = kernel_elements(plan_, group, piece);
    const auto& of = group.pieces[piece];
    const int rows = of.phases[0] * of.phases[1] * of.phases[2] * group.channels;
    const int taps = static_cast<int>(list.size()) / rows;
    Buffer<int> table(static_cast<int>(list.size()));
    std::copy(list.begin(), list.end(), table.begin());
    Var row("row"), ci("ci"), tap("tap");
    Func weights("weights");
    const Expr at = Halide::unsafe_promise_clamped(tap * rows + row, 0, rows * taps - 1);
    weights(row, ci, tap) = kernel(inside(table(at) + ci * static_cast<int>(plan_.output_size())));
    const auto buffer = weights.output_buffer();
    buffer.dim(0).set_bounds(0, rows);
    buffer.dim(1).set_bounds(0, input_size()).set_stride(rows);
    buffer.dim(2).set_bounds(0, taps).set_stride(rows * input_size());
    return leaf("pack", "packed", weights, {kernel}, {});
  }

  Leaf pack_bias() const {
    const ImageParam bias = elements(type_, "bias");
    Var c("c");
    Func start("start");
    start(c) = plan_.spec.checked.options.use_bias ? bias(c) : Halide::Internal::make_zero(type_);
    start.output_buffer().dim(0).set_bounds(0, static_cast<int>(plan_.output_size()));
    return leaf("pack_bias", "packed", start, {bias}, {});
  }

 private:
  static constexpr int kUnroll = 2;       ///< input channels of a step
  static constexpr int kFewColumns = 12;  ///< that are interleaved at once

  int input_size() const { return static_cast<int>(plan_.input_size()); }
  /// Of a processor whose vectors are wider, as well: squares of more than 16 bytes take more
  /// instructions an element.
  Index square_side() const { return std::min(lanes_, 16 / type_.bytes()); }
  bool has_squares() const {
    return input_size() >= square_side() && least_filled() >= square_side();
  }
  /// The fewest columns that inputs fill, where they fill any.
  Index least_filled() const {
    return least_of_strips([&](Index strip) { return filled_columns(plan_, strip).count; });
  }
  /// The least count(strip) of the strips along w that have any; at most strip_w.
  template <typename Count>
  Index least_of_strips(Count count) const {
    Index least = narrow_.strip_w;
    for (Index strip = 0; strip < narrow_.strips(2); ++strip) {
      if (const Index of_strip = count(strip); of_strip > 0) least = std::min(least, of_strip);
    }
    return least;
  }
  /// @param memory what others call the output
  /// @param own the pointer by which it reads its output; null: none
  Leaf leaf(const std::string& what, const std::string& memory, const Func& output,
            std::vector<ImageParam> pointers, const std::vector<Param<int>>& integers,
            const ImageParam* own = nullptr) const {
    if (own != nullptr) pointers.push_back(*own);
    Leaf made(module_, plan_.spec.name + "_" + what, output, pointers, integers);
    if (own != nullptr) made.reads_output(*own);
    made.writes(memory);
    return made;
  }
  /// Outputs of a position in a row of y.
  int row_outputs() const {
    return static_cast<int>(plan_.axes[2].axis.stride * plan_.output_size());
  }

  void bound_planes(const Func& planes, const Expr& columns) const {
    const auto buffer = planes.output_buffer();
    buffer.dim(0).set_bounds(0, columns);
    buffer.dim(1).set_bounds(0, input_size()).set_stride(static_cast<int>(narrow_.plane));
  }

  /// (position, output of it).
  Func outputs(const ImageParam& sums) const {
    const std::vector<int>& order = narrow_.axes[2].order;
    const int channels = static_cast<int>(plan_.output_size());
    Var q("q"), e("e");
    Expr phase = e / channels;
    bool ordered = true;
    for (std::size_t n = 0; n < order.size(); ++n) ordered &= order[n] == static_cast<int>(n);
    Expr row = e;
    if (!ordered) {
      Expr at = order[0];
      for (std::size_t n = 1; n < order.size(); ++n) {
        at = Halide::select(phase == static_cast<int>(n), order[n], at);
      }
      row = at * channels + e % channels;
    }
    Func outputs("outputs");
    outputs(q, e) = finish(plan_.spec.checked.options.activation_fn,
                           sums(inside(row * static_cast<int>(narrow_.sums_step) + q)));
    return outputs;
  }

  Halide::Module& module_;
  const LayerPlan& plan_;
  const NarrowPlan& narrow_;
  const Buffer<void>& constant_;
  Halide::Type type_;
  int lanes_;
};

}  // namespace

std::pair<Index, Index> whole_positions(const LayerPlan& plan) {
  const NarrowAxis& w = plan.narrow->axes[2];
  const Index stride = plan.axes[2].axis.stride;
  const Window& window = plan.axes[2].window;
  const Index first = internal::ceil_div(window.offset, stride) - w.first_q;
  const Index end = internal::floor_div(window.offset + window.output, stride) - w.first_q;
  return {first, std::max(first, end)};
}

Index strip_begin(const LayerPlan& plan, Index strip) {
  const NarrowPlan& narrow = *plan.narrow;
  return std::min(strip * narrow.strip_w, narrow.axes[2].positions - narrow.strip_w);
}

FilledColumns filled_columns(const LayerPlan& plan, Index strip) {
  const NarrowPlan& narrow = *plan.narrow;
  const Index input = narrow.axes[2].first_q + strip_begin(plan, strip) - narrow.axes[2].reach_most;
  const Index first = std::clamp<Index>(-input, 0, narrow.pitch[2]);
  const Index end = std::clamp(*plan.axes[2].input - input, first, narrow.pitch[2]);
  return {.first = first, .count = end - first, .input = input + first};
}

Index edge_columns(const LayerPlan& plan) {
  const NarrowPlan& narrow = *plan.narrow;
  Index most = 0;
  for (Index strip = 0; strip < narrow.strips(2); ++strip) {
    const FilledColumns filled = filled_columns(plan, strip);
    most = std::max({most, filled.first, narrow.pitch[2] - filled.first - filled.count});
  }
  const Index columns = internal::ceil_div(most, plan.target.lanes) * plan.target.lanes;
  return columns <= narrow.pitch[2] && columns <= plan.target.lanes ? columns : 0;
}

NarrowLeaves add_narrow_leaves(Halide::Module& module, const LayerPlan& plan,
                               const Buffer<void>& packed) {
  const NarrowPlan& narrow = *plan.narrow;
  const Leaves make(module, plan, packed);
  NarrowLeaves leaves;
  leaves.copy = make.copy();
  leaves.square = make.square();
  if (const Index columns = edge_columns(plan); columns > 0)
    leaves.clear_edge = make.clear(columns);
  leaves.clear_row = make.clear(narrow.pitch[2]);
  if (narrow.strips(1) > 1) leaves.move = make.move();
  for (const NarrowGroup& group : narrow.groups) leaves.sums.push_back(make.sums(group));
  leaves.write = make.write();
  leaves.write_some = make.write_some();
  if (plan.spec.embeds_weights()) return leaves;
  for (const NarrowGroup& group : narrow.groups) {
    for (std::size_t n = 0; n < group.pieces.size(); ++n) {
      leaves.pack_weights.push_back(make.pack_weights(group, n));
    }
  }
  leaves.pack_bias = make.pack_bias();
  return leaves;
}

}  // namespace upconv::compiler
