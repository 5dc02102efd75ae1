// Between channels-last and planar data: what the narrow strategy reads and writes.
#pragma once

#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// planar[ci * planar_step + w] = x[w * x_step + ci] for 0 <= w < width, 0 <= ci < channels.
template <Element T>
void to_planar(const T* x, Index x_step, Index width, Index channels, T* planar, Index planar_step);

/// y[w * y_step + c] = planar[c * planar_step + w] for 0 <= w < width, 0 <= c < channels.
template <Element T>
void from_planar(const T* planar, Index planar_step, Index width, Index channels, T* y,
                 Index y_step);

}  // namespace upconv::UPCONV_ABI::internal
