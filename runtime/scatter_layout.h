// What the scatter strategy packs, and what a call of it is expected to take.
#pragma once

#include <optional>

#include "bill.h"
#include "strategy.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

/// Most products of an input, and most where all weights stay in cache, since few inputs at a time
/// read them.
inline constexpr Index kMostColumns = 4096, kMostNearColumns = 32768;
/// Products of a chunk, for the second-level cache.
inline constexpr Index kProductBytes = 1 << 17;

/// What is packed, and the sizes that follow from it.
struct ScatterLayout : LayerFacts {
  std::vector<Part> parts;  ///< of taps * output_size columns
  Index pitch = 0;          ///< from an input's products to the next's, in elements
  Index chunk_pixels = 0;   ///< inputs that are multiplied at once
};

/// Nothing where the layer has very many columns.
std::optional<ScatterLayout> scatter_layout(const LayerFacts& facts);

/// True where every output of a call takes one tap of one input: taps of neighbours do not overlap,
/// or there are none, and the window has no gap.
bool meet_once(const CallAxis (&axes)[3]);

void charge_scatter(Bill& bill, const ScatterLayout& layout, const CallAxis (&axes)[3],
                    Index batches);

}  // namespace upconv::UPCONV_ABI::internal
