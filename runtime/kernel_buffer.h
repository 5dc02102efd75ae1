// What kernels take: a halide_buffer_t on the stack, over memory that is somebody else's.
#pragma once

#include <array>
#include <cstdint>

#include "HalideRuntime.h"
#include "chunk.h"

namespace upconv::UPCONV_ABI::internal {

/// N axes, the fastest first, as Halide has them; all start at 0.
template <int N>
struct Buffer {
  halide_dimension_t dim[N];
  halide_buffer_t raw;

  Buffer(const void* host, std::array<Index, N> extents, std::array<Index, N> strides) : raw{} {
    for (int axis = 0; axis < N; ++axis) {
      dim[axis] = halide_dimension_t{0, static_cast<int32_t>(extents[static_cast<size_t>(axis)]),
                                     static_cast<int32_t>(strides[static_cast<size_t>(axis)])};
    }
    raw.host = static_cast<uint8_t*>(const_cast<void*>(host));
    raw.dimensions = N;
    raw.dim = dim;
  }
  Buffer(const Buffer&) = delete;  // raw points into dim
  Buffer& operator=(const Buffer&) = delete;
};

/// One axis of adjacent elements; without an extent, views that only the tables bound.
inline Buffer<1> flat(const void* host, Index extent = kUnbounded) {
  return Buffer<1>(host, {extent}, {1});
}

}  // namespace upconv::UPCONV_ABI::internal
