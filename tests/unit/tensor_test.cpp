#include "upconv/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "expect_error.h"
#include "upconv/dtype.h"

namespace upconv {
namespace {

std::vector<float> floats(const Tensor& tensor) {
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}

// ---- DType

TEST(DType, NamesAndSizes) {
  EXPECT_EQ(parse_dtype("float32"), DType::kFloat32);
  EXPECT_EQ(parse_dtype("float64"), DType::kFloat64);
  EXPECT_EQ(to_string(DType::kFloat32), "float32");
  EXPECT_EQ(to_string(DType::kFloat64), "float64");
  EXPECT_EQ(size_of(DType::kFloat32), sizeof(float));
  EXPECT_EQ(size_of(DType::kFloat64), sizeof(double));
  for (const char* name : {"", "Float32", "float16", "float32 "}) {
    expect_error(ErrorKind::kInvalidArgument,
                 {"dtype is \"" + std::string(name) + "\"", "float32 or float64"},
                 [&] { parse_dtype(name); });
  }
  expect_error(ErrorKind::kInvalidArgument, {"dtype is \"float\\x0a32\"; it must be"},
               [] { parse_dtype("float\n32"); });
}

// ---- Dims

TEST(Dims, HoldsAShortList) {
  Dims dims = {4, 5};
  dims.push_back(6);
  EXPECT_EQ(dims.size(), 3U);
  EXPECT_EQ(dims.back(), 6);
  dims[0] = 7;
  EXPECT_EQ(dims, (Dims{7, 5, 6}));
  EXPECT_NE(dims, (Dims{7, 5}));
  EXPECT_EQ(to_string(dims), "[7, 5, 6]");
  EXPECT_EQ(to_string(Dims()), "[]");
  EXPECT_TRUE(Dims().empty());
  const Dims copy = dims;
  dims = Dims{1};
  EXPECT_EQ(copy, (Dims{7, 5, 6}));
  EXPECT_EQ(dims, Dims{1});
}

TEST(Dims, MoreThanTheLimitIsAnError) {
  Dims dims;
  for (std::size_t i = 0; i < kMaxAxes; ++i) dims.push_back(1);
  expect_error(ErrorKind::kLimitExceeded, {"64"}, [&] { dims.push_back(1); });
  EXPECT_EQ(dims.size(), kMaxAxes);
}

TEST(Dims, ElementCount) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({2, 0, 4}), 0);
  constexpr Index kMax = std::numeric_limits<Index>::max();
  EXPECT_EQ(element_count({kMax}), kMax);
  EXPECT_EQ(element_count({kMax, kMax, 0}), 0);  // no elements, whatever the others are
  expect_error(ErrorKind::kLimitExceeded, {"63 bits"}, [&] { element_count({kMax, 2}); });
  expect_error(ErrorKind::kLimitExceeded, {"63 bits"}, [] {
    element_count({Index{1} << 32, Index{1} << 32});
  });
  expect_error(ErrorKind::kInvalidArgument, {"[2, -1]", "at least 0"}, [] {
    element_count({2, -1});
  });
}

