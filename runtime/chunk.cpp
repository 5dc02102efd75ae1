#include "chunk.h"

#include <algorithm>
#include <cstring>

namespace upconv::UPCONV_ABI::internal {

namespace {

Place operator+(const Place& a, const Place& b) {
  return {a.x + b.x, a.y + b.y, a.residual + b.residual};
}
Place operator*(Index count, const Place& step) {
  return {count * step.x, count * step.y, count * step.residual};
}

/// A box's pixels, in sheets: rows along the last axis that has several, evenly apart along the one
/// before it.
class Sheets {
 public:
  Sheets(const Call& call, const Box& box, const Index (&taps)[3])
      : call_(call), n_(box.batch_begin) {
    for (int axis = 0; axis < 3; ++axis) {
      const Phase& phase = box.phase[axis];
      const Segment& segment = box.segment[axis];
      const AxisPhases& phases = *call.axes[axis].phases;
      const Index q = segment.begin;
      const Index j = q * phases.stride() + phase.residue - call.axes[axis].window.offset;
      first_.y += j * call.y_strides[axis];
      first_.residual += j * call.residual_strides[axis];
      // A box without taps reads nothing; its q may be outside x.
      if (taps[axis] > 0) {
        const Index input = q - phase.origin - segment.tap_begin * phases.input_step();
        first_.x += input * call.x_strides[axis];
      }
      extents_[axis] = segment.end - q;
      // With one pixel there is no step, and the products may not fit.
      if (extents_[axis] == 1) continue;
      steps_[axis] = {taps[axis] > 0 ? call.x_strides[axis] : 0,
                      phases.stride() * call.y_strides[axis],
                      phases.stride() * call.residual_strides[axis]};
    }
    while (along_ > 1 && extents_[along_] == 1) --along_;
  }

  /// Goes to a pixel of the box: batch slowest, w fastest.
  void go_to(Index pixel) {
    place_ = first_;
    if (pixel > 0) {
      for (int axis = 2; axis >= 0; --axis) {
        at_[axis] = pixel % extents_[axis];
        pixel /= extents_[axis];
        place_ = place_ + at_[axis] * steps_[axis];
      }
      n_ += pixel;
    }
    place_ = place_ + call_.image(n_);
  }
  /// Goes on by pixels of the row that this is in, or by whole rows of the sheet.
  void advance(Index pixels) {
    const Index row = extents_[along_];
    Index rows = pixels / row;
    if (rows == 0) {
      at_[along_] += pixels;
      place_ = place_ + pixels * steps_[along_];
      if (at_[along_] < row) return;
      place_ = place_ + -row * steps_[along_];
      at_[along_] = 0;
      rows = 1;
    }
    for (int axis = along_ - 1; axis >= 0; --axis, rows = 1) {
      at_[axis] += rows;
      place_ = place_ + rows * steps_[axis];
      if (at_[axis] < extents_[axis]) return;
      place_ = place_ + -at_[axis] * steps_[axis];
      at_[axis] = 0;
    }
    ++n_;
    place_ = call_.image(n_) + first_;
  }

  const Place& place() const { return place_; }
  /// Pixels from here to the row's end; from there to the next row, with this one's rows left.
  Index row_left() const { return extents_[along_] - at_[along_]; }
  Index row() const { return extents_[along_]; }
  Index rows_left() const { return extents_[along_ - 1] - at_[along_ - 1]; }
  const Place& step() const { return steps_[along_]; }
  const Place& row_step() const { return steps_[along_ - 1]; }

