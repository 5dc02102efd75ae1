// Passes of tiles through the transform kernels (generators/winograd.cpp), from one array to
// another.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "kernel_buffer.h"
#include "winograd_layout.h"

namespace upconv::UPCONV_ABI::internal {

/// An array of tiles: [d][h][w][channel] of each, and the distances in elements.
struct TileArray {
  std::byte* data = nullptr;
  Index extents[3] = {1, 1, 1};
  Index steps[3] = {};
  Index tile = 0;  ///< from tile to tile; 0 where tiles lie anywhere
};

/// Tiles one after the other, their elements `pitch` apart.
inline TileArray tiles_in(std::byte* data, const Index (&extents)[3], Index pitch) {
  TileArray array{.data = data};
  Index step = pitch;
  for (int axis = 2; axis >= 0; --axis) {
    array.extents[axis] = extents[axis];
    array.steps[axis] = step;
    step *= extents[axis];
  }
  array.tile = step;
  return array;
}

/// Points one after the other, of each all tiles `pitch` apart.
inline TileArray points_in(std::byte* data, const Index (&extents)[3], Index tiles, Index pitch) {
  TileArray array = tiles_in(data, extents, tiles * pitch);
  array.tile = pitch;
  return array;
}

/// Calls visit(position) for all positions in a tile, w fastest.
template <typename Visit>
void for_each_position(const Index (&end)[3], Visit visit) {
  Index at[3];
  for (at[0] = 0; at[0] < end[0]; ++at[0]) {
    for (at[1] = 0; at[1] < end[1]; ++at[1]) {
      for (at[2] = 0; at[2] < end[2]; ++at[2]) visit(std::as_const(at));
    }
  }
}

/// Calls visit(position) for all positions in a tile but along the axes of a pass, where it is 0.
template <typename Kernel, typename Visit>
void for_each_other(const TransformPass<Kernel>& pass, const Index (&extents)[3], Visit visit) {
  Index end[3];
  for (int axis = 0; axis < 3; ++axis) {
    end[axis] = axis == pass.axis_u || axis == pass.axis_v ? 1 : extents[axis];
  }
  for_each_position(end, visit);
}

inline Index offset_of(const Index (&at)[3], const Index (&steps)[3]) {
  return at[0] * steps[0] + at[1] * steps[1] + at[2] * steps[2];
}

/// Where the pixels of a kernel's call begin in an array, in elements.
using Places = std::array<Index, static_cast<std::size_t>(kTablePixels)>;
using Offsets = std::array<std::int32_t, static_cast<std::size_t>(kTablePixels)>;

/// The lowest of some places, and the others' distances from it.
struct Origin {
  Index lowest = 0, span = 0;

  Origin(const Index* places, Index count) {
    Index highest = lowest = places[0];
    for (Index p = 1; p < count; ++p) {
      lowest = std::min(lowest, places[p]);
      highest = std::max(highest, places[p]);
    }
    span = highest - lowest;
  }
  void fill(const Index* places, Index count, std::int32_t* offsets, Index shift) const {
    for (Index p = 0; p < count; ++p) {
      offsets[p] = static_cast<std::int32_t>(places[p] - lowest + shift);
    }
  }
};

/// A pass' steps along its axes in an array: 0 where it has none.
struct PassSteps {
  std::int32_t u = 0, v = 0;
  Index lowest = 0;  ///< of all its elements from the first, at most 0

  template <typename Kernel>
  PassSteps(const TransformPass<Kernel>& pass, const TileArray& array) {
    const auto along = [&](int axis) -> std::int32_t {
      if (axis < 0) return 0;
      lowest += std::min<Index>(0, (array.extents[axis] - 1) * array.steps[axis]);
      return static_cast<std::int32_t>(array.steps[axis]);
    };
    u = along(pass.axis_u);
    v = along(pass.axis_v);
  }
};

/// Arguments of a transform kernel.
struct TransformCall {
  halide_buffer_t *in, *pixel_in, *pixel_out;
  std::int32_t in_u, in_v, out_u, out_v;
  halide_buffer_t* out;
};

/// Calls kernel(arguments) for the tiles that begin at `in` in one array and at `out` in the other.
template <typename Kernel, typename Call>
class PassRunner {
 public:
  PassRunner(const TransformPass<Kernel>& pass, const TileArray& from, const TileArray& to,
             Index size, Call kernel)
      : pass_(pass),
        from_(from),
        to_(to),
        in_(pass, from),
        out_(pass, to),
        size_(size),
        kernel_(kernel) {}

