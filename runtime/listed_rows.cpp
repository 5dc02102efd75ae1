#include "listed_rows.h"

#include <algorithm>

namespace upconv::UPCONV_ABI::internal {

void list_rows(const TileArguments& a, const Scratch& scratch) {
  std::int32_t *row_x = scratch.row_x, *row_w = scratch.row_w;
  Index count = 0;
  for (Index w = 0; w < a.taps[2]; ++w) {
    for (Index ci = 0; ci < a.input_size; ++ci, ++count) {
      row_x[count] = static_cast<std::int32_t>(w * a.tap_x[2] + ci);
      row_w[count] = static_cast<std::int32_t>(w * a.tap_w[2] + ci * a.w_step);
    }
  }
  // Those of other taps along d and h are the same, further on.
  const auto add = [&](std::int32_t* list, Index run, Index step) {
    std::transform(list, list + count, list + run * count,
                   [&](std::int32_t row) { return row + static_cast<std::int32_t>(step); });
  };
  for (Index run = 1; run < a.taps[0] * a.taps[1]; ++run) {
    const Index d = run / a.taps[1], h = run % a.taps[1];
    add(row_x, run, d * a.tap_x[0] + h * a.tap_x[1]);
    add(row_w, run, d * a.tap_w[0] + h * a.tap_w[1]);
  }
}

}  // namespace upconv::UPCONV_ABI::internal
