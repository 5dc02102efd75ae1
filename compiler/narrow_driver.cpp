#include "narrow_driver.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "walk_statements.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Expr;

class NarrowDriver {
 public:
  NarrowDriver(Halide::Module& module, const LayerPlan& plan, const NarrowLeaves& leaves)
      : module_(module), plan_(plan), narrow_(*plan.narrow), leaves_(leaves) {}

  void add_run() {
    Stmt body = let("rows",
                    Halide::min(number_of(narrow_.axes[1].positions) - integer("h"),
                                number_of(narrow_.strip_h)),
                    Block::make({copy(), sums(), write()}));
    body = let("h", integer("strip_h") * number_of(narrow_.strip_h), body);
    body = run_loop("strip_h", number_of(narrow_.strips(1)), body);
    body =
        let("filled", pick([](const FilledColumns& of) { return of.first; }),
            let("inputs", pick([](const FilledColumns& of) { return of.count; }),
                let("first_input", pick([](const FilledColumns& of) { return of.input; }), body)));
    body = let("w",
               Halide::min(integer("strip_w") * number_of(narrow_.strip_w),
                           number_of(narrow_.axes[2].positions - narrow_.strip_w)),
               body);
    body = run_loop("strip_w", number_of(narrow_.strips(2)), body);
    body = run_loop("d", number_of(narrow_.axes[0].positions), body);
    body = run_loop("image", images_of(plan_), body);
    body = LetStmt::make("run.sums", address("run.planes", number(planar_elements())), body);
    body = LetStmt::make("run.planes", aligned_scratch(), body);
    add_function(module_, plan_, "_run", run_arguments(plan_), check_images(plan_, body));
  }

  void add_pack() {
    std::vector<Stmt> calls = {check_finite(plan_)};
    std::size_t leaf = 0;
    for (const NarrowGroup& group : narrow_.groups) {
      for (const auto& piece : group.pieces) {
        calls.push_back(leaves_.pack_weights[leaf++].call(
            {pointer("kernel"), address("packed", number(piece.weights_at))}, {}));
      }
    }
    const Expr bias =
        plan_.spec.checked.options.use_bias ? pointer("bias") : make_zero(Halide::Handle());
    calls.push_back(
        leaves_.pack_bias->call({bias, address("packed", number(narrow_.bias_at))}, {}));
    add_function(module_, plan_, "_pack", pack_arguments(plan_), Block::make(calls));
  }

 private:
  static Expr number_of(Index value) { return static_cast<int>(value); }
  Expr address(const std::string& name, const Expr& at) const {
    return compiler::address(halide_type(plan_.spec.dtype()), name, at);
  }
  Index planar_elements() const { return narrow_.planar_elements(plan_.input_size()); }

  /// What is different for each strip along w.
  template <typename Value>
  Expr pick(Value value) const {
    Expr picked = number_of(value(filled_columns(plan_, 0)));
    for (Index strip = 1; strip < narrow_.strips(2); ++strip) {
      picked = select(integer("strip_w") == number_of(strip),
                      number_of(value(filled_columns(plan_, strip))), picked);
    }
    return picked;
  }

  /// The column of a row of the strip's planes.
  Expr column(const Expr& d, const Expr& h) const {
    return (d * number_of(narrow_.pitch[1]) + h) * number_of(narrow_.pitch[2]);
  }

  /// The strip's x: the rows that the strip before had too are moved, others copied.
  Stmt copy() const {
    const NarrowAxis &d = narrow_.axes[0], &h = narrow_.axes[1];
    const Expr in_d = number_of(d.first_q - d.reach_most) + integer("d") + integer("plane_d");
    const Expr in_h = number_of(h.first_q - h.reach_most) + integer("h") + integer("plane_h");
    const Expr at = column(integer("plane_d"), integer("plane_h"));
    const auto extent = [&](std::size_t axis) { return number_of(*plan_.axes[axis].input); };
    const Expr exists =
        in_d >= 0 && in_d < extent(0) && in_h >= 0 && in_h < extent(1) && integer("inputs") > 0;
    Expr from = wide(integer("image"));
    from = from * wide(extent(0)) + wide(in_d);
    from = from * wide(extent(1)) + wide(in_h);
    from = (from * wide(extent(2)) + wide(integer("first_input"))) * number(plan_.input_size());
    const Expr end = integer("filled") + integer("inputs");
    const auto planes = [&](const Expr& column) { return address("run.planes", wide(column)); };
    const Stmt zeros = leaves_.clear_row->call({planes(at)}, {});
    // The edge before the inputs is written before them; what the edge after them overwrites of
    // the next row is copied later.
    Stmt copied = copy_row(from, at + integer("filled"));
    const Expr edges = integer("inputs") < number_of(narrow_.pitch[2]);
    if (leaves_.clear_edge) {
      const Stmt before = leaves_.clear_edge->call({planes(at)}, {});
      const Stmt after = leaves_.clear_edge->call({planes(at + end)}, {});
      copied = Block::make({IfThenElse::make(integer("filled") > 0, before), copied,
                            IfThenElse::make(end < number_of(narrow_.pitch[2]), after)});
    } else {
      copied = Block::make(IfThenElse::make(edges, zeros), copied);
    }
    const Expr kept =
        leaves_.move ? Expr(select(integer("strip_h") > 0, number_of(h.span()), 0)) : Expr(0);
    Stmt body = let("plane_h", integer("row") + kept, IfThenElse::make(exists, copied, zeros));
    body = run_loop("row", integer("rows") + number_of(h.span()) - kept, body);
    if (leaves_.move && h.span() > 0) {
      const Stmt moved =
          leaves_.move->call({address("run.planes", wide(column(integer("plane_d"), 0)))},
                             {number_of(h.span() * narrow_.pitch[2])});
      body = Block::make(IfThenElse::make(integer("strip_h") > 0, moved), body);
    }
    return run_loop("plane_d", number_of(narrow_.pitch[0]), body);
  }

