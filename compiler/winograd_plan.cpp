#include "winograd_plan.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>

#include "expected_time.h"
#include "finite.h"
#include "toom_cook.h"
#include "upconv/error.h"
#include "winograd_fold.h"

namespace upconv::compiler {

namespace {

using internal::ceil_div;
using internal::Grid;
using internal::LayerFacts;
using internal::WinogradPhase;

/// Why a layer cannot be transformed; empty: it may be.
std::string reason_against(const LayerPlan& plan) {
  const LayerSpec& spec = plan.spec;
  if (spec.checked.options.arithmetic == Arithmetic::kDirect) return "arithmetic is direct";
  if (plan.target.halide.has_feature(Halide::Target::RVV)) {
    return "Halide 21 makes no working code of transforms for RISC-V's vectors";
  }
  for (const PlannedAxis& axis : plan.axes) {
    if (!axis.input) return "an extent of x is an argument of the call";
    if (axis.window.output < 1) return "the output is empty";
  }
  if (plan.input_size() < std::max<Index>(internal::kLeastWinogradChannels, plan.target.lanes)) {
    return "it has " + std::to_string(plan.input_size()) + " input channels";
  }
  if (spec.kernel && !internal::all_finite(*spec.kernel)) return "a weight is not finite";
  return {};
}

TileAxis tile_axis(const Grid& grid, std::span<const WinogradPhase* const> phases,
                   const PlannedAxis& of) {
  const Index stride = of.phases.stride(), outputs = of.positions().output;
  TileAxis axis{
      .grid = grid, .step = of.phases.input_step(), .output_step = of.phases.input_step() * stride};
  for (const WinogradPhase* phase : phases) axis.phases.push_back(*phase);
  axis.some_inputs_exist = axis.some_outputs_exist = false;
  for (Index tile = 0; tile < grid.tiles; ++tile) {
    const Index u = grid.begin(tile, axis.step), i = u + axis.input_shift();
    const bool inputs = i >= 0 && i + (axis.points() - 1) * axis.step < *of.input;
    axis.inputs_exist = axis.inputs_exist && inputs;
    axis.some_inputs_exist = axis.some_inputs_exist || inputs;
    for (const WinogradPhase& phase : axis.phases) {
      const Index o = u * stride + axis.output_shift(phase, of);
      const bool exist = o >= 0 && o + (axis.outputs() - 1) * axis.output_step < outputs;
      axis.outputs_exist = axis.outputs_exist && exist;
      axis.some_outputs_exist = axis.some_outputs_exist || exist;
    }
  }
  return axis;
}

std::vector<TileClass> classes_of(const LayerPlan& plan, const internal::WinogradLayout& layout) {
  std::vector<internal::AxisGrids> grids;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[axis];
    grids.emplace_back(layout.by_axis[axis],
                       internal::CallAxis{&of.phases, *of.input, of.positions()});
  }
  std::vector<TileClass> classes;
  for (const Grid& d : grids[0].grids()) {
    for (const Grid& h : grids[1].grids()) {
      for (const Grid& w : grids[2].grids()) {
        TileClass& of = classes.emplace_back();
        of.axes = {tile_axis(d, grids[0].phases_of(d), plan.axes[0]),
                   tile_axis(h, grids[1].phases_of(h), plan.axes[1]),
                   tile_axis(w, grids[2].phases_of(w), plan.axes[2])};
        of.tiles = d.tiles * h.tiles * w.tiles;
      }
    }
  }
  return classes;
}

/// As the library has them, but that rounds end with a whole register tile of every part.
void choose_sizes(WinogradPlan& winograd, const LayerPlan& plan,
                  const internal::WinogradLayout& layout) {
  winograd.pitch = layout.pitch;
  winograd.most_points = layout.most_points;
  Index whole = 1;
  for (const PlannedPart& part : plan.parts) {
    whole = std::lcm(whole, Index{part.tile.heights.front()});
  }
  Index most = 0;  // tiles of a class
  for (const TileClass& of : winograd.classes) {
    most = std::max(most, of.tiles * plan.spec.images.value_or(layout.round_tiles));
  }
  const Index rounds = ceil_div(most, layout.round_tiles);
  winograd.tile_rows = ceil_div(ceil_div(most, rounds), whole) * whole;
  winograd.round_tiles = winograd.tile_rows;
  for (const PlannedPart& part : plan.parts) {
    const Index blocks = std::max<Index>(1, layout.group_channels / part.block_channels);
    winograd.group_channels = std::max(winograd.group_channels,
                                       std::min<Index>(blocks, part.blocks) * part.block_channels);
  }
}

LayerPlan plan_of(const LayerFacts& facts, const internal::WinogradLayout& layout,
                  const ToTransform& to_transform) {
  const bool folded = layout.factor() > 1;
  LayerPlan plan = to_transform(folded);
  WinogradPlan winograd;
  const internal::ExpectedCall call(facts);
  winograd.time = expected_time(layout, call.axes, plan.spec.images.value_or(1));
  std::copy(std::begin(layout.by_axis), std::end(layout.by_axis), winograd.axes.begin());
  winograd.classes = classes_of(plan, layout);
  choose_sizes(winograd, plan, layout);
  if (folded) {
    for (const TileClass& of : winograd.classes) {
      winograd.most_outputs = std::max(winograd.most_outputs, of.outputs());
    }
  }
  plan.winograd = std::make_shared<const WinogradPlan>(std::move(winograd));
  return plan;
}

}  // namespace

