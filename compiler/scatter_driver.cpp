#include "scatter_driver.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "scatter_plan.h"
#include "walk_statements.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Expr;

class ScatterDriver {
 public:
  ScatterDriver(Halide::Module& module, const LayerPlan& plan, const ScatterLeaves& leaves)
      : module_(module), plan_(plan), scatter_(*plan.scatter), leaves_(leaves) {}

  /// Chunks of inputs: before one is multiplied, the outputs that it is the first to reach get the
  /// bias, and after it those that no later one reaches the activation, while they are in cache;
  /// where taps do not meet, products have both.
  void add_run() {
    const Expr all = images_of(plan_) * number_of(inputs_of_image());
    const Expr first = integer("first"), end = integer("end");
    const Expr begun = begun_before(first),
               reached = select(end == all, outputs(), begun_before(end));
    std::vector<Stmt> steps;
    if (leaves_.fill) {
      steps.push_back(fill_pixels(plan_, *leaves_.fill, begun * number_of(row_pixels()),
                                  (reached - begun) * number_of(row_pixels())));
    }
    steps.push_back(multiply());
    steps.push_back(add_rows());
    if (leaves_.finish) {
      const Expr finished = finished_before(first);
      const Expr complete = select(end == all, outputs(), finished_before(end));
      const Expr at = wide(finished) * number(row_pixels() * plan_.output_size());
      steps.push_back(leaves_.finish->call({address("y", at)},
                                           {(complete - finished) * number_of(row_pixels())}));
    }
    const Expr chunk = number_of(scatter_.chunk);
    Stmt body = let("count", end - first, Block::make(steps));
    body = let("end", Halide::min(first + chunk, all), body);
    body = let("first", integer("chunk") * chunk, body);
    body = run_loop("chunk", (all + (chunk - 1)) / chunk, body);
    body = LetStmt::make("run.products", address("run.scratch", number(scatter_.margin)), body);
    body = LetStmt::make("run.scratch", aligned_scratch(), body);
    add_function(module_, plan_, "_run", run_arguments(plan_), check_images(plan_, body));
  }

  void add_pack() {
    add_function(module_, plan_, "_pack", pack_arguments(plan_),
                 pack_parts(plan_, leaves_.pack_weights, leaves_.pack_bias));
  }

 private:
  static Expr number_of(Index value) { return static_cast<int>(value); }
  Expr address(const std::string& name, const Expr& at) const {
    return compiler::address(halide_type(plan_.spec.dtype()), name, at);
  }
  const PlannedAxis& axis(int n) const { return plan_.axes[static_cast<std::size_t>(n)]; }

  Index inputs_of_image() const { return *axis(0).input * *axis(1).input * *axis(2).input; }
  /// Inputs, and pixels of y, of one position of the slow axis.
  Index row_inputs() const {
    Index inputs = 1;
    for (int n = plan_.slow_axis + 1; n < 3; ++n) inputs *= *axis(n).input;
    return inputs;
  }
  Index row_pixels() const {
    Index pixels = 1;
    for (int n = plan_.slow_axis + 1; n < 3; ++n) pixels *= axis(n).window.output;
    return pixels;
  }

  // Outputs along the slow axis, of all images one after the other.

  Expr outputs() const { return images_of(plan_) * number_of(axis(plan_.slow_axis).window.output); }
  /// Those before which inputs end that are below `input`, a number counted through all images;
  /// @param reach outputs from an input's first tap on
  Expr outputs_before(const Expr& input, Index reach) const {
    const PlannedAxis& slow = axis(plan_.slow_axis);
    const Expr position = input / number_of(row_inputs());
    const Expr image = position / number_of(*slow.input), own = position % number_of(*slow.input);
    const Expr last = wide(own) * number(slow.axis.stride) + number(reach - slow.window.offset);
    const Expr before = Halide::clamp(last, number(0), number(slow.window.output));
    return image * number_of(slow.window.output) + Halide::cast<int>(before);
  }
  /// The outputs that get the bias before input `input` is multiplied: those that an earlier one
  /// reaches.
  Expr begun_before(const Expr& input) const {
    const PlannedAxis& slow = axis(plan_.slow_axis);
    const Index reach = (slow.axis.filter - 1) * slow.axis.dilation + 1;
    return select(input == 0, 0, outputs_before(Halide::max(input - 1, 0), reach));
  }
  /// Of them, those that no input from `input` on reaches.
  Expr finished_before(const Expr& input) const {
    return Halide::min(outputs_before(input, 0), begun_before(input));
  }

