// Views of Halide buffers, without a copy.
//
// Optional: it needs Halide's HalideBuffer.h on the include path, and upconv.h leaves it out. The
// library itself needs nothing of Halide's at run time.
#pragma once

#include <HalideBuffer.h>

#include <string>
#include <type_traits>

#include "upconv/error.h"
#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

namespace internal {

/// The dtype, shape and strides of a buffer, as every view of it needs them. Halide counts axes
/// from the innermost, Upconv from the outermost. A buffer's minima play no part: its first element
/// is index 0.
struct HalideLayout {
  explicit HalideLayout(const halide_buffer_t& buffer) {
    if (buffer.type == halide_type_of<float>()) {
      dtype = DType::kFloat32;
    } else if (buffer.type == halide_type_of<double>()) {
      dtype = DType::kFloat64;
    } else {
      throw Error(ErrorKind::kShapeMismatch, "Halide buffer has type code " +
                                                 std::to_string(int{buffer.type.code}) + ", " +
                                                 std::to_string(int{buffer.type.bits}) + " bits, " +
                                                 std::to_string(int{buffer.type.lanes}) +
                                                 " lanes; it must be a scalar float32 or float64");
    }
    if (buffer.device_dirty()) {
      throw Error(ErrorKind::kUnsupported,
                  "Halide buffer is newer on its device; it must be copied to the host first");
    }
    bool empty = false;
    for (int axis = buffer.dimensions; axis-- > 0;) {
      shape.push_back(buffer.dim[axis].extent);
      strides.push_back(buffer.dim[axis].stride);
      empty = empty || buffer.dim[axis].extent == 0;
    }
    if (!buffer.host && !empty) {
      throw Error(ErrorKind::kInvalidArgument, "Halide buffer of shape " + to_string(shape) +
                                                   " has no host memory; it must be allocated");
    }
  }

  DType dtype = DType::kFloat32;
  Dims shape;
  Dims strides;
};

}  // namespace internal

/// A read-only view of a buffer of floats or doubles (the type may be known at run time only). A
/// buffer with dimensions (channels, x, y, batch) is a tensor `[batch, y, x, channels]`. The
/// buffer's memory must outlive the view.
/// @throws Error kShapeMismatch for other element types, kUnsupported when the data is on a device,
///         kInvalidArgument without memory.
template <typename T, int Dimensions, int InClassDimensions>
ConstTensorView view_of(const Halide::Runtime::Buffer<T, Dimensions, InClassDimensions>& buffer) {
  const halide_buffer_t& raw = *buffer.raw_buffer();
  const internal::HalideLayout layout(raw);
  return {raw.host, layout.dtype, layout.shape, layout.strides};
}

/// The same, writable. What is written counts as host data: call `set_host_dirty()` afterwards when
/// the buffer is also on a device.
template <typename T, int Dimensions, int InClassDimensions>
requires(!std::is_const_v<T>) TensorView
    view_of(Halide::Runtime::Buffer<T, Dimensions, InClassDimensions>& buffer) {
  const halide_buffer_t& raw = *buffer.raw_buffer();
  const internal::HalideLayout layout(raw);
  return {raw.host, layout.dtype, layout.shape, layout.strides};
}

}  // namespace upconv::UPCONV_ABI
