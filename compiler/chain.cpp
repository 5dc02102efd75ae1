#include "chain.h"

#include <algorithm>
#include <array>
#include <utility>

#include "driver.h"

namespace upconv::compiler {

namespace {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Int;

constexpr std::array<const char*, 3> kAxes = {"depth", "height", "width"};

Index aligned(Index bytes) {
  return (bytes + kChainAlignment - 1) / kChainAlignment * kChainAlignment;
}
Expr number(Index value) { return make_const(Int(64), value); }
Expr value_of(const std::string& name, Halide::Type type) {
  return Halide::Internal::Variable::make(type, name);
}
Expr address(const std::string& name, const Expr& bytes) {
  const Expr begin = reinterpret(Halide::UInt(64), value_of(name, Halide::Handle()));
  return reinterpret(Halide::Handle(), begin + Halide::cast(Halide::UInt(64), bytes));
}

/// Calls a function; its status, unless it is 0, is what the caller returns; then `rest`.
Stmt call(const std::string& function, const std::vector<Expr>& arguments, const Stmt& rest) {
  const Expr status = value_of("status", Int(32));
  const Stmt check = AssertStmt::make(status == 0, status);
  return LetStmt::make("status", Call::make(Int(32), function, arguments, Call::Extern),
                       rest.defined() ? Block::make(check, rest) : check);
}

/// The body of NAME_run.
class ChainRun {
 public:
  explicit ChainRun(const Chain& chain) : chain_(chain), count_(chain.layers.size()) {}

  Stmt make() const {
    Stmt body;
    for (std::size_t n = count_; n-- > 0;) body = call_layer(n, body);
    body = LetStmt::make("odd_at", odd_at(), body);
    if (!chain_.first().is_fixed()) body = check(body);
    for (std::size_t n = count_ + 1; n-- > 0;) {  // the last: the extents of y
      for (int axis = 2; axis >= 0; --axis) {
        body = LetStmt::make(name(n, axis), length(n, axis), body);
      }
    }
    return body;
  }

 private:
  const LayerPlan& plan(std::size_t layer) const { return chain_.layers[layer].front(); }
  const PlannedAxis& axis_of(std::size_t layer, int axis) const {
    return plan(layer).axes[static_cast<std::size_t>(axis)];
  }
  static std::string name(std::size_t layer, int axis) {
    return kAxes[static_cast<std::size_t>(axis)] + std::string("_") + std::to_string(layer);
  }
  /// The extent of a layer's input along an axis, in 64 bits.
  static Expr extent(std::size_t layer, int axis) { return value_of(name(layer, axis), Int(64)); }
  Expr length(std::size_t layer, int axis) const {
    if (layer == 0) {
      const auto known = axis_of(0, axis).input;
      const std::string argument = kAxes[static_cast<std::size_t>(axis)];
      return known ? number(*known) : Halide::cast(Int(64), value_of(argument, Int(32)));
    }
    const PlannedAxis& before = axis_of(layer - 1, axis);
    return before.input ? number(before.window.output)
                        : output_length(before.axis, extent(layer - 1, axis));
  }
  Expr images() const {
    const auto known = chain_.first().spec.images;
    return known ? number(*known) : Halide::cast(Int(64), value_of("images", Int(32)));
  }

  /// Bytes that a layer leaves, rounded up.
  Expr output_bytes(std::size_t layer) const {
    const LayerPlan& of = plan(layer);
    Expr bytes = images() * number(of.output_size() * static_cast<Index>(of.element_bytes()));
    for (int axis = 0; axis < 3; ++axis) bytes = bytes * extent(layer + 1, axis);
    return (bytes + number(kChainAlignment - 1)) / number(kChainAlignment) *
           number(kChainAlignment);
  }
  /// Where in scratch what odd layers leave begins.
  Expr odd_at() const {
    Expr most = number(0);
    for (std::size_t n = 0; n + 1 < count_; n += 2) most = Halide::max(most, output_bytes(n));
    return number(chain_.layer_bytes()) + most;
  }

  /// Refuses what any layer would refuse before the first one runs, since scratch is for extents
  /// that are right. A factor at a time, so that no product overflows.
  Stmt check(const Stmt& body) const {
    const auto require = [](const Expr& condition, RunStatus otherwise) {
      return AssertStmt::make(condition, static_cast<int>(otherwise));
    };
    std::vector<Stmt> checks;
    const LayerSpec& first = chain_.first().spec;
    if (!first.images) {
      checks.push_back(require(images() >= 1, kRunBadExtent));
      const Index most = first.most_images.value_or(kMostElements);
      checks.push_back(require(images() <= number(most), kRunTooLarge));
    }
    for (std::size_t n = 0; n <= count_; ++n) {
      const Index channels = n < count_ ? plan(n).input_size() : chain_.last().output_size();
      Expr size = images() * number(channels);
      checks.push_back(require(size <= number(kMostElements), kRunTooLarge));
      for (int axis = 0; axis < 3; ++axis) {
        checks.push_back(require(extent(n, axis) >= number(n < count_ ? 1 : 0), kRunBadExtent));
        checks.push_back(require(extent(n, axis) <= number(most_extent(n, axis)), kRunTooLarge));
        size = size * extent(n, axis);
        checks.push_back(require(size <= number(kMostElements), kRunTooLarge));
      }
    }
    checks.push_back(body);
    return Block::make(checks);
  }

