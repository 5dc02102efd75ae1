#include "winograd_fold.h"

#include <cstring>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// A fold must save so much, since outputs have to be dealt out.
constexpr double kFoldGain = 0.95;
/// Channels beyond this fill vectors as they are.
constexpr Index kMostFoldedChannels = 1024;

/// Time of a position's sums for one row of weights.
double row_time(const LayerFacts& facts, Index channels) {
  double time = 0;
  for (const Part& part : choose_parts(channels, facts.dtype, facts.isa)) {
    time += static_cast<double>(part.blocks) * part.tiles[0].time(facts.vector_time);
  }
  return time;
}

/// The layer of stride 1.
std::optional<LayerFacts> fold_phases(const LayerFacts& facts) {
  LayerFacts folded = facts;
  for (int axis = 0; axis < 3; ++axis) {
    const AxisPhases& own = facts.axes[axis];
    if (own.stride() == 1) continue;
    if (own.dilation() != 1 || own.filter() < own.stride() ||
        folded.output_size > kMostFoldedChannels / own.stride()) {
      return std::nullopt;
    }
    folded.output_size *= own.stride();
    folded.axes[axis] = AxisPhases(ceil_div(own.filter(), own.stride()), 1, 1);
    const CallAxis expected{&own, facts.expected_inputs[axis], facts.expected_windows[axis]};
    folded.expected_windows[axis] = expected.positions();
  }
  if (folded.output_size == facts.output_size) return std::nullopt;
  return folded;
}

/// True where the channels of all phases fill vectors better than those of each do.
bool fills_vectors_better(const LayerFacts& folded, const LayerFacts& own) {
  const Index phases = folded.output_size / own.output_size;
  return row_time(own, folded.output_size) <
         kFoldGain * static_cast<double>(phases) * row_time(own, own.output_size);
}

std::optional<WinogradLayout> layout_of(const LayerFacts& folded, const LayerFacts& own) {
  std::optional<WinogradLayout> layout = winograd_layout(folded);
  for (int axis = 0; layout && axis < 3; ++axis) layout->factors[axis] = own.axes[axis].stride();
  return layout;
}

}  // namespace

std::optional<WinogradLayout> folded_winograd_layout(const LayerFacts& facts) {
  const std::optional<LayerFacts> folded = fold_phases(facts);
  return folded ? layout_of(*folded, facts) : std::nullopt;
}

std::optional<WinogradLayout> winograd_or_folded_layout(const LayerFacts& facts) {
  std::optional<WinogradLayout> own = winograd_layout(facts);
  const std::optional<LayerFacts> as_channels = fold_phases(facts);
  if (!as_channels || !fills_vectors_better(*as_channels, facts)) return own;
  std::optional<WinogradLayout> folded = layout_of(*as_channels, facts);
  if (!folded) return own;
  const ExpectedCall expected(facts);
  const auto time = [&](const WinogradLayout& layout) {
    return winograd_time(layout, expected.axes, expected.images);
  };
  return own && time(*own) <= time(*folded) ? own : folded;
}

Tensor fold_kernel(const WinogradLayout& layout, const Tensor& kernel) {
  const Index* const strides = layout.factors;
  const Index inputs = layout.input_size, own = layout.own_output_size();
  const std::size_t run = static_cast<std::size_t>(own) * size_of(layout.dtype);
  Index filter[3];  // of the layer itself
  const std::size_t spatial = kernel.shape().size() - 2;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    filter[axis] = axis + spatial < 3 ? 1 : kernel.shape()[axis + spatial - 3];
  }
  Tensor folded = Tensor::zeros(layout.dtype, {layout.taps(), inputs, layout.output_size});
  auto* to = static_cast<std::byte*>(folded.data());
  const auto* from = static_cast<const std::byte*>(kernel.data());
  const auto copy_tap = [&](Index from_tap, Index to_tap, Index residue) {
    for (Index ci = 0; ci < inputs; ++ci) {
      std::memcpy(to + ((to_tap * inputs + ci) * layout.output_size + residue * own) *
                           static_cast<Index>(size_of(layout.dtype)),
                  from + (from_tap * inputs + ci) * static_cast<Index>(run), run);
    }
  };
  for (Index d = 0; d < filter[0]; ++d) {
    for (Index h = 0; h < filter[1]; ++h) {
      for (Index w = 0; w < filter[2]; ++w) {
        copy_tap(
            (d * filter[1] + h) * filter[2] + w,
            (d / strides[0] * layout.axes[1].filter() + h / strides[1]) * layout.axes[2].filter() +
                w / strides[2],
            (d % strides[0] * strides[1] + h % strides[1]) * strides[2] + w % strides[2]);
      }
    }
  }
  return folded;
}

}  // namespace upconv::UPCONV_ABI::internal
