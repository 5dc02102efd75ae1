#include "winograd_driver.h"

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "walk_statements.h"
#include "winograd_deal.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Int;

class WinogradDriver {
 public:
  WinogradDriver(Halide::Module& module, const LayerPlan& plan, const WinogradLeaves& leaves)
      : module_(module), plan_(plan), winograd_(*plan.winograd), leaves_(leaves) {}

  void add_run() {
    std::vector<Stmt> classes;
    for (std::size_t n = 0; n < winograd_.classes.size(); ++n) classes.push_back(rounds(n));
    Stmt body = Block::make(classes);
    if (is_folded(plan_)) {
      const Expr outputs = address("run.products", winograd_.products_elements());
      body = LetStmt::make("run.outputs", outputs, body);
    }
    body = LetStmt::make("run.products", address("run.points", winograd_.points_elements()), body);
    body = LetStmt::make("run.points", aligned_scratch(), body);
    add_function(module_, plan_, "_run", run_arguments(plan_), check_images(plan_, body));
  }

  void add_pack() {
    add_function(module_, plan_, "_pack", pack_arguments(plan_),
                 Block::make(check_finite(plan_),
                             pack_parts(plan_, leaves_.pack_weights, leaves_.pack_bias)));
  }

 private:
  template <typename Element>
  Expr address(const std::string& name, const Element& at) const {
    return compiler::address(halide_type(plan_.spec.dtype()), name, at);
  }
  Expr packed() const { return packed_weights(plan_); }
  Expr images() const { return images_of(plan_); }

  /// All rounds of a class.
  Stmt rounds(std::size_t at_class) const {
    const TileClass& of = winograd_.classes[at_class];
    const ClassLeaves& leaves = leaves_.classes[at_class];
    const int most = static_cast<int>(winograd_.round_tiles);
    const Expr all = images() * static_cast<int>(of.tiles);
    const Expr first = integer("round") * most;
    Stmt body = Block::make(transform_inputs(of, leaves), phases(of, leaves));
    body = let("count", Halide::min(all - first, most), body);
    return run_loop("round", (all + (most - 1)) / most, body);
  }

  /// Names for a tile's image and its u along every axis, around `body`.
  Stmt at_tile(const TileClass& of, Stmt body) const {
    Expr rest = integer("rest");
    std::vector<std::pair<std::string, Expr>> lets;
    for (std::size_t axis = 3; axis-- > 0;) {
      const internal::Grid& grid = of.axes[axis].grid;
      const int tiles = static_cast<int>(grid.tiles), combs = static_cast<int>(grid.combs);
      const Expr tile = rest % tiles;
      const auto step = static_cast<int>(grid.transform.outputs * of.axes[axis].step);
      lets.emplace_back(std::string("u_") + kAxes[axis],
                        static_cast<int>(grid.first) + tile % combs + tile / combs * step);
      rest = rest / tiles;
    }
    body = let("image", rest, body);
    for (const auto& [name, value] : lets) body = let(name, value, body);
    return let("rest", integer("round") * static_cast<int>(winograd_.round_tiles) + integer("tile"),
               body);
  }

  /// The element of [image, d, h, w, channel] arrays of such extents.
  static Expr element_at(const std::array<Index, 3>& extents, const std::array<Expr, 3>& at,
                         Index channels) {
    Expr element = wide(integer("image"));
    for (std::size_t axis = 0; axis < 3; ++axis) {
      element = element * number(extents[axis]) + wide(at[axis]);
    }
    return element * number(channels);
  }

