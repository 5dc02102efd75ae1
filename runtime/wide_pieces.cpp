#include "wide_pieces.h"

#include <algorithm>
#include <cstdint>

#include "chunk.h"
#include "kernel_table.h"
#include "walk.h"
#include "wide_run.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

Index pixels_of(const Segment (&segment)[3], Index batches) {
  for (const Segment& s : segment) batches *= s.end - s.begin;
  return batches;
}

/// Calls visit(segments) for every tap of a phase, in order, with the outputs that reach it.
template <typename Visit>
void for_each_tap_reach(const Call& call, const Slab& slab, const Phase (&phase)[3], Visit visit) {
  Segment reach[3];
  const auto taps = [&](int axis, auto inner) {
    for (Index j = 0; j < phase[axis].taps; ++j) {
      reach[axis] =
          reach_of_tap(call.axes[axis], phase[axis], j, slab.q_begin[axis], slab.q_end[axis]);
      if (reach[axis].begin < reach[axis].end) inner();
    }
  };
  taps(0, [&] { taps(1, [&] { taps(2, [&] { visit(std::as_const(reach)); }); }); });
}

/// True where the tiles of all pieces take less time than those of all boxes.
bool pieces_fill_tiles(const Call& call, const WideLayout& layout) {
  const Part& part = layout.parts.front();
  Slab slab{.batch_begin = 0, .batch_end = call.batch_count()};
  Index positions = slab.batch_end;
  for (int axis = 0; axis < 3; ++axis) {
    slab.q_begin[axis] = call.axes[axis].q_begin();
    slab.q_end[axis] = call.axes[axis].q_end();
    positions *= slab.q_end[axis] - slab.q_begin[axis];
  }
  if (positions > kChunkPixels) return false;
  double boxes = 0, pieces = 0;
  for_each_phase(call, [&](const Phase& d, const Phase& h, const Phase& w) {
    for_each_box(call, slab, {d, h, w}, false, [&](const Box& box) {
      Index taps[3];
      box.taps(taps);
      boxes += part.block_time(box.pixels(), layout.vector_time) *
               static_cast<double>(taps[0] * taps[1] * taps[2]);
    });
    for_each_tap_reach(call, slab, {d, h, w}, [&](const Segment(&reach)[3]) {
      pieces += part.block_time(pixels_of(reach, slab.batch_end), layout.vector_time);
    });
  });
  return pieces < boxes;
}

/// Offsets in a padded block's scratch of pixels [first, first + count) of `box`, a part of
/// `whole`.
void fill_tile_offsets(const Box& whole, const Box& box, Index first, Index count, Index block,
                       std::int32_t* offsets) {
  const auto extent = [&](int axis) { return whole.segment[axis].end - whole.segment[axis].begin; };
  const Segment(&at)[3] = box.segment;
  const Segment(&from)[3] = whole.segment;
  Index pixel = 0;
  for (Index n = box.batch_begin; n < box.batch_end; ++n) {
    for (Index d = at[0].begin; d < at[0].end; ++d) {
      for (Index h = at[1].begin; h < at[1].end; ++h) {
        const Index row = (((n - whole.batch_begin) * extent(0) + d - from[0].begin) * extent(1) +
                           h - from[1].begin) *
                          extent(2);
        for (Index w = at[2].begin; w < at[2].end; ++w, ++pixel) {
          if (pixel < first || pixel >= first + count) continue;
          *offsets++ = static_cast<std::int32_t>((row + w - from[2].begin) * block);
        }
      }
    }
  }
}

}  // namespace

bool pieces_pay(const Call& call, const WideLayout& layout) {
  if (layout.input_size < kLeastPieceInputs) return false;
  double work = static_cast<double>(call.batch_count()) * static_cast<double>(layout.rows()) *
                static_cast<double>(layout.output_size);
  Index phase_taps = 1;
  for (const CallAxis& axis : call.axes) {
    work *= static_cast<double>(axis.input);
    Index most = 0;
    for (const Phase& phase : axis.phases->with_taps()) most = std::max(most, phase.taps);
    phase_taps *= std::min(most, axis.input);
  }
  if (work < kLeastPieceWork) return false;
  const TargetSizes& sizes = target_sizes(layout.isa);
  const Index pixel_bytes = layout.input_size * static_cast<Index>(size_of(layout.dtype));
  const Index panel_bytes = phase_taps * pixel_bytes * layout.parts.front().block_channels();
  return boxes_leave_cache(panel_bytes, pixel_bytes, sizes.panel_bytes, sizes.slab_bytes) ||
         pieces_fill_tiles(call, layout);
}