  /// What the call's extents have at most.
  Index most_extent(std::size_t layer, int axis) const {
    const LayerSpec& first = chain_.first().spec;
    const int spatial = axis - (3 - first.rank());
    if (layer > 0 || spatial < 0) return kMostElements;
    return first.most_extents[static_cast<std::size_t>(spatial)].value_or(kMostElements);
  }

  /// Where a layer's output goes.
  Expr output_of(std::size_t layer) const {
    if (layer + 1 == count_) return value_of("y", Halide::Handle());
    return address("scratch",
                   layer % 2 == 0 ? number(chain_.layer_bytes()) : value_of("odd_at", Int(64)));
  }
  Stmt call_layer(std::size_t layer, const Stmt& rest) const {
    std::vector<Expr> arguments;
    if (!plan(layer).spec.embeds_weights()) {
      arguments.push_back(address("packed", number(chain_.packed_at(layer))));
    }
    arguments.push_back(layer == 0 ? value_of("x", Halide::Handle()) : output_of(layer - 1));
    if (!plan(layer).spec.images) arguments.push_back(value_of("images", Int(32)));
    for (int axis = 0; axis < 3; ++axis) {
      if (axis_of(layer, axis).input) continue;
      arguments.push_back(Halide::cast(Int(32), extent(layer, axis)));
    }
    arguments.push_back(output_of(layer));
    arguments.push_back(value_of("scratch", Halide::Handle()));
    return call(plan(layer).spec.name + "_run", arguments, rest);
  }

  const Chain& chain_;
  std::size_t count_;
};

LoweredFunc function(const std::string& name, const std::vector<LoweredArgument>& arguments,
                     const Stmt& body) {
  return LoweredFunc(name, arguments, body, Halide::LinkageType::External, Halide::NameMangling::C);
}

/// NAME_pack: kernel and bias of one layer after the other, then where they go.
LoweredFunc pack_function(const Chain& chain) {
  std::vector<LoweredArgument> arguments;
  Stmt body;
  for (std::size_t n = chain.layers.size(); n-- > 0;) {
    std::vector<Expr> values;
    std::vector<LoweredArgument> own;
    for (const LoweredArgument& of : pack_arguments(chain.layers[n].front())) {
      if (of.name == "packed") continue;
      own.push_back(argument(of.name + "_" + std::to_string(n), of.type));
      values.push_back(value_of(own.back().name, of.type));
    }
    arguments.insert(arguments.begin(), own.begin(), own.end());
    values.push_back(address("packed", number(chain.packed_at(n))));
    body = call(chain.layers[n].front().spec.name + "_pack", values, body);
  }
  arguments.push_back(argument("packed", Halide::Handle()));
  return function(chain.name + "_pack", arguments, body);
}

}  // namespace

Index Chain::layer_bytes() const {
  Index most = 0;
  for (const auto& variants : layers) most = std::max(most, most_scratch_bytes(variants));
  return aligned(most);
}

Index Chain::packed_at(std::size_t layer) const {
  Index at = 0;
  for (std::size_t n = 0; n < layer; ++n) at += aligned(most_packed_bytes(layers[n]));
  return at;
}

Index Chain::scratch_bytes() const {
  Index most[2] = {0, 0};
  for (std::size_t n = 0; n + 1 < layers.size(); ++n) {
    const LayerPlan& plan = layers[n].front();
    Index bytes = *plan.spec.images * plan.output_size() * static_cast<Index>(plan.element_bytes());
    for (const PlannedAxis& axis : plan.axes) bytes *= axis.window.output;
    most[n % 2] = std::max(most[n % 2], aligned(bytes));
  }
  return layer_bytes() + most[0] + most[1];
}

Halide::Module chain_module(const Chain& chain) {
  // Where layers choose an instruction set, the chain, which only calls them, must need none.
  const bool chooses = chain.layers.front().size() > 1;
  Halide::Module module(chain.name, chooses ? Halide::Target("x86-64-linux-no_runtime")
                                            : chain.first().target.halide);
  module.append(
      function(chain.name + "_run", run_arguments(chain.first()), ChainRun(chain).make()));
  if (!chain.first().spec.embeds_weights()) module.append(pack_function(chain));
  return module;
}

}  // namespace upconv::compiler
