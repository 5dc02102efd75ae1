// No kernel reads or writes one element beside its tensors. Inputs, outputs and residuals begin or
// end at a page that nobody may touch, inputs cannot be written, and every Tensor that the library
// makes (packed weights, biases, scratch) ends at such a page: this program's aligned_alloc is
// guarded_alloc.cpp's.
#include "guard_pages.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"
#include "death_tests.h"
#include "guarded_alloc.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261202;

using Edge = GuardPages::Edge;

std::size_t bytes_of(const Tensor& tensor) {
  return static_cast<std::size_t>(tensor.size()) * size_of(tensor.dtype());
}

/// A copy of a tensor's elements that can only be read, between guard pages.
class GuardedInput {
 public:
  GuardedInput(const Tensor& tensor, Edge edge)
      : memory_(bytes_of(tensor), edge, 0),
        view_(memory_.bytes().data(), tensor.dtype(), tensor.shape()) {
    if (tensor.size() > 0) std::memcpy(memory_.bytes().data(), tensor.data(), bytes_of(tensor));
    memory_.forbid_writes();
  }
  const ConstTensorView& view() const { return view_; }

 private:
  GuardPages memory_;
  ConstTensorView view_;
};

class GuardPage : public testing::TestWithParam<Isa> {
 protected:
  /// Calls the layer with everything guarded at either end, and an output poisoned with either
  /// pattern: an element that is left out keeps one of them. `expected` are the bits.
  static void expect_guarded(const Case& c, const ConvolutionTranspose& layer,
                             const Tensor& expected, const Tensor* residual = nullptr,
                             int threads = 1) {
    const std::string text = c.problem.text() + " " + std::string(to_string(c.dtype)) + " " +
                             std::string(to_string(GetParam()));
    name_case_for_signals(text);
    const Tensor x = c.input();
    for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
      const GuardedInput guarded(x, edge);
      std::optional<GuardedInput> guarded_residual;
      CallOptions options{.threads = threads};
      if (residual != nullptr) {
        options.residual = guarded_residual.emplace(*residual, edge).view();
      }
      for (const unsigned char poison :
           {static_cast<unsigned char>(0xA5), static_cast<unsigned char>(0xFF)}) {
        const GuardPages memory(bytes_of(expected), edge, poison);
        const TensorView y(memory.bytes().data(), c.dtype, expected.shape());
        layer(guarded.view(), y, options);
        ASSERT_TRUE(same_bits(y, expected)) << text;
        ASSERT_TRUE(memory.slack_is_whole()) << text;
      }
    }
  }

  /// Case n of a layer with fast arithmetic, without and with a residual: the strategy that it
  /// took.
  std::string guarded_strategy(const Problem& problem, Index n) {
    Random random(kSeed);
    Case c =
        make_case(problem, n % 5 == 0 ? DType::kFloat64 : DType::kFloat32, Values::kNormal, random);
    c.arithmetic = Arithmetic::kFast;
    const ConvolutionTranspose layer = layer_of(c, GetParam(), n % 3 == 0 ? "silu" : "relu");
    const Tensor plain = layer(c.input());
    expect_guarded(c, layer, plain, nullptr, n % 4 == 0 ? 3 : 1);
    const Tensor with_residual = layer(c.input(), {.residual = plain.view()});
    expect_guarded(c, layer, with_residual, &plain);
    return layer.kernel_choice(c.input_shape()).strategy;
  }
};

TEST_P(GuardPage, IsNotTouchedByRandomLayers) {
  std::uint64_t narrow = 0;
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(200); ++seed) {
    Random random(seed);
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(random_problem(random), dtype, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam(), seed % 2 == 0 ? "relu" : "elu");
    const Tensor plain = layer(c.input());
    expect_guarded(c, layer, plain, nullptr, seed % 5 == 0 ? 3 : 1);
    const Tensor with_residual = layer(c.input(), {.residual = plain.view()});
    expect_guarded(c, layer, with_residual, &plain);
    narrow += layer.kernel_choice(c.input_shape()).strategy == "narrow" ? 1 : 0;
  }
  EXPECT_GT(narrow, cases(10));
}