  Stmt transform_inputs(const TileClass& of, const ClassLeaves& leaves) const {
    std::array<Index, 3> extents;
    std::array<Expr, 3> first;
    Expr exist = const_true();
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const TileAxis& tile = of.axes[axis];
      extents[axis] = *plan_.axes[axis].input;
      first[axis] = integer(std::string("u_") + kAxes[axis]) + static_cast<int>(tile.input_shift());
      if (tile.inputs_exist) continue;
      const int last = static_cast<int>(extents[axis] - (tile.points() - 1) * tile.step);
      exist = exist && first[axis] >= 0 && first[axis] < last;
    }
    const Expr to = address("run.points", wide(integer("tile")) * number(winograd_.pitch));
    const auto x_at = [&](const std::array<Expr, 3>& at) {
      return address("x", element_at(extents, at, plan_.input_size()));
    };
    Stmt inside, at_edge;
    if (leaves.input) inside = leaves.input->call({x_at(first), to}, {});
    if (leaves.input_at_edge) {
      at_edge = leaves.input_at_edge->call({x_at({0, 0, 0}), to}, {first[0], first[1], first[2]});
    }
    return run_loop("tile", integer("count"), at_tile(of, either(exist, inside, at_edge)));
  }

  static Stmt either(const Expr& condition, const Stmt& then, const Stmt& otherwise) {
    if (!then.defined()) return otherwise;
    return otherwise.defined() ? IfThenElse::make(condition, then, otherwise) : then;
  }

  /// The value of a list at an index that is no constant.
  static Expr pick(const std::vector<Index>& values, const Expr& index) {
    Expr value = static_cast<int>(values.back());
    for (std::size_t n = values.size() - 1; n-- > 0;) {
      value = select(index == static_cast<int>(n), static_cast<int>(values[n]), value);
    }
    return value;
  }

  /// Products and outputs of every phase.
  Stmt phases(const TileClass& of, const ClassLeaves& leaves) const {
    std::vector<Stmt> parts;
    for (std::size_t n = 0; n < plan_.parts.size(); ++n) parts.push_back(groups(of, leaves, n));
    Stmt body = Block::make(parts);
    for (std::size_t axis = 3; axis-- > 0;) {
      const std::string name = kAxes[axis];
      std::vector<Index> points, shifts;
      for (const internal::WinogradPhase& phase : of.axes[axis].phases) {
        points.push_back(phase.points_before);
        shifts.push_back(of.axes[axis].output_shift(phase, plan_.axes[axis]));
      }
      body = let("points_" + name, pick(points, integer("phase_" + name)), body);
      body = let("shift_" + name, pick(shifts, integer("phase_" + name)), body);
      body = run_loop("phase_" + name, static_cast<int>(points.size()), body);
    }
    return body;
  }

  /// The channels of a part, some blocks at once.
  Stmt groups(const TileClass& of, const ClassLeaves& leaves, std::size_t at_part) const {
    const PlannedPart& part = plan_.parts[at_part];
    const int blocks = static_cast<int>(winograd_.group_blocks(part));
    const Expr first = integer("group") * blocks;
    Stmt body = Block::make(multiply(of, at_part), transform_outputs(of, leaves, part));
    body = let("blocks", Halide::min(part.blocks - first, blocks), body);
    body = let("block", first, body);
    return run_loop("group", (part.blocks + blocks - 1) / blocks, body);
  }

  Stmt multiply(const TileClass& of, std::size_t at_part) const {
    const PlannedPart& part = plan_.parts[at_part];
    const std::map<int, Leaf>& leaves = leaves_.products[at_part];
    const std::array<int, 3> points = {of.axes[0].points(), of.axes[1].points(),
                                       of.axes[2].points()};
    Expr panel = 0, point = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const std::string name = kAxes[axis];
      panel = panel * static_cast<int>(winograd_.axes[axis].points) + integer("points_" + name) +
              integer("k_" + name);
      point = point * points[axis] + integer("k_" + name);
    }
    const int rows = static_cast<int>(winograd_.points() * plan_.input_size());
    const Expr b = integer("block") + integer("b");
    const int inputs = static_cast<int>(plan_.input_size());
    const auto at = [&](const Expr& of_block, const Expr& of_panel) -> Expr {
      return static_cast<int>(part.weights_at) +
             (of_block * rows + of_panel * inputs) * part.block_channels;
    };
    const Expr weights = at(b, panel);
    // The next block's, or the first one's at the next point.
    const Expr next = select(integer("b") + 1 < integer("blocks"), at(b + 1, panel),
                             at(integer("block"), panel + 1));
    const auto some = [&](int height, const Expr& first, const Expr& tiles) {
      const Expr row = wide(point) * number(winograd_.tile_rows) + wide(first);
      return leaves.at(height).call(
          {packed(), address("run.points", row * number(winograd_.pitch)), leaves_.weights,
           address("run.products", row * number(winograd_.group_channels) +
                                       wide(integer("b") * part.block_channels))},
          {weights, next, 0, tiles});
    };
    Stmt body = run_loop("b", integer("blocks"), tiles(of, part, some));
    for (std::size_t axis = 3; axis-- > 0;) {
      body = run_loop(std::string("k_") + kAxes[axis], points[axis], body);
    }
    return body;
  }

  /// some(height, first tile, register tiles) for the tiles of a round: the tallest, and where the
  /// last round's number is known, the lowest that takes the rest.
  Stmt tiles(const TileClass& of, const PlannedPart& part,
             const std::function<Stmt(int, const Expr&, const Expr&)>& some) const {
    const int tallest = part.tile.heights.front();
    const Expr count = integer("count");
    const Index all = plan_.spec.images.value_or(0) * of.tiles;
    const auto rest = static_cast<int>(all % winograd_.round_tiles % tallest);
    if (rest == 0) return some(tallest, 0, (count + (tallest - 1)) / tallest);
    int height = tallest;
    for (const int lower : part.tile.heights) {
      if (lower >= rest) height = lower;
    }
    const Expr whole = count / tallest;
    const Stmt last = some(height, whole * tallest, 1);
    return Block::make(some(tallest, 0, whole), IfThenElse::make(count % tallest != 0, last));
  }

  Stmt transform_outputs(const TileClass& of, const ClassLeaves& leaves,
                         const PlannedPart& part) const {
    return is_folded(plan_) ? deal_outputs(of, leaves, part) : write_outputs(of, leaves, part);
  }

  /// Of a tile's products, with the integers that both kinds of outputs take.
  Expr products_of_tile() const {
    return address("run.products", wide(integer("tile")) * number(winograd_.group_channels));
  }
  std::vector<Expr> output_integers(const PlannedPart& part) const {
    std::vector<Expr> integers = {static_cast<int>(part.bias_at) +
                                  integer("block") * part.block_channels};
    if (!has_few_channels(plan_, part)) integers.push_back(group_channels(part));
    return integers;
  }
  /// A tile's first output or position along an axis.
  Expr first_output(const PlannedAxis& planned, const std::string& axis) const {
    return integer("u_" + axis) * static_cast<int>(planned.phases.stride()) +
           integer("shift_" + axis);
  }

  Stmt write_outputs(const TileClass& of, const ClassLeaves& leaves,
                     const PlannedPart& part) const {
    std::array<Index, 3> extents;
    std::array<Expr, 3> first, first_wanted;
    std::array<Expr, 6> wanted;  // low, then count
    Expr exist = const_true();
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const TileAxis& tile = of.axes[axis];
      const PlannedAxis& planned = plan_.axes[axis];
      const std::string name = kAxes[axis];
      extents[axis] = planned.window.output;
      first[axis] = first_output(planned, name);
      const int step = static_cast<int>(tile.output_step), outputs = tile.outputs();
      const int extent = static_cast<int>(extents[axis]);
      const Expr at = integer("o_" + name);
      const Expr low = Halide::max((step - 1 - at) / step, 0);
      const Expr high = Halide::min((extent - at + (step - 1)) / step, outputs);
      wanted[axis] = low;
      wanted[axis + 3] = Halide::max(high - low, 0);
      first_wanted[axis] = tile.outputs_exist ? at : at + low * step;
      if (tile.outputs_exist) continue;
      exist = exist && at >= 0 && at < extent - (outputs - 1) * step;
    }
    const std::array<Expr, 3> at = {integer("o_d"), integer("o_h"), integer("o_w")};
    const auto pointers = [&](const std::array<Expr, 3>& output) -> std::vector<Expr> {
      return {packed(), products_of_tile(),
              address("y", element_at(extents, output, plan_.output_size()) +
                               wide(group_channel(part)))};
    };
    const bool few = has_few_channels(plan_, part);
    std::vector<Expr> integers = output_integers(part);
    const std::optional<Leaf>& whole = few ? leaves.few : leaves.output;
    const std::optional<Leaf>& cut = few ? leaves.few_at_edge : leaves.output_at_edge;
    Stmt inside, at_edge;
    if (whole) inside = whole->call(pointers(at), integers);
    integers.insert(integers.end(), wanted.begin(), wanted.end());
    if (cut) at_edge = cut->call(pointers(first_wanted), integers);
    Stmt body = either(exist, inside, at_edge);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      body = let(std::string("o_") + kAxes[axis], first[axis], body);
    }
    return run_loop("tile", integer("count"), at_tile(of, body));
  }

  /// Of a folded layer: the outputs of a tile to scratch, from there row by row to y.
  Stmt deal_outputs(const TileClass& of, const ClassLeaves& leaves, const PlannedPart& part) const {
    const Leaf& transform = has_few_channels(plan_, part) ? *leaves.few : *leaves.output;
    const Stmt outputs = transform.call({packed(), products_of_tile(), pointer("run.outputs")},
                                        output_integers(part));
    Stmt body = Block::make(outputs, deal_rows(plan_, of, leaves, part));
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const std::string name = kAxes[axis];
      body = let("o_" + name, first_output(plan_.axes[axis], name), body);
    }
    return run_loop("tile", integer("count"), at_tile(of, body));
  }

  Halide::Module& module_;
  const LayerPlan& plan_;
  const WinogradPlan& winograd_;
  const WinogradLeaves& leaves_;
};

}  // namespace

void add_winograd_functions(Halide::Module& module, const LayerPlan& plan,
                            const WinogradLeaves& leaves) {
  WinogradDriver driver(module, plan, leaves);
  driver.add_run();
  if (!plan.spec.embeds_weights()) driver.add_pack();
}

}  // namespace upconv::compiler