  /// The inputs of a row, to planes from a column on. Where squares do not begin at whole vectors
  /// of the planes, the first one goes alone, and the others share some of its columns: a store
  /// across two cache lines takes as long as several.
  Stmt copy_row(const Expr& x, const Expr& column) const {
    const auto copy = [&](const Expr& skipped, const Expr& inputs) {
      return leaves_.copy->call({address("x", x + wide(skipped) * number(plan_.input_size())),
                                 address("run.planes", wide(column + skipped))},
                                {inputs});
    };
    if (leaves_.square == 1) return copy(0, integer("inputs"));
    const Expr side = number_of(leaves_.square), skipped = integer("skipped");
    const Stmt rest = copy(skipped, integer("inputs") - skipped);
    return let("skipped", select(integer("inputs") >= 2 * side, (side - column % side) % side, 0),
               Block::make(IfThenElse::make(skipped > 0, copy(0, side)), rest));
  }

  /// All rows of all the strip's columns, some columns after the other, so that their x stays in
  /// the first-level cache for all groups.
  Stmt sums() const {
    std::vector<Stmt> groups;
    Index lines = 0;  // of the first tiles, by the groups before
    const Expr first = integer("block") * number_of(narrow_.block);
    for (std::size_t n = 0; n < narrow_.groups.size(); ++n) {
      const NarrowGroup& group = narrow_.groups[n];
      const Index row =
          narrow_.row(group.first[0], group.first[1], group.first[2], plan_.output_size()) +
          group.first_channel;
      const int width = group.vectors * plan_.target.lanes;
      const Expr line =
          integer("block") * number_of(narrow_.ahead_lines(plan_.target.lanes)) + number_of(lines);
      lines += group.ahead_lines * (narrow_.block / width);
      const Expr next = compiler::address(Halide::UInt(8), "run.ahead", wide(line) * number(64));
      groups.push_back(
          leaves_.sums[n].call({packed_weights(plan_), address("run.planes", wide(first)), next,
                                address("run.sums", number(row * narrow_.sums_step) + wide(first))},
                               {(integer("columns") + (width - 1)) / width}));
    }
    const Expr columns =
        (integer("rows") - 1) * number_of(narrow_.pitch[2]) + number_of(narrow_.strip_w);
    const Expr blocks = (columns + number_of(narrow_.block - 1)) / number_of(narrow_.block);
    const Stmt body =
        run_loop("block", blocks,
                 let("columns", Halide::min(columns - first, number_of(narrow_.block)),
                     Block::make(groups)));
    return LetStmt::make("run.ahead", ahead(), body);
  }

  /// x that the next strip along h will copy: the copy does little else than wait for memory.
  Expr ahead() const {
    const NarrowAxis &d = narrow_.axes[0], &h = narrow_.axes[1];
    const auto extent = [&](std::size_t axis) { return number_of(*plan_.axes[axis].input); };
    const auto existing = [&](std::size_t axis, const Expr& at) {
      return wide(Halide::clamp(at, 0, extent(axis) - 1));
    };
    Expr at = wide(integer("image"));
    at = at * wide(extent(0)) + existing(0, number_of(d.first_q - d.reach_least) + integer("d"));
    at = at * wide(extent(1)) +
         existing(1, number_of(h.first_q - h.reach_least + narrow_.strip_h) + integer("h"));
    return address(
        "x", (at * wide(extent(2)) + wide(integer("first_input"))) * number(plan_.input_size()));
  }

