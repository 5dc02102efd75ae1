// What the scatter strategy packs, and what a call of it is expected to take.
#pragma once

#include <algorithm>
#include <optional>

#include "bill.h"
#include "strategy.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

/// Most products of an input, and most where all weights stay in cache, since few inputs at a time
/// read them. Where there are more, some taps at a time are computed of all inputs.
inline constexpr Index kMostColumns = 4096, kMostNearColumns = 32768;
/// Products of an input for some taps.
inline constexpr Index kGroupColumns = 2048;
/// Products of a chunk, for the second-level cache.
inline constexpr Index kProductBytes = 1 << 17;
/// Before and after products, where rows are added by vectors: the longest vector.
inline constexpr Index kMarginBytes = 64;

/// What is packed, and the sizes that follow from it. Taps are in *groups*, boxes of the filter of
/// which the last along an axis may reach beyond it, with weights of 0 there:
///
///   [group][ci][tap of the group][channel], in the order of the wide strategy (wide_packing.h)
///
/// With few columns, of one group then, as they are, each row padded to `pitch`.
struct ScatterLayout : LayerFacts {
  Index group[3] = {};  ///< taps of a group along each axis
  /// Multiplies where a vector of columns would be mostly empty; else null.
  const FewColumnsKernel* few = nullptr;
  std::vector<Part> parts;  ///< of a group's taps * output_size columns, where they are not few
  Index pitch = 0;          ///< from an input's products to the next's, in elements
  Index chunk_pixels = 0;   ///< inputs that are multiplied at once
  AxisPhases one_tap;       ///< of the layer whose outputs are the products
  /// Adds rows of products whose runs overlap, where that is quicker than run by run; else null.
  const AddedKernel* adder = nullptr;

  /// Taps [begin, end) along each axis.
  struct Taps {
    Index begin[3] = {}, end[3] = {};
  };
  /// @param at which group along each axis
  Taps taps_of(const Index (&at)[3]) const {
    Taps taps;
    for (int axis = 0; axis < 3; ++axis) {
      taps.begin[axis] = at[axis] * group[axis];
      taps.end[axis] = std::min(taps.begin[axis] + group[axis], axes[axis].filter());
    }
    return taps;
  }

  Index groups(int axis) const { return ceil_div(axes[axis].filter(), group[axis]); }
  Index groups() const { return groups(0) * groups(1) * groups(2); }
  Index group_taps() const { return group[0] * group[1] * group[2]; }
  /// Calls visit(taps) for all groups in row-major order.
  template <typename Visit>
  void for_each_group(Visit visit) const {
    for (Index d = 0; d < groups(0); ++d) {
      for (Index h = 0; h < groups(1); ++h) {
        for (Index w = 0; w < groups(2); ++w) visit(taps_of({d, h, w}));
      }
    }
  }
  Index element_bytes() const { return static_cast<Index>(size_of(dtype)); }
  /// Elements of scratch before and after products, which the adder may read.
  Index margin() const { return adder != nullptr ? kMarginBytes / element_bytes() : 0; }
  /// Of a group's weights, without padding to vectors.
  Index columns() const { return group_taps() * output_size; }
  /// Of the kernel that multiplies, or of the first.
  const char* kernel_name() const {
    return few != nullptr ? few->name : parts.front().tiles.front().name;
  }
};

/// Nothing where a tap alone has very many columns.
std::optional<ScatterLayout> scatter_layout(const LayerFacts& facts);

/// True where every output of a call takes one tap of one input: taps of neighbours do not overlap,
/// or there are none, and the window has no gap.
bool meet_once(const CallAxis (&axes)[3]);

/// True where rows of products with so many taps along w are quicker added a vector of outputs at a
/// time than run by run. (Measured on an Emerald Rapids Xeon, with filters of 3 to 16, strides of 1
/// to 4 and 1 to 32 channels.)
bool adds_by_vectors(const AxisPhases& w, Index taps, Index channels, Index lanes,
                     Index vector_bytes);
/// Inputs that may reach a vector of outputs then, by runs of so many elements.
inline Index inputs_of_vector(Index run, Index shift, Index lanes) {
  return (run + lanes - 2) / shift + 1;
}

void charge_scatter(Bill& bill, const ScatterLayout& layout, const CallAxis (&axes)[3],
                    Index batches);

}  // namespace upconv::UPCONV_ABI::internal