TEST(Dims, COrderStrides) {
  EXPECT_EQ(c_order_strides({2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_EQ(c_order_strides({5}), Dims{1});
  EXPECT_EQ(c_order_strides({}), Dims());
  EXPECT_EQ(c_order_strides({2, 0, 4}), (Dims{4, 4, 1}));  // an empty axis counts as 1
}

// ---- Views

TEST(View, KnowsItsMemory) {
  std::vector<float> memory(12);
  const TensorView view(memory, {3, 4});
  EXPECT_EQ(view.data(), memory.data());
  EXPECT_EQ(view.dtype(), DType::kFloat32);
  EXPECT_EQ(view.shape(), (Dims{3, 4}));
  EXPECT_EQ(view.strides(), (Dims{4, 1}));
  view.data_as<float>()[5] = 1;
  EXPECT_EQ(memory[5], 1);
  const std::vector<double> doubles(2);
  EXPECT_EQ(ConstTensorView(doubles.data(), Dims{2}).dtype(), DType::kFloat64);
}

TEST(View, WhatDoesNotFitIsAnError) {
  std::vector<float> memory(12);
  expect_error(ErrorKind::kShapeMismatch, {"12 elements", "[3, 5]", "15"}, [&] {
    TensorView(memory, {3, 5});
  });
  expect_error(ErrorKind::kInvalidArgument, {"[1]", "[3, 4]", "one stride per axis"}, [&] {
    ConstTensorView(memory.data(), Dims{3, 4}, Dims{1});
  });
  expect_error(ErrorKind::kShapeMismatch, {"float32", "float64"}, [&] {
    static_cast<void>(TensorView(memory, {3, 4}).data_as<double>());
  });
}

// ---- Tensor

TEST(Tensor, DefaultIsEmpty) {
  const Tensor tensor;
  EXPECT_EQ(tensor.shape(), Dims{0});
  EXPECT_EQ(tensor.size(), 0);
  EXPECT_TRUE(tensor.values<float>().empty());
}

TEST(Tensor, IsAlignedAndZeroed) {
  for (Index size : {1, 7, 16, 1000}) {
    const Tensor tensor = Tensor::zeros(DType::kFloat64, {size});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0U);
    for (const double v : tensor.values<double>()) EXPECT_EQ(v, 0);
  }
}

TEST(Tensor, FromValues) {
  const Tensor tensor = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(tensor.size(), 6);
  EXPECT_EQ(floats(tensor), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  const Tensor scalar = Tensor::from<double>({2.5}, {});
  EXPECT_EQ(scalar.size(), 1);
  EXPECT_EQ(scalar.values<double>()[0], 2.5);
  expect_error(ErrorKind::kShapeMismatch, {"3 elements", "[2, 2]"}, [] {
    Tensor::from<float>({1, 2, 3}, {2, 2});
  });
  expect_error(ErrorKind::kShapeMismatch, {"float32", "float64"},
               [&] { static_cast<void>(tensor.values<double>()); });
}

TEST(Tensor, CopiesStridedViewsInCOrder) {
  const std::vector<float> memory = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const auto copy = [&](const float* first, const Dims& shape, const Dims& strides) {
    return floats(Tensor::copy_of(ConstTensorView(first, shape, strides)));
  };
  const float* first = memory.data();
  EXPECT_EQ(copy(first, {3, 2}, {1, 6}), (std::vector<float>{0, 6, 1, 7, 2, 8}));      // transposed
  EXPECT_EQ(copy(first + 11, {3}, {-2}), (std::vector<float>{11, 9, 7}));              // backwards
  EXPECT_EQ(copy(first + 4, {2, 3}, {0, 1}), (std::vector<float>{4, 5, 6, 4, 5, 6}));  // broadcast
  EXPECT_EQ(copy(first, {2, 2, 2}, {6, 3, 2}), (std::vector<float>{0, 2, 3, 5, 6, 8, 9, 11}));
  EXPECT_TRUE(copy(first, {2, 0, 2}, {1, 1, 1}).empty());
  EXPECT_EQ(copy(first + 3, {}, {}), std::vector<float>{3});
}

TEST(Tensor, CopiesViewsWithAnyStrideOnAnAxisOfExtent1) {
  // Found by the fuzzer: NumPy leaves such strides undefined.
  constexpr Index kAny = std::numeric_limits<Index>::max();
  const std::vector<float> data = {1, 2, 3, 4};
  for (const Index any : {kAny, -kAny, Index{0}}) {
    const Tensor copy =
        Tensor::copy_of(ConstTensorView(data.data(), {2, 1, 2, 1}, {2, any, 1, any}));
    EXPECT_EQ(copy.values<float>()[0], 1);
    EXPECT_EQ(copy.values<float>()[3], 4);
  }
}

TEST(Tensor, CastRoundsEachElement) {
  const Tensor exact = Tensor::from<double>({0.1, -1e300, 3}, {3});
  const Tensor rounded = Tensor::cast(exact, DType::kFloat32);
  EXPECT_EQ(rounded.dtype(), DType::kFloat32);
  EXPECT_EQ(rounded.values<float>()[0], 0.1F);
  EXPECT_EQ(rounded.values<float>()[1], -std::numeric_limits<float>::infinity());
  EXPECT_EQ(Tensor::cast(rounded, DType::kFloat64).values<double>()[0], double{0.1F});
}

TEST(Tensor, CopiesAreDeepAndMovesLeaveNothing) {
  Tensor a = Tensor::from<float>({1, 2}, {2});
  Tensor b = a;
  b.values<float>()[0] = 5;
  EXPECT_EQ(a.values<float>()[0], 1);
  const void* memory = b.data();
  Tensor c = std::move(b);
  EXPECT_EQ(c.data(), memory);
  EXPECT_EQ(b.shape(), Dims{0});  // NOLINT(bugprone-use-after-move): promised
  EXPECT_EQ(b.size(), 0);
  a = c;
  EXPECT_NE(a.data(), c.data());
  EXPECT_EQ(floats(a), (std::vector<float>{5, 2}));
  Tensor& same = a;
  a = same;
  EXPECT_EQ(floats(a), (std::vector<float>{5, 2}));
  a = std::move(same);
  EXPECT_EQ(floats(a), (std::vector<float>{5, 2}));
  b = std::move(c);
  EXPECT_EQ(floats(b), (std::vector<float>{5, 2}));
}

TEST(Tensor, SizesBeyondMemoryAreErrors) {
  expect_error(ErrorKind::kLimitExceeded, {"address space"},
               [] { Tensor(DType::kFloat64, {Index{1} << 61}); });
  expect_error(ErrorKind::kLimitExceeded, {"63 bits"}, [] {
    Tensor(DType::kFloat32, {Index{1} << 40, Index{1} << 40});
  });
  expect_error(ErrorKind::kInvalidArgument, {"-3"}, [] { Tensor(DType::kFloat32, {-3}); });
}

}  // namespace
}  // namespace upconv
