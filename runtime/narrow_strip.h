// How the narrow strategy cuts a call into strips, and what that costs.
//
// A strip is Q_d x Q_h x Q_w positions q of one image. Its x, with zeros around the image, is
// copied as [d][h][w] planes of each input channel. The positions of one d are computed at a time:
// (h, w) is column h * pitch_w + w of every plane and of every accumulator row, so a tap is a
// distance between columns and these columns are one run of vectors. (The columns at the end of a
// row of x belong to no output; what is computed there is dropped.)
#pragma once

#include <cstddef>

#include "bill.h"
#include "call.h"
#include "narrow_packing.h"

namespace upconv::UPCONV_ABI::internal {

struct StripShape {
  Index q[3] = {1, 1, 1};      ///< positions per axis
  Index pitch[3] = {1, 1, 1};  ///< extents of a plane
  Index plane = 0;             ///< elements from plane to plane
};

/// The strips of least cost; at least `least_strips` where there are as many rows.
StripShape choose_strips(const NarrowLayout& layout, const CallAxis (&axes)[3], Index batches,
                         Index least_strips);

/// What the call's strips take, on one thread.
void charge_strips(Bill& bill, const NarrowLayout& layout, const CallAxis (&axes)[3],
                   Index batches);

/// True when a strip of some position fits the memory that is meant for one. Needs the reaches
/// alone.
bool strips_fit(const NarrowLayout& layout);

/// Columns that are computed at once, so that their x stays in the first-level cache while all
/// tiles of a set pass: a multiple of every tile's width.
Index column_block(const NarrowLayout& layout);

/// Calls of tile kernels that so many columns take, for all sets.
Index tile_calls(const NarrowLayout& layout, Index columns);

/// What one thread needs for a strip of any call, in elements.
Index planar_elements(const NarrowLayout& layout);
Index sum_elements(const NarrowLayout& layout);
/// Elements from one accumulator row to the next.
Index sum_step(const NarrowLayout& layout);

}  // namespace upconv::UPCONV_ABI::internal
