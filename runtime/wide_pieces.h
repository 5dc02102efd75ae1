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

bool pieces_pay(const Call& call, const WideLayout& layout);

}  // namespace upconv::UPCONV_ABI::internal