TEST_P(GuardPage, IsNotTouchedByAnyTailOfChannelsAndPixels) {
  // All numbers of output channels up to two of the widest blocks, of pixels up to the tallest tile
  // and one, of input channels around the unrolled loop.
  for (Index channels = 1; channels <= 97; ++channels) {
    for (Index pixels = 1; pixels <= 13; ++pixels) {
      Problem problem = one_dimension(pixels, 1 + (channels + pixels) % 3, 1, 1, "VALID");
      problem.batch = {};
      problem.input_size = 1 + (channels + 4 * pixels) % 9;
      problem.output_size = channels;
      const DType dtype = pixels % 2 == 0 ? DType::kFloat64 : DType::kFloat32;
      Random random(kSeed);
      const Case c = make_case(problem, dtype, Values::kNormal, random);
      const ConvolutionTranspose layer = layer_of(c, GetParam(), pixels % 3 == 0 ? "silu" : "relu");
      expect_guarded(c, layer, layer(c.input()));
    }
  }
}

TEST_P(GuardPage, IsNotTouchedByAnyTailOfNarrowOutputs) {
  // Vectors lie along positions here: every width around two vectors, every few channels.
  for (Index channels = 1; channels <= 4; ++channels) {
    for (Index stride = 1; stride <= 3; ++stride) {
      for (Index width = 1; width <= 70; width += 1 + width / 24) {
        const Problem problem = make_problem({}, {3, width}, 1 + width % 7, channels, {3, 4},
                                             {1, stride}, {1, 1}, "SAME");
        const DType dtype = width % 2 == 0 ? DType::kFloat64 : DType::kFloat32;
        Random random(kSeed);
        const Case c = make_case(problem, dtype, Values::kNormal, random);
        const ConvolutionTranspose layer = layer_of(c, GetParam());
        expect_guarded(c, layer, layer(c.input()));
      }
    }
  }
}

TEST_P(GuardPage, IsNotTouchedWhereSumsAreTakenInPieces) {
  for (const Problem& problem :
       {make_problem({}, {4, 4}, 300, 53, {5, 5}, {2, 2}, {1, 1}, "SAME"),
        make_problem({}, {3, 5}, 1100, 25, {3, 2}, {2, 1}, {1, 1}, "VALID")}) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      Random random(kSeed);
      const Case c = make_case(problem, dtype, Values::kNormal, random);
      const ConvolutionTranspose layer = layer_of(c, GetParam());
      expect_guarded(c, layer, layer(c.input()));
    }
  }
}

TEST_P(GuardPage, IsNotTouchedByTilesOfTransforms) {
  int winograd = 0;
  for (Index n = 0; n < 24; ++n) {
    const Problem problem =
        make_problem({}, {17 + n, 33 - n}, 32 + 5 * (n % 4), 20 + 3 * n, {3 + n % 2, 3},
                     {1 + n % 2, 1}, {1, 1 + n % 3}, n % 2 == 0 ? "SAME" : "VALID");
    winograd += guarded_strategy(problem, n) == "winograd";
  }
  EXPECT_GT(winograd, 12);
}

TEST_P(GuardPage, IsNotTouchedByScatteredProducts) {
  int scatter = 0;
  for (Index n = 0; n < 48; ++n) {
    const Index stride = 1 + n % 3;
    const Problem problem = make_problem({}, {7 + n % 5, 20 + 3 * n}, 40 + 13 * (n % 4), 1 + n % 7,
                                         {2 + n % 4, n % 5 == 0 ? stride : 4}, {1 + n % 2, stride},
                                         {1, 1 + n % 4 / 3}, n % 2 == 0 ? "SAME" : "VALID");
    scatter += guarded_strategy(problem, n) == "scatter";
  }
  EXPECT_GT(scatter, 24);
}

TEST_P(GuardPage, IsNotTouchedByTheFillingOfGaps) {
  // Filters below the stride and outputs of 200 KB and more: rows are filled before taps are
  // summed.
  for (Index n = 0; n < 12; ++n) {
    const Index stride = 3 + n % 3;
    const Problem problem =
        make_problem({1 + n % 2}, {20 + n, 21}, 1 + n % 4, 17 + 5 * n, {1 + n % 2, 1 + n % 3 / 2},
                     {stride, n % 4 == 0 ? 1 : stride}, {1, 1}, n % 2 == 0 ? "SAME" : "VALID");
    const DType dtype = n % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    Random random(kSeed);
    const Case c = make_case(problem, dtype, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam(), n % 3 == 0 ? "sigmoid" : "relu");
    // With a residual nothing is filled.
    const Tensor nothing = Tensor::zeros(dtype, layer.output_shape(c.input_shape()));
    const Tensor expected = layer(c.input(), {.residual = nothing.view()});
    ASSERT_EQ(values_of(layer(c.input())), values_of(expected)) << problem.text();
    expect_guarded(c, layer, layer(c.input()), nullptr, n % 2 == 0 ? 1 : 3);
  }
}

