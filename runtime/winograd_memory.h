// Scratch of one thread for a round of the winograd strategy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "chunk.h"
#include "winograd_layout.h"
#include "winograd_run.h"

namespace upconv::UPCONV_ABI::internal {

/// A tile's place.
struct WinogradRunner::Tile {
  Index input[3];     ///< first input along each axis, may be outside x
  Index o[3];         ///< u of its first output, times the stride
  Index x;            ///< element of that input
  Index y, residual;  ///< of o in the image's outputs
  bool whole;         ///< all inputs exist, in reach of a kernel
};

/// One thread's scratch.
struct WinogradRunner::Memory {
  Memory(const WinogradLayout& layout, std::byte* memory) : at(memory) {
    const Index size = static_cast<Index>(size_of(layout.dtype));
    const auto take = [&](Index elements) {
      std::byte* taken = at;
      at += ceil_div(elements, 16) * 16 * size;
      return taken;
    };
    points = take(layout.most_points * layout.round_tiles * layout.pitch);
    products = take(layout.most_points * layout.round_tiles * layout.group_channels);
    const Index tile = layout.most_points * std::max(layout.pitch, layout.group_channels);
    for (std::byte*& buffer : between) buffer = take(layout.transform_tiles * tile);
    apart = take(layout.transform_tiles * tile);
    zeros = take(layout.group_channels);
    pixel_x = reinterpret_cast<std::int32_t*>(at);
    pixel_y = pixel_x + kTablePixels;
    at += 2 * kTablePixels * static_cast<Index>(sizeof(std::int32_t));
    tiles = reinterpret_cast<Tile*>(at);
    at += kTablePixels * static_cast<Index>(sizeof(Tile));
  }

  std::byte* points;      ///< [point][tile][pitch]
  std::byte* products;    ///< [point][tile][channel]
  std::byte* between[2];  ///< tiles from one pass to the next
  std::byte* apart;       ///< tiles gathered from x, or not to be written to y as they are
  std::byte* zeros;       ///< for the sums to start with
  std::int32_t *pixel_x, *pixel_y;
  Tile* tiles;    ///< of the round
  std::byte* at;  ///< the end
};

}  // namespace upconv::UPCONV_ABI::internal