Index WinogradPlan::group_blocks(const PlannedPart& part) const {
  const Index most = std::max<Index>(1, group_channels / part.block_channels);
  return ceil_div(part.blocks, ceil_div(part.blocks, most));
}

LayerPlan make_winograd_plan(const LayerPlan& layer, const ToTransform& to_transform) {
  std::string reason = reason_against(layer);
  if (reason.empty()) {
    const LayerFacts facts = library_facts(layer);
    const auto layout = internal::winograd_or_folded_layout(facts);
    if (layout) return plan_of(facts, *layout, to_transform);
    reason = "no transform fits its phases";
  }
  throw Error(ErrorKind::kUnsupported,
              layer.spec.checked.label + ": " + reason +
                  "; --strategy winograd takes layers with fast arithmetic, at least 16 input "
                  "channels, finite weights, spatial extents that are constants, and phases of "
                  "1 to 4 taps, some of more than one");
}

std::optional<LayerPlan> faster_winograd_plan(const LayerPlan& layer, const LayerPlan& other,
                                              const ToTransform& to_transform) {
  if (!reason_against(layer).empty()) return std::nullopt;
  LayerFacts facts = library_facts(layer);
  const auto layout = internal::winograd_or_folded_layout(facts);
  if (!layout) return std::nullopt;
  LayerPlan plan = plan_of(facts, *layout, to_transform);
  if (expected_time(plan) >= expected_time(other)) return std::nullopt;
  // Nor where the library's direct strategies are expected to be faster.
  facts.arithmetic = Arithmetic::kDirect;
  const internal::ExpectedCall call(facts);
  const internal::Choice direct =
      internal::choose_strategy(facts, call.axes, layer.spec.images.value_or(1));
  if (direct.kernel.cost <= expected_time(plan)) return std::nullopt;
  return plan;
}

generators::WeightAxis weight_axis(const PlannedAxis& planned, const internal::WinogradAxis& axis) {
  const internal::AxisPhases& phases = planned.phases;
  generators::WeightAxis weights{.filter = static_cast<int>(planned.axis.filter),
                                 .combined = static_cast<int>(planned.combined)};
  std::size_t most = 1;
  for (const WinogradPhase& of : axis.phases) {
    const internal::AxisTransform& transform = axis.transforms[of.kind];
    for (const auto& row : internal::toom_cook(transform.outputs, transform.taps).filter) {
      auto& terms = weights.rows.emplace_back();
      // Tap j of a phase reads input u - j * step, tap j of F(m, r) the j-th of the tile.
      for (Index j = 0; j < of.phase.taps; ++j) {
        terms.push_back({static_cast<int>(of.phase.first_tap + j * phases.tap_step()),
                         row[static_cast<std::size_t>(transform.taps - 1 - j)].value()});
      }
      most = std::max(most, terms.size());
    }
  }
  for (auto& terms : weights.rows) terms.resize(most);  // with factors of 0
  return weights;
}

