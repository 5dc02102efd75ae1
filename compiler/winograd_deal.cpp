#include "winograd_deal.h"

#include <array>
#include <string>
#include <vector>

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::max;
using Halide::min;

/// A position's channels are [r_d][r_h][r_w][co], of combined phases r: those of one r_d and r_h
/// lie in one row of y. Along d and h a residue's outputs exist or not, position by position; along
/// w the window may cut through a position.
class Deal {
 public:
  Deal(const LayerPlan& plan, const TileClass& of, const ClassLeaves& leaves,
       const PlannedPart& part)
      : plan_(plan),
        of_(of),
        leaves_(leaves),
        all_(leaves.deal.has_value()),
        row_(static_cast<int>(row_channels(plan))),
        own_(static_cast<int>(plan.output_size())),
        first_(group_channel(part)),
        before_((integer("r_d") * static_cast<int>(plan.axes[1].combined) + integer("r_h")) * row_),
        begin_(all_ ? Expr(0) : max(first_ - before_, 0)),
        end_(all_ ? Expr(row_) : min(first_ + group_channels(part) - before_, row_)) {}

  Stmt rows() const {
    Stmt body = row();
    for (std::size_t axis = 0; axis < 3; ++axis) body = at_axis(axis, body);
    body = run_loop("r_h", static_cast<int>(plan_.axes[1].combined), body);
    return run_loop("r_d", static_cast<int>(plan_.axes[0].combined), body);
  }

 private:
  static std::string name(const char* what, std::size_t axis) {
    return std::string(what) + kAxes[axis];
  }
  int y_step(std::size_t axis) const {
    return static_cast<int>(y_step_of_output(plan_, of_, axis));
  }

  /// Around `body`: `y`, the output that is the residue's (along w, the first) of the tile's first
  /// position; and the positions, `count` from `low` on, whose outputs exist (along w, all of
  /// them).
  Stmt at_axis(std::size_t axis, Stmt body) const {
    const PlannedAxis& planned = plan_.axes[axis];
    const auto combined = static_cast<int>(planned.combined);
    const auto cut =
        static_cast<int>(planned.window.offset - planned.positions().offset * combined);
    const auto extent = static_cast<int>(planned.window.output);
    const int step = y_step(axis), wanted = axis < 2 ? 1 : combined;
    const Expr y = integer(name("y_", axis)), low = integer(name("low_", axis));
    const Expr high = min((extent - wanted - y + step) / step, of_.axes[axis].outputs());
    body = let(name("count_", axis), max(high - low, 0), body);
    body = let(name("low_", axis), max((step - 1 - y) / step, 0), body);
    const Expr of_position = integer(name("o_", axis)) * combined - cut;
    return let(name("y_", axis),
               axis < 2 && combined > 1 ? of_position + integer(name("r_", axis)) : of_position,
               body);
  }

  /// Element `channel` of the row, in scratch, at the first position along d and h that exists.
  Expr outputs_at(const Expr& w, const Expr& channel) const {
    Expr position = integer("low_d") * of_.axes[1].outputs() + integer("low_h");
    position = position * of_.axes[2].outputs() + w;
    return address(halide_type(plan_.spec.dtype()), "run.outputs",
                   wide(position * static_cast<int>(plan_.winograd->group_channels) + before_ +
                        channel - first_));
  }
  /// That position's element in y.
  Expr y_at(const Expr& element) const {
    Expr to = wide(integer("image"));
    for (std::size_t axis = 0; axis < 2; ++axis) {
      to = to * number(plan_.axes[axis].window.output) +
           wide(integer(name("y_", axis)) + integer(name("low_", axis)) * y_step(axis));
    }
    return address(halide_type(plan_.spec.dtype()), "y",
                   to * number(plan_.axes[2].window.output * own_) + wide(element));
  }

  Stmt row() const {
    const Expr low = integer("low_w"), first = integer("y_w") * own_;
    std::vector<Expr> counts = {integer("count_d"), integer("count_h"), integer("count_w")};
    if (!all_) counts.insert(counts.begin(), max(end_ - begin_, 0));
    const Stmt whole =
        (all_ ? *leaves_.deal : *leaves_.deal_cut)
            .call({outputs_at(low, begin_), y_at(first + low * (y_step(2) * own_) + begin_)},
                  counts);
    return plan_.axes[2].combined == 1 ? whole : Block::make(whole, cut_positions());
  }

  /// Those along w that the window cuts, and those outside it, which have nothing.
  Stmt cut_positions() const {
    const Expr w = integer("cut"), low = integer("low_w"), high = low + integer("count_w");
    const Expr element = (integer("y_w") + w * y_step(2)) * own_;  // of the position's first
    const auto width = static_cast<int>(plan_.axes[2].window.output * own_);
    const Expr begin = integer("begin"), end = integer("end");
    const Stmt copy =
        leaves_.deal_cut->call({outputs_at(w, begin), y_at(element + begin)},
                               {end - begin, integer("count_d"), integer("count_h"), 1});
    Stmt body = IfThenElse::make((w < low || w >= high) && begin < end, copy);
    body = let("end", min(end_, width - element), body);
    body = let("begin", max(begin_, -element), body);
    const int outputs = of_.axes[2].outputs();
    return IfThenElse::make(low > 0 || high < outputs, run_loop("cut", outputs, body));
  }

  const LayerPlan& plan_;
  const TileClass& of_;
  const ClassLeaves& leaves_;
  bool all_;          ///< the group has all channels of a position
  int row_;           ///< channels of a row
  int own_;           ///< channels of an output
  Expr first_;        ///< channel of the group
  Expr before_;       ///< channels of a position before the row's
  Expr begin_, end_;  ///< of the row's channels, those that the group has
};

}  // namespace

Stmt deal_rows(const LayerPlan& plan, const TileClass& of, const ClassLeaves& leaves,
               const PlannedPart& part) {
  return Deal(plan, of, leaves, part).rows();
}

}  // namespace upconv::compiler