 private:
  const Call& call_;
  int along_ = 2;
  Index extents_[3], at_[3] = {}, n_;
  Place first_, place_;  ///< of an image's first pixel; of the pixel that this is at
  Place steps_[3];
};

/// Offsets written at a time, as every processor can.
using Run [[gnu::vector_size(16)]] = std::uint32_t;
constexpr int kRun = 4;
static_assert(kTablePixels - kChunkPixels >= kRun);

/// Offsets of rows one after the other, that are known to fit in 32 bits. Writes up to kRun - 1
/// more.
void fill_rows(std::int32_t* offsets, Index rows, Index row, Index first, Index row_step,
               Index step) {
  const auto by = static_cast<std::uint32_t>(step);
  const Run steps = {0, by, 2 * by, 3 * by};
  const std::uint32_t on = kRun * by;
  for (Index r = 0; r < rows; ++r, offsets += row, first += row_step) {
    Run run = steps + static_cast<std::uint32_t>(first);
    for (Index begin = 0; begin < row; begin += kRun, run += on) {
      std::memcpy(offsets + begin, &run, sizeof run);
    }
  }
}

}  // namespace

Index Box::pixels() const {
  Index count = batch_end - batch_begin;
  for (const Segment& s : segment) count *= s.end - s.begin;
  return count;
}

void Box::taps(Index (&out)[3]) const {
  bool any = true;
  for (int axis = 0; axis < 3; ++axis) {
    out[axis] = segment[axis].tap_end - segment[axis].tap_begin;
    any = any && out[axis] > 0;
  }
  if (!any) std::fill(std::begin(out), std::end(out), 0);
}

Scratch::Scratch(std::span<std::byte> memory) {
  std::byte* at = memory.data();
  const auto take = [&](Index entries) {
    auto* table = reinterpret_cast<std::int32_t*>(at);
    at += static_cast<std::size_t>(entries) * sizeof(std::int32_t);
    return table;
  };
  for (std::int32_t** table : {&pixel_x, &pixel_y, &pixel_residual, &pixel_tile}) {
    *table = take(kTablePixels);
  }
  row_x = take(kListedRows);
  row_w = take(kListedRows);
  tile = at;
}

Chunk fill_chunk(const Call& call, const Box& box, Index first, Index most,
                 const Scratch& scratch) {
  const Index size = static_cast<Index>(size_of(call.dtype));
  Chunk chunk;
  box.taps(chunk.taps);

  // Taps walk x downwards; offsets must not be negative, so the base is at the lowest tap.
  Index lowest_tap = 0;
  for (int axis = 0; axis < 3; ++axis) {
    if (chunk.taps[axis] < 2) continue;
    const Index step = -call.axes[axis].phases->input_step() * call.x_strides[axis];
    chunk.tap_x[axis] = static_cast<std::int32_t>(step);
    lowest_tap += std::min<Index>(0, (chunk.taps[axis] - 1) * step);
  }

  Sheets sheets(call, box, chunk.taps);
  sheets.go_to(first);
  const Place base = sheets.place(), step = sheets.step(), row_step = sheets.row_step();
  Index lowest_x = 0;
  const Index count = std::min(most, box.pixels() - first);
  // One pixel is at its own place, whatever the steps are.
  if (count == 1) {
    scratch.pixel_x[0] = scratch.pixel_y[0] = scratch.pixel_residual[0] = 0;
    chunk.count = 1;
  }
  while (chunk.count < count) {
    const Place at = sheets.place() + Index{-1} * base;
    // Where the furthest of evenly spaced offsets fits, all do.
    const auto fit = [&](Index rows, Index row) {
      const auto reach = [&](Index Place::*view) {
        return std::abs(at.*view) + (rows - 1) * std::abs(row_step.*view) +
               (row - 1) * std::abs(step.*view);
      };
      return std::max({reach(&Place::x), reach(&Place::y), reach(&Place::residual)}) <=
             kLargestOffset;
    };
    const Index left = count - chunk.count;
    Index rows = 1, row = std::min(sheets.row_left(), left);
    if (row == sheets.row()) rows = std::min(sheets.rows_left(), left / row);
    while (rows > 1 && !fit(rows, row)) --rows;
    const Index whole = row;
    while (row > 0 && !fit(rows, row)) --row;
    const auto fill = [&](std::int32_t* table, Index Place::*view) {
      fill_rows(table + chunk.count, rows, row, at.*view, row_step.*view, step.*view);
    };
    fill(scratch.pixel_x, &Place::x);
    fill(scratch.pixel_y, &Place::y);
    if (call.residual != nullptr) fill(scratch.pixel_residual, &Place::residual);
    chunk.count += rows * row;
    if (row == 0) break;
    lowest_x = std::min(lowest_x, at.x + std::min<Index>(0, (rows - 1) * row_step.x) +
                                      std::min<Index>(0, (row - 1) * step.x));
    if (row < whole || chunk.count == count) break;
    sheets.advance(rows * row);
  }

  const Index shift = lowest_x + lowest_tap;
  if (shift != 0) {
    const auto by = static_cast<std::int32_t>(shift);
    for (Index p = 0; p < chunk.count; ++p) scratch.pixel_x[p] -= by;
  }
  chunk.x = call.x + (chunk.taps[0] > 0 ? (base.x + shift) * size : 0);
  chunk.y = call.y + base.y * size;
  if (call.residual != nullptr) chunk.residual = call.residual + base.residual * size;
  return chunk;
}

}  // namespace upconv::UPCONV_ABI::internal
