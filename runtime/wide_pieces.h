// When a call of the wide strategy is summed piece by piece: one tap, and some input channels, at a
// time, with the sums in y between pieces.
//
// In boxes (walk.h) every output is summed at once, which is best where the weights of a phase fit
// the second-level cache and boxes hold many tiles. With thousands of input channels the weights of
// one block of output channels do not fit, and every tile would fetch them from afar; and on an
// image of 4 x 4 a third of each box's last tile is in vain. A piece's weights stay in the
// first-level cache while all pixels that reach the tap pass, in one list.
//
// Pieces come in the order of summation, so values do not depend on the choice.
#pragma once

#include "call.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

// The rule's numbers, which compiled layers take as well.

/// Below so many input channels, loading and storing the sums costs more than pieces save.
inline constexpr Index kLeastPieceInputs = 64;
/// A call of fewer multiply-adds is not worth the thought.
inline constexpr double kLeastPieceWork = 2e6;
/// A slab of fewer pixels uses each weight too seldom.
inline constexpr Index kLeastBoxPixels = 64;

/// In boxes, the weights or x would be fetched from afar again and again.
/// @param panel_bytes weights of a block for one phase
/// @param pixel_bytes x of a pixel
/// @param panel, slab the target's sizes
constexpr bool boxes_leave_cache(Index panel_bytes, Index pixel_bytes, Index panel, Index slab) {
  return panel_bytes > 2 * panel || slab / pixel_bytes < kLeastBoxPixels;
}

bool pieces_pay(const Call& call, const WideLayout& layout);

}  // namespace upconv::UPCONV_ABI::internal