  /// Sums to rows of y.
  Stmt write() const {
    const NarrowAxis &d = narrow_.axes[0], &h = narrow_.axes[1], &w = narrow_.axes[2];
    const auto stride = [&](std::size_t axis) { return number_of(plan_.axes[axis].axis.stride); };
    const auto output = [&](const char* name, std::size_t axis, const Expr& q) {
      return q * stride(axis) + integer(std::string("phase_") + name) -
             number_of(plan_.axes[axis].window.offset);
    };
    const Expr out_d = output("d", 0, number_of(d.first_q) + integer("d"));
    const Expr out_h = output("h", 1, number_of(h.first_q) + integer("h") + integer("row"));
    const auto length = [&](std::size_t axis) { return number_of(plan_.axes[axis].window.output); };
    const Expr exists = out_d >= 0 && out_d < length(0) && out_h >= 0 && out_h < length(1);
    // Rows of sums, and of y from where position 0 of the call would begin.
    const Expr phases = number_of(static_cast<Index>(h.phases.size()));
    const Expr sums_row = (listed(d.order, "phase_d") * phases + listed(h.order, "phase_h")) *
                          number_of(narrow_.row(0, 0, 1, 1) * static_cast<Index>(w.phases.size()) *
                                    plan_.output_size());
    const Expr sums_at = wide(sums_row) * number(narrow_.sums_step) +
                         wide(integer("row") * number_of(narrow_.pitch[2]));
    Expr y_at = wide(integer("image"));
    y_at = y_at * wide(length(0)) + wide(out_d);
    y_at = y_at * wide(length(1)) + wide(out_h);
    y_at = (y_at * wide(length(2)) +
            number(w.first_q * plan_.axes[2].axis.stride - plan_.axes[2].window.offset)) *
           number(plan_.output_size());
    Stmt body = LetStmt::make("run.sums_at", sums_at, LetStmt::make("run.y_at", y_at, positions()));
    body = IfThenElse::make(exists, body);
    body = run_loop("phase_h", stride(1), body);
    body = run_loop("phase_d", stride(0), body);
    return run_loop("row", integer("rows"), body);
  }

  /// All positions of a row of y: those whose outputs are all in the window, and the others.
  Stmt positions() const {
    const auto [first, end] = whole_positions(plan_);
    const Index channels = plan_.output_size(), row = plan_.axes[2].axis.stride * channels;
    const Expr begin = integer("w"), last = integer("w") + number_of(narrow_.strip_w);
    const Expr whole = Halide::clamp(number_of(first), begin, last);
    const Expr whole_end = Halide::clamp(number_of(end), whole, last);
    const Expr sums_at = Halide::Internal::Variable::make(Halide::Int(64), "run.sums_at");
    const Expr y_at = Halide::Internal::Variable::make(Halide::Int(64), "run.y_at");
    const auto sums = [&](const Expr& q) {
      return address("run.sums", sums_at + wide(q - integer("w")));
    };
    const Stmt all = IfThenElse::make(
        whole_end > whole,
        leaves_.write->call({sums(whole), address("y", y_at + wide(whole) * number(row))},
                            {whole_end - whole}));
    const auto some = [&](const char* name, const Expr& from, const Expr& to) {
      const Expr q = from + integer(name);
      const Expr output = q * number_of(plan_.axes[2].axis.stride) +
                          number_of(narrow_.axes[2].first_q * plan_.axes[2].axis.stride -
                                    plan_.axes[2].window.offset);
      const Expr low = Halide::max(-output, 0) * number_of(channels);
      const Expr high = Halide::min(number_of(plan_.axes[2].window.output) - output,
                                    number_of(plan_.axes[2].axis.stride)) *
                        number_of(channels);
      return run_loop(name, to - from,
                      leaves_.write_some->call(
                          {sums(q), address("y", y_at + wide(q) * number(row) + wide(low))},
                          {low, high - low}));
    };
    return Block::make({some("before", begin, whole), all, some("after", whole_end, last)});
  }

  static Expr listed(const std::vector<int>& values, const std::string& name) {
    Expr value = values.front();
    for (std::size_t n = 1; n < values.size(); ++n) {
      value = select(integer(name) == static_cast<int>(n), values[n], value);
    }
    return value;
  }

  Halide::Module& module_;
  const LayerPlan& plan_;
  const NarrowPlan& narrow_;
  const NarrowLeaves& leaves_;
};

}  // namespace

void add_narrow_functions(Halide::Module& module, const LayerPlan& plan,
                          const NarrowLeaves& leaves) {
  NarrowDriver driver(module, plan, leaves);
  driver.add_run();
  if (!plan.spec.embeds_weights()) driver.add_pack();
}

}  // namespace upconv::compiler
