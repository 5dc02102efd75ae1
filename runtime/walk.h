// How a call is walked: slabs of x, phases, groups of output channels, boxes. Every thread walks
// the same units in the same order; the sizes move work in time and never change a result.
#pragma once

#include <algorithm>
#include <utility>

#include "call.h"
#include "chunk.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

/// A range of batches and, along every axis, of outputs: what is done with all of it before the
/// next reads an x, and writes a y, that stay in cache.
struct Slab {
  Index batch_begin = 0;
  Index batch_end = 0;
  Index q_begin[3] = {};
  Index q_end[3] = {};
};

/// Blocks [begin, end) of one part of the output channels.
struct Group {
  const Part* part = nullptr;
  Index begin = 0;
  Index end = 0;

  Index first_channel() const { return part->first_channel + begin * part->block_channels(); }
  /// Real ones: of a padded block, those that y has.
  Index channels() const {
    return std::min((end - begin) * part->block_channels(),
                    part->first_channel + part->channels - first_channel());
  }
  /// The first `count` blocks, and those behind them.
  Group head(Index count) const { return {part, begin, begin + count}; }
  Group tail(Index count) const { return {part, begin + count, end}; }
};

/// Calls visit(slab): ranges of batches and of every axis with at most `pixels` positions in all.
template <typename Visit>
void for_each_slab_of_pixels(const Call& call, Index pixels, Visit visit) {
  // Whole faster axes where they fit; the slowest that does not fit is cut.
  Index step[3], left = pixels;
  for (int axis = 2; axis >= 0; --axis) {
    const Index extent = call.axes[axis].q_end() - call.axes[axis].q_begin();
    step[axis] = std::clamp<Index>(left, 1, extent);
    left = step[axis] == extent ? left / extent : 1;
  }
  const Index images = std::max<Index>(left, 1), batches = call.batch_count();
  Slab slab;
  const auto cut = [&](int axis, auto inner) {
    const CallAxis& range = call.axes[axis];
    for (Index q = range.q_begin(); q < range.q_end(); q += step[axis]) {
      slab.q_begin[axis] = q;
      slab.q_end[axis] = std::min(q + step[axis], range.q_end());
      inner();
    }
  };
  for (Index n = 0; n < batches; n += images) {
    slab.batch_begin = n;
    slab.batch_end = std::min(n + images, batches);
    cut(0, [&] { cut(1, [&] { cut(2, [&] { visit(std::as_const(slab)); }); }); });
  }
}

/// Calls visit(d, h, w) for every triple of phases that has an output in the window, or, where gaps
/// are filled, for those that have taps, too.
template <typename Visit>
void for_each_phase(const Call& call, Visit visit) {
  const auto of_axis = [&](int axis, auto inner) {
    call.axes[axis].for_each_phase([&](const Phase& phase) {
      if (!call.gaps_filled || phase.taps > 0) inner(phase);
    });
  };
  of_axis(0, [&](const Phase& d) {
    of_axis(1, [&](const Phase& h) { of_axis(2, [&](const Phase& w) { visit(d, h, w); }); });
  });
}

/// Calls visit(group): channels for which `rows` rows of weights are at most `panel_bytes`, so that
/// these stay in cache while all pixels pass.
template <typename Visit>
void for_each_group(const WideLayout& layout, Index rows, Index panel_bytes, Visit visit) {
  const Index size = static_cast<Index>(size_of(layout.dtype));
  for (const Part& part : layout.parts) {
    const Index block_bytes = std::max<Index>(1, rows * part.block_channels() * size);
    // A kernel's offsets in the weights are 32-bit, too.
    const Index block_step = layout.rows() * part.block_channels();
    const Index most = std::max<Index>(1, kUnbounded / 2 / std::max<Index>(1, block_step));
    const Index step = std::clamp<Index>(panel_bytes / block_bytes, 1, most);
    for (Index block = 0; block < part.blocks; block += step) {
      visit(Group{&part, block, std::min(block + step, part.blocks)});
    }
  }
}

/// Calls visit(segment, slides) for the segments of axis w; those of one output that a tap less or
/// more alone tells apart come as one, with their number.
template <typename Visit>
void for_each_slide(const CallAxis& w, const Phase& phase, Index q_begin, Index q_end,
                    Visit visit) {
  Segment first;
  Index slides = 0;
  for_each_segment(w, phase, q_begin, q_end, [&](const Segment& segment) {
    const bool slid = slides > 0 && w.phases->input_step() == 1 && segment.tap_end > 0 &&
                      first.end == first.begin + 1 && segment.end == segment.begin + 1 &&
                      segment.tap_begin == first.tap_begin + slides &&
                      segment.tap_end == first.tap_end + slides;
    if (slid) {
      ++slides;
      return;
    }
    if (slides > 0) visit(std::as_const(first), slides);
    first = segment;
    slides = 1;
  });
  if (slides > 0) visit(std::as_const(first), slides);
}

/// Calls visit(box) for the outputs of a phase within a slab, cut where the reached taps change;
/// where gaps are filled, for those that taps reach.
/// @param slide boxes may have slides
template <typename Visit>
void for_each_box(const Call& call, const Slab& slab, const Phase (&phase)[3], bool slide,
                  Visit visit) {
  Box box{{phase[0], phase[1], phase[2]}, {}, 1, slab.batch_begin, slab.batch_end};
  const auto is_gap = [&](const Segment& segment) {
    return call.gaps_filled && segment.tap_begin == segment.tap_end;
  };
  const auto segments = [&](int axis, auto inner) {
    for_each_segment(call.axes[axis], phase[axis], slab.q_begin[axis], slab.q_end[axis],
                     [&](const Segment& segment) {
                       if (is_gap(segment)) return;
                       box.segment[axis] = segment;
                       inner();
                     });
  };
  const auto along_w = [&] {
    if (!slide) {
      segments(2, [&] { visit(std::as_const(box)); });
      return;
    }
    for_each_slide(call.axes[2], phase[2], slab.q_begin[2], slab.q_end[2],
                   [&](const Segment& first, Index slides) {
                     if (is_gap(first)) return;
                     box.segment[2] = first;
                     box.slides = slides;
                     visit(std::as_const(box));
                   });
  };
  segments(0, [&] { segments(1, along_w); });
}

}  // namespace upconv::UPCONV_ABI::internal