TEST_P(GuardPage, IsNotTouchedByStridedViews) {
  // Rows apart, of which the last ends at the page: what is between rows is poison.
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(60); ++seed) {
    Random random(seed);
    Problem problem = one_dimension(draw(random, 1, 9), draw(random, 1, 4), draw(random, 1, 3),
                                    draw(random, 1, 2), "SAME");
    problem.batch = {3};
    problem.input_size = draw(random, 1, 9);
    problem.output_size = draw(random, 1, 40);
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    const ConvolutionTranspose layer = layer_of(c, GetParam());
    const Tensor x = c.input(), expected = layer(x);
    name_case_for_signals(c.problem.text());
    const auto spread = [&](const Dims& shape, Index gap) {
      Dims strides = c_order_strides(shape);
      strides[1] = shape[2] + gap;
      strides[0] = shape[1] * strides[1];
      return strides;
    };
    const auto span = [](const Dims& shape, const Dims& strides) {
      return static_cast<std::size_t>((shape[0] - 1) * strides[0] + (shape[1] - 1) * strides[1] +
                                      shape[2]) *
             sizeof(float);
    };
    const Dims x_strides = spread(x.shape(), 5), y_strides = spread(expected.shape(), 7);
    for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
      GuardPages x_memory(span(x.shape(), x_strides), edge, 0xFF);
      auto* const x_data = reinterpret_cast<float*>(x_memory.bytes().data());
      const Index pixels = x.shape()[0] * x.shape()[1];
      for (Index pixel = 0; pixel < pixels; ++pixel) {
        std::memcpy(x_data + pixel * x_strides[1], x.values<float>().data() + pixel * x.shape()[2],
                    static_cast<std::size_t>(x.shape()[2]) * sizeof(float));
      }
      x_memory.forbid_writes();
      const GuardPages y_memory(span(expected.shape(), y_strides), edge, 0xA5);
      const TensorView y(y_memory.bytes().data(), DType::kFloat32, expected.shape(), y_strides);
      layer(ConstTensorView(x_data, x.shape(), x_strides), y);
      ASSERT_TRUE(same_bits(y, expected)) << "seed " << seed << " " << c.problem.text();
      ASSERT_TRUE(y_memory.slack_is_whole()) << "seed " << seed << " " << c.problem.text();
    }
  }
}

TEST_P(GuardPage, EndsEveryTensorOfTheLibrary) {
  const std::size_t before = guarded_allocations();
  const ConvolutionTranspose layer(
      {.input_size = 3, .output_size = 5, .filter_shape = 2, .isa = GetParam()});
  EXPECT_GT(guarded_allocations(), before + 2) << "packed weights and biases are not guarded";
  // A tensor of whole cache lines has no byte more than its elements.
  const Tensor tensor(DType::kFloat32, {16});
  const auto* end = static_cast<const std::byte*>(tensor.data()) + 64;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(end) % 4096, 0U);
}

TEST(GuardPages, EndTheProcessOneByteTooFar) {
  start_death_tests_anew();
  const auto touch = [](Edge edge, std::ptrdiff_t at, bool write) {
    GuardPages memory(100, edge, 0);
    name_case_for_signals("one byte too far");
    if (!write) memory.forbid_writes();
    volatile std::byte* const byte = memory.bytes().data() + at;
    if (write) {
      *byte = std::byte{1};
    } else {
      static_cast<void>(*byte);
    }
  };
  EXPECT_EXIT(touch(Edge::kEnd, 100, false), testing::KilledBySignal(SIGSEGV), "one byte too far");
  EXPECT_EXIT(touch(Edge::kEnd, 100, true), testing::KilledBySignal(SIGSEGV), "one byte too far");
  EXPECT_EXIT(touch(Edge::kBegin, -1, false), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(touch(Edge::kBegin, -1, true), testing::KilledBySignal(SIGSEGV), "");
  GuardPages memory(100, Edge::kEnd, 0);
  EXPECT_TRUE(memory.slack_is_whole());
  memory.bytes().data()[-1] = std::byte{1};
  EXPECT_FALSE(memory.slack_is_whole());
}

INSTANTIATE_TEST_SUITE_P(AllIsas, GuardPage, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
