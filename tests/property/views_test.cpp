// Views: inputs, outputs and residuals with strides give the bits of the same data in C order, and
// nothing outside an output is written.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261126;

/// Memory of a layout other than C order for a shape: axes in any order, gaps between the elements,
/// room before and behind.
class Strided {
 public:
  /// @param channel_stride elements from channel to channel.
  /// @param negative axes may run backwards (inputs only).
  Strided(Random& random, DType dtype, const Dims& shape, Index channel_stride, bool negative)
      : strides_(shape) {
    std::vector<std::size_t> order(shape.size() - 1);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    Index step = shape.back() * channel_stride + draw(random, 0, 3);
    strides_[shape.size() - 1] = channel_stride;
    Index first = draw(random, 0, 9);
    const Index guard = 64;
    first += guard;
    for (const std::size_t axis : order) {
      strides_[axis] = step;
      if (negative && draw(random, 0, 1) == 1) {
        strides_[axis] = -step;
        first += step * (shape[axis] - 1);
      }
      step = step * std::max<Index>(shape[axis], 1) + draw(random, 0, 3);
    }
    memory_ = Tensor::zeros(dtype, {step + first + 2 * guard});
    view_ = TensorView(
        static_cast<std::byte*>(memory_.data()) + static_cast<std::size_t>(first) * size_of(dtype),
        dtype, shape, strides_);
  }

  const TensorView& view() const { return view_; }

  /// Copies C-order data into the view.
  void assign(const Tensor& data) {
    for_each_element([&](std::byte* at, Index n, std::size_t size) {
      std::memcpy(at,
                  static_cast<const std::byte*>(data.data()) + static_cast<std::size_t>(n) * size,
                  size);
    });
  }

  void fill(unsigned char byte) {
    std::memset(memory_.data(), byte,
                static_cast<std::size_t>(memory_.size()) * size_of(memory_.dtype()));
  }

  /// Fills the view's elements and tells whether all other bytes are still `byte`.
  bool untouched_outside(unsigned char byte) {
    for_each_element([&](std::byte* at, Index, std::size_t size) { std::memset(at, byte, size); });
    const auto* bytes = static_cast<const unsigned char*>(memory_.data());
    return std::all_of(bytes,
                       bytes + static_cast<std::size_t>(memory_.size()) * size_of(memory_.dtype()),
                       [byte](unsigned char b) { return b == byte; });
  }

 private:
  template <typename Visit>
  void for_each_element(Visit visit) {
    const std::size_t size = size_of(view_.dtype());
    const Index count = element_count(view_.shape());
    for (Index n = 0; n < count; ++n) {
      Index rest = n, at = 0;
      for (std::size_t axis = view_.shape().size(); axis-- > 0;) {
        at += rest % view_.shape()[axis] * strides_[axis];
        rest /= view_.shape()[axis];
      }
      visit(static_cast<std::byte*>(view_.data()) + at * static_cast<Index>(size), n, size);
    }
  }

  Dims strides_;
  Tensor memory_;
  TensorView view_;
};

class Views : public testing::TestWithParam<Isa> {
 protected:
  static DType dtype_for(std::uint64_t seed) {
    return seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
  }
};

TEST_P(Views, OfAnInputMayHaveAnyStrides) {
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(200); ++seed) {
    Random random(seed);
    const Case c = make_case(random_problem(random), dtype_for(seed), Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam());
    const Tensor x = c.input();
    for (const Index channel_stride : {1, 1, 2, -1}) {
      Strided strided(random, c.dtype, x.shape(), std::abs(channel_stride), true);
      strided.fill(0xFF);  // NaN, should anything else be read
      strided.assign(x);
      ConstTensorView view = strided.view();
      Tensor turned;
      if (channel_stride < 0) {  // channels backwards: the same values, reversed in memory
        Dims strides = x.view().strides();
        strides[strides.size() - 1] = -1;
        turned = Tensor::copy_of(
            ConstTensorView(static_cast<const std::byte*>(x.data()) +
                                static_cast<std::size_t>(x.shape().back() - 1) * size_of(c.dtype),
                            c.dtype, x.shape(), strides));
        view =
            ConstTensorView(static_cast<const std::byte*>(turned.data()) +
                                static_cast<std::size_t>(x.shape().back() - 1) * size_of(c.dtype),
                            c.dtype, x.shape(), strides);
      }
      EXPECT_TRUE(same_bits(layer(view), layer(x)))
          << "seed " << seed << ", strides " << to_string(view.strides()) << ", "
          << c.problem.text();
    }
  }
}

