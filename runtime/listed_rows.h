// Listed rows: where input channels are few, the wide strategy's sums over taps and channels as one
// loop. A loop over the channels that begins and ends at every tap takes as long as some ten of
// them do. The order of summation stays.
#pragma once

#include "chunk.h"
#include "tile_arguments.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

/// Whether rows of so many taps of an output are listed for a part's tiles.
inline bool lists_rows(const Part& part, Index input_size, Index taps) {
  return taps > 1 && !part.listed.empty() && input_size <= part.listed[0].most_inputs &&
         taps * input_size <= kListedRows;
}

/// Fills the lists of all rows (tap, ci) of these arguments.
void list_rows(const TileArguments& arguments, const Scratch& scratch);

}  // namespace upconv::UPCONV_ABI::internal
