#include "upconv/layout.h"

#include <cstddef>
#include <string>

#include "upconv/error.h"

namespace upconv {

namespace {

/// Number of batch axes.
std::size_t check(const ConstTensorView& tensor, int rank, const char* what) {
  if (rank < 1) {
    throw Error(ErrorKind::kInvalidArgument, std::string(what) + ": rank is " +
                                                 std::to_string(rank) + "; it must be at least 1");
  }
  const std::size_t needed = static_cast<std::size_t>(rank) + 1;
  if (tensor.shape().size() < needed) {
    throw Error(ErrorKind::kShapeMismatch, std::string(what) + ": tensor has shape " +
                                               to_string(tensor.shape()) +
                                               "; it must have at least " + std::to_string(needed) +
                                               " axes for rank " + std::to_string(rank));
  }
  return tensor.shape().size() - needed;
}

/// A copy whose axis a is the tensor's axis source(a).
template <typename Source>
Tensor permuted(const ConstTensorView& tensor, const Source& source) {
  Dims shape;
  Dims strides;
  for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
    shape.push_back(tensor.shape()[source(axis)]);
    strides.push_back(tensor.strides()[source(axis)]);
  }
  return Tensor::copy_of(ConstTensorView(tensor.data(), tensor.dtype(), shape, strides));
}

}  // namespace

Tensor channels_first_to_last(const ConstTensorView& tensor, int rank) {
  const std::size_t channels = check(tensor, rank, "channels_first_to_last");
  const std::size_t last = tensor.shape().size() - 1;
  return permuted(tensor, [&](std::size_t axis) {
    if (axis < channels) return axis;
    return axis == last ? channels : axis + 1;
  });
}

Tensor channels_last_to_first(const ConstTensorView& tensor, int rank) {
  const std::size_t channels = check(tensor, rank, "channels_last_to_first");
  const std::size_t last = tensor.shape().size() - 1;
  return permuted(tensor, [&](std::size_t axis) {
    if (axis < channels) return axis;
    return axis == channels ? last : axis - 1;
  });
}

}  // namespace upconv