  /// All products of a chunk, block by block, so that the weights of a block stay in cache.
  Stmt multiply() const {
    std::vector<Stmt> parts;
    for (std::size_t n = 0; n < plan_.parts.size(); ++n) {
      const PlannedPart& part = plan_.parts[n];
      const int rows = static_cast<int>(plan_.input_size()) * part.block_channels;
      const Expr weights = number_of(part.weights_at) + integer("block") * rows;
      const Expr channel = integer("block") * part.block_channels;  // of the part
      const Expr column = number_of(part.first_channel) + channel;
      std::vector<Stmt> tiles;
      Expr done = 0;
      for (const int height : scatter_.heights[n]) {
        const Expr count = (integer("count") - done) / height;
        const Expr row = wide(done);
        tiles.push_back(leaves_.products[n].at(height).call(
            {packed_weights(plan_),
             address("x", (wide(integer("first")) + row) * number(plan_.input_size())),
             leaves_.weights, address("run.products", row * number(scatter_.pitch) + wide(column))},
            {weights, weights + rows, number_of(part.bias_at) + channel, count}));
        done = done + count * height;
      }
      parts.push_back(run_loop("block", part.blocks, Block::make(tiles)));
    }
    return Block::make(parts);
  }

  /// The products of a chunk, row by row of inputs: those from `i_begin` to `i_end` of w.
  Stmt add_rows() const {
    const Expr width = number_of(*axis(2).input);
    const Expr row = integer("first") / width + integer("row");
    const Expr rest = row / number_of(*axis(1).input);
    Stmt body = taps_of(0, scatter_.gathers ? gather_row() : taps_of(1, add_row()));
    body = let("i_end", Halide::min(integer("end") - integer("row_input"), width), body);
    body = let("i_begin", Halide::max(integer("first") - integer("row_input"), 0), body);
    body = let("row_input", row * width, body);
    body = let("image", rest / number_of(*axis(0).input), body);
    body = let("in_d", rest % number_of(*axis(0).input), body);
    body = let("in_h", row % number_of(*axis(1).input), body);
    const Expr rows = (integer("end") - 1) / width - integer("first") / width + 1;
    return run_loop("row", rows, body);
  }

  /// The taps along d or h by which the row reaches an output, and the output of tap 0.
  struct Taps {
    Expr begin, end, first;
  };
  Taps reaching(int n) const {
    const PlannedAxis& of = axis(n);
    const Expr dilation = number_of(of.axis.dilation);
    const Expr first = integer("in_" + std::string(kAxes[static_cast<std::size_t>(n)])) *
                           number_of(of.axis.stride) -
                       number_of(of.window.offset);
    return {.begin = Halide::max((dilation - 1 - first) / dilation, 0),
            .end = Halide::min((number_of(of.window.output) - first + dilation - 1) / dilation,
                               number_of(of.axis.filter)),
            .first = first};
  }

  /// For each of them: `tap_` and `out_` of the axis.
  Stmt taps_of(int n, Stmt body) const {
    const std::string name = kAxes[static_cast<std::size_t>(n)];
    const Taps taps = reaching(n);
    body = let("out_" + name,
               taps.first + integer("tap_" + name) * number_of(axis(n).axis.dilation), body);
    body = let("tap_" + name, taps.begin + integer("t_" + name), body);
    return run_loop("t_" + name, Halide::max(taps.end - taps.begin, 0), body);
  }

  /// The element of y that begins output `at_output` of the row.
  Expr element_of(const Expr& at_output) const {
    Expr at = wide(integer("image"));
    for (int n = 0; n < 2; ++n) {
      const std::string name = kAxes[static_cast<std::size_t>(n)];
      at = at * number(axis(n).window.output) + wide(integer("out_" + name));
    }
    at = at * number(axis(2).window.output) + wide(at_output);
    return at * number(plan_.output_size());
  }

