// Blocks of output channels, and which phases are channels: the strategies `wide` and `combined`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "plan.h"

namespace upconv::compiler {

/// Cuts the plan's channels into parts.
void cut_blocks(LayerPlan& plan, const std::vector<TileRow>& rows);

/// The phases of the axes from `first` on become channels.
void combine_phases(LayerPlan& plan, std::size_t first);

/// All taps become channels of one (scatter_plan.h).
void combine_taps(LayerPlan& plan);

/// As cut_blocks(), with all channels in one part where the target multiplies so few by vectors of
/// rows.
void cut_columns(LayerPlan& plan, const std::vector<TileRow>& rows);

/// Blocks of a part that a tile computes one after the other: all, so that the places of its pixels
/// are found once, where the weights of a phase, which every tile then reads, are near; else one.
int blocks_of_tile(const LayerPlan& plan, const PlannedPart& part);

/// The plan in boxes or in pieces that is expected to take the least time.
/// @param layer of which only extents and target are known
/// @param strategy `wide` or `combined`; empty: the better one
/// @throws Error kUnsupported where `combined` is asked for and phases cannot be
LayerPlan plan_boxes(const LayerPlan& layer, const std::vector<TileRow>& rows,
                     const std::string& strategy);

}  // namespace upconv::compiler