TEST_P(Views, OfAnInputMayRepeatAnImage) {
  Random random(kSeed);
  for (const Index rank : {1, 2, 3}) {
    Problem problem;
    problem.batch = {3, 2};
    problem.input.assign(static_cast<std::size_t>(rank), 4);
    problem.filter.assign(static_cast<std::size_t>(rank), 3);
    problem.strides.assign(static_cast<std::size_t>(rank), 2);
    problem.dilations.assign(static_cast<std::size_t>(rank), 1);
    problem.padding = "SAME";
    problem.input_size = 5;
    problem.output_size = 13;
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam());
    const Tensor x = c.input();
    Dims strides = x.view().strides();
    for (const auto& [outer, inner] :
         std::vector<std::pair<Index, Index>>{{0, strides[1]}, {strides[0], 0}, {0, 0}}) {
      strides[0] = outer;
      strides[1] = inner;
      const ConstTensorView view(x.data(), x.dtype(), x.shape(), strides);
      EXPECT_TRUE(same_bits(layer(view), layer(Tensor::copy_of(view)))) << to_string(strides);
    }
    strides = x.view().strides();
    strides[2] = 0;  // a spatial axis, too
    const ConstTensorView view(x.data(), x.dtype(), x.shape(), strides);
    EXPECT_TRUE(same_bits(layer(view), layer(Tensor::copy_of(view)))) << to_string(strides);
    strides[strides.size() - 1] = 0;  // and the channels
    const ConstTensorView channels(x.data(), x.dtype(), x.shape(), strides);
    EXPECT_TRUE(same_bits(layer(channels), layer(Tensor::copy_of(channels))));
  }
}

TEST_P(Views, OfAnOutputAreFilledAndNothingElseIsWritten) {
  for (std::uint64_t seed = 2 * kSeed; seed < 2 * kSeed + cases(200); ++seed) {
    Random random(seed);
    const Case c = make_case(random_problem(random), dtype_for(seed), Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam(), seed % 2 == 0 ? "relu6" : "elu");
    const Tensor x = c.input(), y = layer(x);
    Strided out(random, c.dtype, y.shape(), 1, false);
    // An element that is left out keeps at least one of the two.
    for (const unsigned char poison :
         {static_cast<unsigned char>(0xA5), static_cast<unsigned char>(0xFF)}) {
      out.fill(poison);
      layer(x, out.view());
      EXPECT_TRUE(same_bits(out.view(), y))
          << "seed " << seed << ", strides " << to_string(out.view().strides()) << ", "
          << c.problem.text();
      EXPECT_TRUE(out.untouched_outside(poison)) << "seed " << seed << ", " << c.problem.text();
    }
  }
}

TEST_P(Views, OfAResidualMayHaveAnyStrides) {
  for (std::uint64_t seed = 3 * kSeed; seed < 3 * kSeed + cases(120); ++seed) {
    Random random(seed);
    const Case c = make_case(random_problem(random), dtype_for(seed), Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam(), seed % 2 == 0 ? "relu" : "silu");
    const Tensor x = c.input();
    const Tensor residual = layer(x);  // values of the right shape
    Strided strided(random, c.dtype, residual.shape(), seed % 5 == 0 ? 2 : 1, true);
    strided.fill(0xFF);
    strided.assign(residual);
    const ConstTensorView in_c_order = residual, view = strided.view();
    EXPECT_TRUE(same_bits(layer(x, {.residual = view}), layer(x, {.residual = in_c_order})))
        << "seed " << seed << ", strides " << to_string(view.strides()) << ", " << c.problem.text();
  }
}

