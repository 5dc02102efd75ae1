#include "upconv/halide_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "expect_error.h"

namespace upconv {
namespace {

using Halide::Runtime::Buffer;

TEST(HalideBuffer, AxesAreReversed) {
  std::vector<float> memory(24, 0.0F);
  Buffer<float, 3> buffer(memory.data(), 4, 3, 2);  // channels, x, y
  buffer(1, 2, 1) = 5;
  const ConstTensorView view = view_of(std::as_const(buffer));
  EXPECT_EQ(view.shape(), (Dims{2, 3, 4}));
  EXPECT_EQ(view.strides(), (Dims{12, 4, 1}));
  EXPECT_EQ(view.dtype(), DType::kFloat32);
  EXPECT_EQ(view.data(), memory.data());
  EXPECT_EQ(view.data_as<float>()[1 * 12 + 2 * 4 + 1], 5);
}

TEST(HalideBuffer, WritableWhenTheBufferIs) {
  Buffer<double> buffer(3, 2);
  const TensorView view = view_of(buffer);
  EXPECT_EQ(view.dtype(), DType::kFloat64);
  view.data_as<double>()[1 * 3 + 2] = 7;
  EXPECT_EQ(buffer(2, 1), 7);
  const Buffer<const double>& read_only = buffer;
  static_assert(std::is_same_v<decltype(view_of(read_only)), ConstTensorView>);
  static_assert(std::is_same_v<decltype(view_of(std::as_const(buffer))), ConstTensorView>);
  EXPECT_EQ(view_of(read_only).data(), buffer.data());
}

TEST(HalideBuffer, CropsAndSlicesKeepTheirStrides) {
  Buffer<float, 3> buffer(8, 6, 5);
  buffer.fill(0.0F);
  Buffer<float, 3> crop = buffer.cropped(0, 2, 3).cropped(1, 1, 4);  // a channel slice
  crop(2, 1, 0) = 3;
  const TensorView view = view_of(crop);
  EXPECT_EQ(view.shape(), (Dims{5, 4, 3}));
  EXPECT_EQ(view.strides(), (Dims{48, 8, 1}));
  EXPECT_EQ(view.data_as<float>()[0], 3);  // index 0 is the crop's first element
}

TEST(HalideBuffer, NegativeStridesAndEmptyBuffers) {
  std::vector<float> memory = {0, 1, 2};
  halide_dimension_t backwards(0, 3, -1);
  const Buffer<float, 1> buffer(memory.data() + 2, 1, &backwards);
  const ConstTensorView view = view_of(buffer);
  EXPECT_EQ(view.strides(), Dims{-1});
  EXPECT_EQ(Tensor::copy_of(view).values<float>()[0], 2);
  Buffer<float, 2> empty(nullptr, 0, 4);
  EXPECT_EQ(view_of(empty).shape(), (Dims{4, 0}));
}

TEST(HalideBuffer, ATypeKnownAtRunTimeOnly) {
  Buffer<void> buffer(halide_type_of<float>(), 4);
  EXPECT_EQ(view_of(buffer).dtype(), DType::kFloat32);
}

TEST(HalideBuffer, WhatCannotBeViewedIsAnError) {
  Buffer<std::uint8_t, 1> bytes(4);
  expect_error(ErrorKind::kShapeMismatch, {"8 bits", "float32 or float64"},
               [&] { view_of(bytes); });
  Buffer<float, 1> unallocated(nullptr, 4);
  expect_error(ErrorKind::kInvalidArgument, {"[4]", "no host memory"},
               [&] { view_of(unallocated); });
  Buffer<float, 1> on_device(4);
  on_device.raw_buffer()->flags |= halide_buffer_flag_device_dirty;
  expect_error(ErrorKind::kUnsupported, {"device"}, [&] { view_of(on_device); });
  on_device.raw_buffer()->flags = 0;
}

}  // namespace
}  // namespace upconv
