// The winograd strategy's fold: the phases of all axes as output channels.
//
// Without a dilation along an axis with a stride, all phases of that axis read the same inputs, q
// to q - taps + 1 at a position q. So the layer is also one of stride 1, with
//
//   [residue of d][residue of h][residue of w][channel]
//
// as its channels, where a phase with fewer taps than others has zeros for those that it has not.
// 3 channels at strides of 2 and 2 are then 12, which fill vectors of 4 or 8 better than 3 do four
// times. Their outputs lie apart in y and are dealt out to it (winograd_deal.cpp).
#pragma once

#include <optional>

#include "strategy.h"
#include "winograd_layout.h"

namespace upconv::UPCONV_ABI::internal {

/// The layout of the folded layer. Nothing where no axis has a stride, or one has a dilation too or
/// a phase without taps, and where winograd_layout has nothing.
std::optional<WinogradLayout> folded_winograd_layout(const LayerFacts& facts);

/// winograd_layout, or the folded one where that is expected to be faster.
std::optional<WinogradLayout> winograd_or_folded_layout(const LayerFacts& facts);

/// The kernel `filter_shape ++ [input_size, output_size]` of a layer in the form of a folded
/// layout's facts.
/// @param axes of the layer itself
Tensor fold_kernel(const WinogradLayout& layout, const Tensor& kernel);

}  // namespace upconv::UPCONV_ABI::internal
