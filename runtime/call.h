// One call of a layer, as the kernels see it: strided views, windows and the activation, no
// options.
#pragma once

#include <cstddef>

#include "phases.h"
#include "upconv/activation.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// One batch axis: its extent and the strides, in elements, of the three views.
struct BatchAxis {
  Index extent = 1;
  Index x = 0, y = 0, residual = 0;
};

/// A place in the three views, in elements from their first.
struct Place {
  Index x = 0, y = 0, residual = 0;
};

/// Everything about a call, validated. Spatial axes are d, h, w; those beyond the layer's rank have
/// one input and one tap. Channels are contiguous in all views.
struct Call {
  DType dtype = DType::kFloat32;
  Activation activation;  ///< not kCallable
  CallAxis axes[3];
  Index x_strides[3] = {}, y_strides[3] = {}, residual_strides[3] = {};
  BatchAxis batch[kMaxAxes];  ///< slowest first
  std::size_t batch_axes = 0;
  const std::byte* x = nullptr;
  const std::byte* residual = nullptr;  ///< null: none
  std::byte* y = nullptr;
  bool gaps_filled = false;  ///< outputs that no tap reaches have their values (gaps.h)

  /// Product of the batch extents.
  Index batch_count() const {
    Index count = 1;
    for (std::size_t axis = 0; axis < batch_axes; ++axis) count *= batch[axis].extent;
    return count;
  }

  /// The first axis with more than one position, else w.
  int slow_axis() const {
    int axis = 0;
    while (axis < 2 && axes[axis].input == 1 && axes[axis].window.output == 1) ++axis;
    return axis;
  }

  /// Where image n of the batch, in C order, begins.
  Place image(Index n) const {
    Place place;
    for (std::size_t axis = batch_axes; axis-- > 0;) {
      const Index at = n % batch[axis].extent;
      n /= batch[axis].extent;
      place.x += at * batch[axis].x;
      place.y += at * batch[axis].y;
      place.residual += at * batch[axis].residual;
    }
    return place;
  }
};

}  // namespace upconv::UPCONV_ABI::internal
