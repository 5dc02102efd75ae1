// The winograd strategy's view of a layer: which Toom-Cook transform each phase takes, and the
// packed weights.
//
// A phase is a dense stride-1 correlation with 1 to 4 taps along each axis (phases.h), and F(m, r)
// of generators/toom_cook.h computes m of its outputs with r taps in m + r - 1 multiplications. A
// *tile* is the m outputs per axis that a phase computes at once; the inputs that they need, n = m
// + r - 1 per axis, are transformed to n *points*. At each point, the products of all tiles with
// the weights are one matrix product over the input channels, which the wide strategy's tile
// kernels compute; the sums are transformed to outputs. Phases with equal taps read the same inputs
// and share the points (winograd_grid.h).
//
// Weights are transformed when they are packed, in double precision, and stored as the wide
// strategy's are, a point in the place of a tap:
//
//   [part][block][phase][point][input channel][channel in block]
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernel_table.h"
#include "strategy.h"
#include "upconv/tensor.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

/// F(outputs, taps). F(1, 1) is no transform.
struct AxisTransform {
  int outputs = 1;
  int taps = 1;

  int points() const { return outputs + taps - 1; }
  friend bool operator==(const AxisTransform&, const AxisTransform&) = default;
};

/// A phase of one axis; where it has fewer taps than its transform, the last are zero.
struct WinogradPhase {
  Phase phase;
  int kind = 0;             ///< which of the axis' transforms
  Index points_before = 0;  ///< of the axis' phases with smaller residues
};

/// More phases of an axis would take long to weigh.
inline constexpr std::size_t kMostWinogradPhases = 32;
/// Phases have at most two numbers of taps, one apart.
inline constexpr int kMostKinds = 2;

/// One axis of a layer: its transforms, and the phases that take them.
struct WinogradAxis {
  AxisTransform transforms[kMostKinds];
  int kinds = 0;
  std::vector<WinogradPhase> phases;
  Index points = 0;  ///< of all phases

  void add(const Phase& phase, int kind) {
    phases.push_back({phase, kind, points});
    points += transforms[kind].points();
  }
};

/// Kernels that transform one or two axes; a tile goes through one or more.
template <typename Kernel>
struct TransformPass {
  const Kernel* kernel = nullptr;
  int axis_u = -1, axis_v = -1;  ///< 0 to 2 (d, h, w); -1: none
};

/// The passes of a tile, in order.
template <typename Kernel>
struct Passes {
  TransformPass<Kernel> list[3];
  std::size_t count = 0;

  const TransformPass<Kernel>& operator[](std::size_t at) const { return list[at]; }
};
struct TilePasses {
  Passes<WinogradInputKernel> input;
  Passes<WinogradOutputKernel> output;
};

struct WinogradLayout : LayerFacts {
  /// Phases of each axis that are output channels (winograd_fold.h): then the facts are those of
  /// the folded layer, whose stride is 1 there.
  Index factors[3] = {1, 1, 1};
  WinogradAxis by_axis[3];
  std::vector<Part> parts;
  Index pitch = 0;            ///< elements from tile to tile at a point: input_size and some
  Index most_points = 0;      ///< of a tile
  Index round_tiles = 0;      ///< most tiles that are computed at once
  Index group_channels = 0;   ///< most output channels that are
  Index transform_tiles = 0;  ///< most tiles that go through a transform at once

  /// Rows (point, ci) of one block.
  Index rows() const {
    return by_axis[0].points * by_axis[1].points * by_axis[2].points * input_size;
  }
  Index factor() const { return factors[0] * factors[1] * factors[2]; }
  Index own_output_size() const { return output_size / factor(); }
  /// An axis of a call of this layout, from that of a call of the layer itself.
  CallAxis axis_of(int axis, const CallAxis& own) const {
    return factors[axis] == 1 ? own : CallAxis{&axes[axis], own.input, own.positions()};
  }
  /// By the kinds of transform along d, h and w.
  TilePasses passes[kMostKinds][kMostKinds][kMostKinds];
};

/// Input channels below which no transform is used: its rounding errors would not be small beside
/// those of the sums (docs/accuracy.md).
inline constexpr Index kLeastWinogradChannels = 16;
/// Product of error_growth over the axes that transforms may have at most. What they round
/// themselves counts where channels are few, and the more so the more axes they are along
/// (docs/accuracy.md).
inline double most_error_growth(Index channels, int axes) {
  return axes > 2 && channels < 32 ? 2.0 : 2.5;
}

/// The transforms of least cost for the layer's expected extents. Nothing where none apply: a phase
/// with no tap or more than 4, one tap everywhere, few input channels.
std::optional<WinogradLayout> winograd_layout(const LayerFacts& facts);

/// A layer with these transforms, whatever their cost and their error. Nothing where sizes are too
/// large for it, or a pixel has fewer input channels than a vector has lanes.
std::optional<WinogradLayout> winograd_layout_of(const LayerFacts& facts,
                                                 const WinogradAxis (&by_axis)[3]);

/// What a call of the layer itself takes.
void charge_winograd(Bill& bill, const WinogradLayout& layout, const CallAxis (&axes)[3],
                     Index batches);
inline double winograd_time(const WinogradLayout& layout, const CallAxis (&axes)[3],
                            Index batches) {
  Bill bill;
  charge_winograd(bill, layout, axes, batches);
  return bill.total;
}

/// Transformed weights, flat, of the C-order kernel of the layer itself. Nothing where one is not
/// finite: it would spoil outputs that do not see it.
std::optional<Tensor> pack_winograd(const WinogradLayout& layout, const Tensor& kernel);

}  // namespace upconv::UPCONV_ABI::internal