void WideRunner::run_pieces(const Slab& slab, const Phase (&phase)[3], const Group& group,
                            const Scratch& scratch) const {
  Box whole{{phase[0], phase[1], phase[2]}, {}, 1, slab.batch_begin, slab.batch_end};
  for (int axis = 0; axis < 3; ++axis) {
    whole.segment[axis] =
        outputs_of(call_.axes[axis], phase[axis], slab.q_begin[axis], slab.q_end[axis]);
  }
  if (whole.pixels() == 0) return;
  const Index whole_blocks = group.channels() / group.part->block_channels();
  for (const Group& blocks : {group.head(whole_blocks), group.tail(whole_blocks)}) {
    if (blocks.begin < blocks.end) sum_pieces(slab, whole, blocks, scratch);
  }
}

void WideRunner::sum_pieces(const Slab& slab, const Box& whole, const Group& group,
                            const Scratch& scratch) const {
  const Part& part = *group.part;
  const Index block = part.block_channels();
  const Index first_channel = group.first_channel(), channels = group.channels();
  // Sums are kept in y; those of a padded block, which has more channels than y, in scratch.
  const bool padded = channels < (group.end - group.begin) * block;
  // Calls visit(chunk, sums, offsets of the pixels in them) for all pixels of a part of `whole`.
  const auto for_each_chunk = [&](const Box& box, auto visit) {
    const Index pixels = box.pixels();
    for (Index at = 0; at < pixels;) {
      const Chunk chunk = fill_chunk(call_, box, at, pixels - at, scratch);
      if (padded) {
        fill_tile_offsets(whole, box, at, chunk.count, block, scratch.pixel_tile);
        visit(chunk, scratch.tile, scratch.pixel_tile);
      } else {
        visit(chunk, chunk.y + first_channel * size_, scratch.pixel_y);
      }
      at += chunk.count;
    }
  };
  const auto arguments_of = [&](const Box& box, const Chunk& chunk, std::byte* sums) {
    TileArguments arguments = arguments_for(box, group, chunk);
    arguments.y = sums;
    return arguments;
  };

  for_each_chunk(whole, [&](const Chunk& chunk, std::byte* sums, std::int32_t* offsets) {
    run_tiles(part.tiles, arguments_of(whole, chunk, sums), chunk.count, scratch, kNoOffsets,
              offsets);
  });
  for_each_tap_reach(call_, slab, whole.phase, [&](const Segment(&reach)[3]) {
    Box box = whole;
    std::copy(std::begin(reach), std::end(reach), box.segment);
    for_each_chunk(box, [&](const Chunk& chunk, std::byte* sums, std::int32_t* offsets) {
      TileArguments arguments = arguments_of(box, chunk, sums);
      arguments.init = sums;
      const auto* x = static_cast<const std::byte*>(arguments.x);
      const auto* w = static_cast<const std::byte*>(arguments.w);
      for (Index ci = 0; ci < layout_.input_size; ci += sizes_.piece_rows) {
        arguments.x = x + ci * size_;
        arguments.w = w + ci * block * size_;
        arguments.input_size = std::min(sizes_.piece_rows, layout_.input_size - ci);
        run_tiles(part.tiles, arguments, chunk.count, scratch, offsets, offsets);
      }
    });
  });
  const bool linear = call_.activation.kind() == ActivationKind::kLinear;
  if (!padded && linear && epilogue_ == nullptr) return;
  for_each_chunk(whole, [&](const Chunk& chunk, std::byte* sums, std::int32_t* offsets) {
    finish(epilogue_ != nullptr ? *epilogue_ : *copy_, chunk, scratch, sums, offsets,
           {first_channel, first_channel + channels});
  });
}

}  // namespace upconv::UPCONV_ABI::internal
