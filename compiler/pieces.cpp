#include "pieces.h"

#include <algorithm>

#include "boxes_time.h"
#include "chunk.h"
#include "wide_pieces.h"

namespace upconv::compiler {

namespace {

using internal::CallAxis;

// The library's rules (runtime/wide_pieces.cpp), for any target.

/// Many weights, of which a block's do not stay in a cache while boxes pass, or x does not.
bool boxes_leave_cache(const LayerPlan& plan) {
  const Index inputs = plan.input_size();
  if (inputs < internal::kLeastPieceInputs) return false;
  double work = static_cast<double>(plan.spec.images.value_or(1)) *
                static_cast<double>(plan.taps() * inputs * plan.output_size());
  Index phase_taps = 1;
  bool known = true;
  for (const PlannedAxis& axis : plan.axes) {
    const Index taps = axis.phases.most_taps();
    phase_taps *= axis.input ? std::min(taps, *axis.input) : taps;
    work *= static_cast<double>(axis.input.value_or(1));
    known = known && axis.input.has_value();
  }
  if (known && work < internal::kLeastPieceWork) return false;
  const Index pixel_bytes = inputs * static_cast<Index>(plan.element_bytes());
  const Index panel_bytes = phase_taps * pixel_bytes * plan.parts.front().block_channels;
  return internal::boxes_leave_cache(panel_bytes, pixel_bytes, plan.target.panel_bytes,
                                     plan.target.slab_bytes);
}

/// Few positions, of which boxes are so small that their tiles are not full.
bool pieces_fill_tiles(const LayerPlan& plan) {
  if (!plan.is_fixed()) return false;
  constexpr Index kMostPositions = 10 * internal::kChunkPixels;
  Index positions = *plan.spec.images;
  for (const PlannedAxis& axis : plan.axes) {
    const CallAxis call{&axis.phases, *axis.input, axis.window};
    positions *= std::max<Index>(0, call.q_end() - call.q_begin());
  }
  if (positions > kMostPositions) return false;
  // The gain must be more than the error of the estimates.
  return boxes_time(plan, true) < 0.95 * boxes_time(plan, false);
}

}  // namespace

int piece_inputs(const LayerPlan& plan) {
  // To add sums to y when they are complete is another order.
  const bool padded = plan.output_size() % plan.target.lanes != 0;
  if (padded && plan.spec.checked.options.arithmetic == Arithmetic::kDirect) return 0;
  if (!boxes_leave_cache(plan) && !pieces_fill_tiles(plan)) return 0;
  // Equal ones, where that is possible, have loops of a constant length.
  const Index pieces = internal::ceil_div(plan.input_size(), plan.target.piece_rows);
  return static_cast<int>(internal::ceil_div(plan.input_size(), pieces));
}

}  // namespace upconv::compiler