  void run(const Index* in, const Index* out, Index tiles) const {
    if (one_pixel()) {
      launch(in, out, tiles);
      return;
    }
    Places pixel_in, pixel_out;
    std::size_t count = 0;
    const auto flush = [&] {
      if (count > 0) launch(pixel_in.data(), pixel_out.data(), static_cast<Index>(count));
      count = 0;
    };
    for (Index tile = 0; tile < tiles; ++tile) {
      for_each_other(pass_, from_.extents, [&](const Index(&at)[3]) {
        if (count == pixel_in.size()) flush();
        pixel_in[count] = in[tile] + offset_of(at, from_.steps);
        pixel_out[count++] = out[tile] + offset_of(at, to_.steps);
      });
    }
    flush();
  }

 private:
  /// True where a tile is one pixel of the kernel: it has no axis beside those of the pass.
  bool one_pixel() const {
    for (int axis = 0; axis < 3; ++axis) {
      if (axis != pass_.axis_u && axis != pass_.axis_v && from_.extents[axis] > 1) return false;
    }
    return true;
  }

  void launch(const Index* pixel_in, const Index* pixel_out, Index count) const {
    const Origin in(pixel_in, count), out(pixel_out, count);
    if (std::max(in.span, out.span) > kLargestOffset) {  // one pixel has no span
      launch(pixel_in, pixel_out, count / 2);
      launch(pixel_in + count / 2, pixel_out + count / 2, count - count / 2);
      return;
    }
    Offsets offsets_in, offsets_out;
    in.fill(pixel_in, count, offsets_in.data(), -in_.lowest);
    out.fill(pixel_out, count, offsets_out.data(), -out_.lowest);
    Buffer<1> in_buffer = flat(from_.data + (in.lowest + in_.lowest) * size_);
    Buffer<1> out_buffer = flat(to_.data + (out.lowest + out_.lowest) * size_);
    Buffer<1> pi = flat(offsets_in.data(), count), po = flat(offsets_out.data(), count);
    kernel_(TransformCall{&in_buffer.raw, &pi.raw, &po.raw, in_.u, in_.v, out_.u, out_.v,
                          &out_buffer.raw});
  }

  const TransformPass<Kernel>& pass_;
  const TileArray &from_, &to_;
  PassSteps in_, out_;
  Index size_;
  Call kernel_;
};

/// Takes `count` tiles that begin at `in` of `from` through all passes, to where they begin at
/// `out` of `to`. Between passes they lie in one of two buffers.
/// @param outputs of a tile along the axes that have been passed
/// @param call (kernel, last, arguments)
template <typename Kernel, typename Call>
void run_passes(const Passes<Kernel>& passes, TileArray from, Places& in, const TileArray& to,
                const Places& out, Index count, const Index (&outputs)[3],
                std::byte* const (&between)[2], Index pitch, Index size, Call call) {
  for (std::size_t number = 0;; ++number) {
    const TransformPass<Kernel>& pass = passes[number];
    const bool last = number + 1 == passes.count;
    const auto kernel = [&](const TransformCall& arguments) {
      call(*pass.kernel, last, arguments);
    };
    if (last) {
      PassRunner(pass, from, to, size, kernel).run(in.data(), out.data(), count);
      return;
    }
    Index extents[3] = {from.extents[0], from.extents[1], from.extents[2]};
    for (const int axis : {pass.axis_u, pass.axis_v}) {
      if (axis >= 0) extents[axis] = outputs[axis];
    }
    const TileArray next = tiles_in(between[number % 2], extents, pitch);
    Places places;
    for (Index n = 0; n < count; ++n) places[static_cast<std::size_t>(n)] = n * next.tile;
    PassRunner(pass, from, next, size, kernel).run(in.data(), places.data(), count);
    std::copy_n(places.begin(), count, in.begin());
    from = next;
  }
}

/// True where all elements of a tile are within the reach of a kernel's 32-bit offsets.
inline bool within_reach(const Index (&extents)[3], const Index (&steps)[3]) {
  Index reach = 0;
  for (int axis = 0; axis < 3; ++axis) {
    Index span = 0;
    if (__builtin_mul_overflow(extents[axis] - 1, std::abs(steps[axis]), &span) ||
        __builtin_add_overflow(reach, span, &reach)) {
      return false;
    }
  }
  return reach <= kLargestOffset;
}

}  // namespace upconv::UPCONV_ABI::internal
