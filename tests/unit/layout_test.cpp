#include "upconv/layout.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "expect_error.h"

namespace upconv {
namespace {

Tensor counting(const Dims& shape) {
  Tensor tensor(DType::kFloat32, shape);
  std::iota(tensor.values<float>().begin(), tensor.values<float>().end(), 0.0F);
  return tensor;
}

std::vector<float> elements(const Tensor& tensor) {
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}

TEST(Layout, MovesTheChannelsBehindTheSpatialAxes) {
  const Tensor first = counting({2, 3, 4, 5});  // batch, channels, height, width
  const Tensor last = channels_first_to_last(first, 2);
  ASSERT_EQ(last.shape(), (Dims{2, 4, 5, 3}));
  for (Index n = 0; n < 2; ++n) {
    for (Index c = 0; c < 3; ++c) {
      for (Index y = 0; y < 4; ++y) {
        for (Index x = 0; x < 5; ++x) {
          EXPECT_EQ(last.values<float>()[static_cast<std::size_t>(((n * 4 + y) * 5 + x) * 3 + c)],
                    first.values<float>()[static_cast<std::size_t>(((n * 3 + c) * 4 + y) * 5 + x)]);
        }
      }
    }
  }
}

TEST(Layout, TheWayBackIsTheInverse) {
  for (int rank = 1; rank <= 3; ++rank) {
    for (int batch = 0; batch <= 2; ++batch) {
      Dims shape;
      for (int axis = 0; axis < batch + 1 + rank; ++axis) shape.push_back(axis + 2);
      const Tensor tensor = counting(shape);
      const Tensor last = channels_first_to_last(tensor, rank);
      EXPECT_EQ(last.shape().back(), shape[static_cast<std::size_t>(batch)]);
      const Tensor back = channels_last_to_first(last, rank);
      EXPECT_EQ(back.shape(), shape);
      EXPECT_EQ(elements(back), elements(tensor));
    }
  }
}

TEST(Layout, TakesStridedViewsDoublesAndEmptyTensors) {
  const std::vector<double> values = {0, 1, 2, 3, 4, 5};
  // A transposed view: element (c, x) is values[x * 2 + c].
  const ConstTensorView view(values.data(), Dims{2, 3}, Dims{1, 2});
  const Tensor last = channels_first_to_last(view, 1);
  EXPECT_EQ(last.shape(), (Dims{3, 2}));
  EXPECT_EQ(last.dtype(), DType::kFloat64);
  EXPECT_EQ(std::vector<double>(last.values<double>().begin(), last.values<double>().end()),
            values);
  EXPECT_EQ(channels_first_to_last(counting({0, 3, 4, 5}), 2).shape(), (Dims{0, 4, 5, 3}));
}

TEST(Layout, RanksThatDoNotFitAreErrors) {
  const Tensor tensor = counting({3, 4});
  expect_error(ErrorKind::kShapeMismatch,
               {"channels_first_to_last", "[3, 4]", "at least 3 axes for rank 2"},
               [&] { channels_first_to_last(tensor, 2); });
  expect_error(ErrorKind::kShapeMismatch, {"channels_last_to_first", "rank 3"},
               [&] { channels_last_to_first(tensor, 3); });
  expect_error(ErrorKind::kInvalidArgument, {"rank is 0"},
               [&] { channels_first_to_last(tensor, 0); });
}

}  // namespace
}  // namespace upconv
