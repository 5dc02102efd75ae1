// Layouts: tensors of libraries that keep channels before the spatial axes.
#pragma once

#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// A copy of `[batch..., channels, spatial...]` (PyTorch, ONNX: NCHW) as
/// `[batch..., spatial..., channels]`, the order of every layer here.
/// @param rank number of spatial axes.
/// @throws Error kInvalidArgument when rank < 1, kShapeMismatch when the tensor has fewer than
///         rank + 1 axes.
Tensor channels_first_to_last(const ConstTensorView& tensor, int rank);

/// The way back.
/// @throws as channels_first_to_last.
Tensor channels_last_to_first(const ConstTensorView& tensor, int rank);

}  // namespace upconv::UPCONV_ABI