namespace {

template <Element T>
Halide::Buffer<void> pack(const LayerPlan& plan) {
  const WinogradPlan& winograd = *plan.winograd;
  std::array<generators::WeightAxis, 3> axes;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    axes[axis] = weight_axis(plan.axes[axis], winograd.axes[axis]);
  }
  Halide::Buffer<T> packed(static_cast<int>(plan.packed_elements));
  T* to = packed.data();
  std::memset(to, 0, static_cast<std::size_t>(plan.packed_elements) * sizeof(T));
  const T* const kernel = plan.spec.kernel->values<T>().data();
  const Index ci_count = plan.input_size(), co_count = plan.output_size();
  std::vector<double> sums;
  // The kernel's values of one tap and input channel, or null where the filter ends before it.
  const auto values_at = [&](const std::array<int, 3>& taps, const std::array<Index, 3>& residue,
                             Index ci) -> const T* {
    Index tap = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const PlannedAxis& of = plan.axes[axis];
      const Index own = taps[axis] * of.combined + residue[axis];
      if (own >= of.axis.filter) return nullptr;
      tap = tap * of.axis.filter + own;
    }
    return kernel + (tap * ci_count + ci) * co_count;
  };
  // Kernel values of a block at one point, input channel by input channel.
  const auto pack_point = [&](const auto& d, const auto& h, const auto& w, Index channel,
                              Index channels, Index block) {
    for (Index ci = 0; ci < ci_count; ++ci, to += block) {
      sums.assign(static_cast<std::size_t>(channels), 0);
      for (const auto& term_d : d) {
        for (const auto& term_h : h) {
          for (const auto& term_w : w) {
            const double factor = term_d.factor * term_h.factor * term_w.factor;
            if (factor == 0) continue;
            // Channels of one residue are a run.
            for (Index c = 0, run = 0; c < channels; c += run) {
              const Index co = (channel + c) % co_count;
              run = std::min(channels - c, co_count - co);
              const T* const from =
                  values_at({term_d.tap, term_h.tap, term_w.tap}, plan.residues(channel + c), ci);
              if (from == nullptr) continue;
              for (Index n = 0; n < run; ++n) {
                sums[static_cast<std::size_t>(c + n)] += factor * static_cast<double>(from[co + n]);
              }
            }
          }
        }
      }
      std::transform(sums.begin(), sums.end(), to, [](double v) { return static_cast<T>(v); });
    }
  };
  for (const PlannedPart& part : plan.parts) {
    for (int b = 0; b < part.blocks; ++b) {
      for (const auto& d : axes[0].rows) {
        for (const auto& h : axes[1].rows) {
          for (const auto& w : axes[2].rows) {
            pack_point(d, h, w, part.first_channel + Index{b} * part.block_channels, part.channels,
                       part.block_channels);
          }
        }
      }
    }
  }
  if (plan.spec.bias) {
    const T* const bias = plan.spec.bias->values<T>().data();
    for (const PlannedPart& part : plan.parts) {
      for (Index c = 0; c < Index{part.blocks} * part.channels; ++c) {
        packed(static_cast<int>(part.bias_at + c)) = bias[(part.first_channel + c) % co_count];
      }
    }
  }
  return packed;
}

}  // namespace

Halide::Buffer<void> pack_points(const LayerPlan& plan) {
  return plan.spec.dtype() == DType::kFloat32 ? pack<float>(plan) : pack<double>(plan);
}

}  // namespace upconv::compiler