TEST_P(Views, OfAnOutputMayBeAChannelSlice) {
  // As for a concatenation: two layers fill the two halves of one tensor.
  for (const Index left : {1, 3, 8, 24, 31}) {
    for (const Index right : {1, 5, 16, 40}) {
      ConvolutionTransposeOptions options{.input_size = 3,
                                          .output_size = left,
                                          .filter_shape = 4,
                                          .strides = 2,
                                          .padding = "SAME",
                                          .isa = GetParam()};
      const ConvolutionTranspose a(options);
      options.output_size = right;
      const ConvolutionTranspose b(options);
      Random random(kSeed);
      std::vector<double> values(static_cast<std::size_t>(2 * 5 * 6 * 3));
      for (double& value : values) value = static_cast<double>(draw(random, -3, 3));
      const Tensor x = tensor_of(DType::kFloat32, {2, 5, 6, 3}, values);
      Tensor both(DType::kFloat32, {2, 10, 12, left + right});
      const Dims strides = both.view().strides();
      float* data = both.values<float>().data();
      a(x, TensorView(data, {2, 10, 12, left}, strides));
      b(x, TensorView(data + left, {2, 10, 12, right}, strides));
      EXPECT_TRUE(same_bits(slice(both, 3, 0, left), a(x))) << left << " + " << right;
      EXPECT_TRUE(same_bits(slice(both, 3, left, right), b(x))) << left << " + " << right;
    }
  }
}

TEST_P(Views, MayReachBeyond32BitOffsets) {
  // Two images 5 GiB apart and two rows 3 GiB apart; pages that nobody touches cost nothing.
  constexpr std::size_t kBytes = std::size_t{9} << 30;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "9 GiB of address space are not to be had";
  Random random(kSeed);
  Problem problem;
  problem.batch = {2};
  problem.input = {2, 3};
  problem.filter = {1, 3};
  problem.strides = problem.dilations = {1, 1};
  problem.padding = "SAME";
  problem.input_size = 4;
  problem.output_size = 6;
  const Case c = make_case(problem, DType::kFloat32, Values::kIntegers, random);
  const ConvolutionTranspose layer = layer_of(c, GetParam());
  const Tensor x = c.input(), y = layer(x);
  const Index image = (Index{5} << 30) / 4, row = (Index{3} << 30) / 4;
  float* data = static_cast<float*>(memory);
  for (Index n = 0; n < 2; ++n) {
    for (Index h = 0; h < 2; ++h) {
      std::memcpy(data + n * image + h * row, x.values<float>().data() + (n * 2 + h) * 12, 48);
    }
  }
  EXPECT_TRUE(same_bits(layer(ConstTensorView(data, x.shape(), {image, row, 4, 1})), y));
  layer(x, TensorView(data + 1024, y.shape(), {image, row, 6, 1}));
  EXPECT_TRUE(same_bits(ConstTensorView(data + 1024, y.shape(), {image, row, 6, 1}), y));
  munmap(memory, kBytes);
}

TEST_P(Views, MayHaveAnyStrideOnAnAxisOfExtent1) {
  // NumPy leaves such strides undefined, and sets them to the largest number to find who uses them.
  constexpr Index kAny = std::numeric_limits<Index>::max();
  const ConvolutionTranspose layer({.input_size = 2,
                                    .output_size = 3,
                                    .filter_shape = 3,
                                    .strides = 2,
                                    .padding = {{1, 3}, {0, 0}},
                                    .dilations = 3,
                                    .isa = GetParam()});
  const Tensor x = tensor_of(DType::kFloat32, {1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor y = layer(x);
  const ConstTensorView residual = y;
  const Tensor with_residual = layer(x, {.residual = residual});
  ASSERT_EQ(to_string(y.shape()), "[1, 3, 9, 3]");
  const ConstTensorView odd(x.data(), x.dtype(), x.shape(), {kAny, kAny, 2, 1});
  EXPECT_TRUE(same_bits(layer(odd), y));
  const ConstTensorView odd_residual(y.data(), y.dtype(), y.shape(), {-kAny, 27, 3, 1});
  EXPECT_TRUE(same_bits(layer(x, {.residual = odd_residual}), with_residual));
  Tensor out(DType::kFloat32, y.shape());
  layer(odd, TensorView(out.data(), out.dtype(), out.shape(), {kAny, 27, 3, 1}));
  EXPECT_TRUE(same_bits(out, y));
  // And of an input without elements, which nobody reads.
  const ConstTensorView empty(nullptr, DType::kFloat32, {2, 3, 1, 0, 2}, {kAny, kAny, -kAny, 1, 1});
  EXPECT_EQ(layer(empty).size(), 2 * 3 * 3 * 5 * 3);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Views, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
