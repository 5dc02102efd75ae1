// A tensor with its axes in another order.
#pragma once

#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// A copy whose axis a is the tensor's axis source[a].
inline Tensor permuted(const ConstTensorView& tensor, const Dims& source) {
  Dims shape;
  Dims strides;
  for (const Index axis : source) {
    shape.push_back(tensor.shape()[static_cast<std::size_t>(axis)]);
    strides.push_back(tensor.strides()[static_cast<std::size_t>(axis)]);
  }
  return Tensor::copy_of(ConstTensorView(tensor.data(), tensor.dtype(), shape, strides));
}

}  // namespace upconv::UPCONV_ABI::internal