  /// The same for all taps along h at once, by vectors of outputs; where the row has fewer, tap by
  /// tap.
  Stmt gather_row() const {
    const PlannedAxis& w = axis(2);
    const Expr channels = number_of(plan_.output_size());
    const Expr inputs = integer("i_end") - integer("i_begin");
    // Outputs from that of the first input's first tap on.
    const Expr origin = integer("i_begin") * number_of(w.axis.stride) - number_of(w.window.offset);
    const Expr begin = integer("row_begin"), end = integer("row_end");
    const Taps taps = reaching(1);
    const Expr column = (integer("tap_d") * number_of(axis(1).axis.filter) + integer("tap_h")) *
                        number_of(w.axis.filter) * channels;
    const Expr input = wide(integer("row_input") - integer("first") + integer("i_begin"));
    Stmt gather = leaves_.gather->call(
        {address("run.products", input * number(scatter_.pitch) + wide(column)),
         address("y", element_of(origin))},
        {inputs, begin, end, Halide::max(taps.end - taps.begin, 0)});
    gather = let("out_h", taps.first + integer("tap_h") * number_of(axis(1).axis.dilation), gather);
    gather = let("tap_h", taps.begin, gather);
    Stmt body = IfThenElse::make(end - begin >= plan_.target.lanes, gather, taps_of(1, add_row()));
    const Expr reached = (inputs - 1) * number_of(w.axis.stride) + number_of(w.axis.filter);
    body =
        let("row_end", Halide::min(number_of(w.window.output) - origin, reached) * channels, body);
    return let("row_begin", Halide::max(-origin, 0) * channels, body);
  }

  /// The runs of taps along w, of all the row's inputs. Later taps come first: for an output, they
  /// are those of the inputs before.
  Stmt add_row() const {
    std::vector<Stmt> kinds;
    for (std::size_t n = 0; n < scatter_.runs.size(); ++n) kinds.push_back(add_runs(n));
    return Block::make(kinds);
  }

  Stmt add_runs(std::size_t kind) const {
    const TapRuns& runs = scatter_.runs[kind];
    const PlannedAxis& w = axis(2);
    const Expr stride = number_of(w.axis.stride), output = number_of(w.window.output);
    const Expr i_begin = integer("i_begin"), i_end = integer("i_end"), i = integer("i");
    // The run's outputs begin at i * stride + shift.
    const Expr tap =
        number_of(runs.first) + (number_of(runs.count - 1) - integer("run")) * number_of(runs.taps);
    const Expr shift = integer("shift"), taps = number_of(runs.taps);
    const auto clamped = [&](const Expr& at) { return Halide::clamp(at, i_begin, i_end); };
    const auto from_input = [&](const Expr& outputs) { return (outputs + stride - 1) / stride; };
    // Inputs with some output in the window, and those with all.
    const Expr some = clamped(from_input(1 - taps - shift));
    const Expr some_end = clamped(from_input(output - shift));
    const Expr all = clamped(from_input(-shift));
    const Expr all_end = Halide::max((output - taps - shift) / stride + 1, all);
    const Expr whole_begin = integer("whole_begin"), whole_end = integer("whole_end");

    const Expr products_row = wide(integer("row_input") - integer("first"));
    const auto from = [&](const Expr& input, const Expr& element) {
      return address("run.products",
                     (products_row + wide(input)) * number(scatter_.pitch) + wide(element));
    };
    const auto to = [&](const Expr& at_output) { return address("y", element_of(at_output)); };
    Expr column = integer("tap_d") * number_of(axis(1).axis.filter) + integer("tap_h");
    column =
        (column * number_of(w.axis.filter) + integer("tap_w")) * number_of(plan_.output_size());

    const Stmt add = leaves_.add[kind].call(
        {from(whole_begin, integer("column")), to(whole_begin * stride + shift)},
        {whole_end - whole_begin});
    const Expr first = i * stride + shift, low = Halide::max(-first, 0);
    const Expr high = Halide::min(output - first, taps);
    const Stmt part = leaves_.add_part->call(
        {from(i, integer("column") + low * number_of(plan_.output_size())), to(first + low)},
        {(high - low) * number_of(plan_.output_size())});
    const auto parts = [&](const Expr& begin, const Expr& end) {
      return run_loop("cut", Halide::max(end - begin, 0), let("i", begin + integer("cut"), part));
    };
    Stmt body = Block::make({parts(some, Halide::min(whole_begin, some_end)),
                             IfThenElse::make(whole_begin < whole_end, add),
                             parts(Halide::max(whole_end, some), some_end)});
    body = let("whole_end", clamped(all_end), body);
    body = let("whole_begin", all, body);
    body = let("column", column, body);
    body = let("shift", integer("tap_w") * number_of(w.axis.dilation) - number_of(w.window.offset),
               body);
    body = let("tap_w", tap, body);
    return run_loop("run", number_of(runs.count), body);
  }

  Halide::Module& module_;
  const LayerPlan& plan_;
  const ScatterPlan& scatter_;
  const ScatterLeaves& leaves_;
};

}  // namespace

void add_scatter_functions(Halide::Module& module, const LayerPlan& plan,
                           const ScatterLeaves& leaves) {
  ScatterDriver driver(module, plan, leaves);
  driver.add_run();
  if (!plan.spec.embeds_weights()) driver.add_pack();
}

}  // namespace upconv::compiler
