// Calls that a layer refuses: the words, and that nothing is written.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "checks.h"
#include "kernel_table.h"

namespace upconv::test {
namespace {

constexpr Index kMax = std::numeric_limits<Index>::max();
const std::string kUp = "ConvolutionTranspose \"up\": ";

/// A layer [.., h, w, 2] -> [.., 2h, 2w, 3].
ConvolutionTranspose make_layer() {
  return ConvolutionTranspose({.input_size = 2,
                               .output_size = 3,
                               .filter_shape = 4,
                               .strides = 2,
                               .padding = "SAME",
                               .name = "up"});
}

class CallErrors : public testing::Test {
 protected:
  CallErrors() : y_(36 + 64, 7.0F) {}
  ~CallErrors() override {
    // Refused is refused: no output, not even a part.
    EXPECT_TRUE(std::all_of(y_.begin(), y_.end(), [](float value) { return value == 7; }));
  }

  template <typename Body>
  static void expect(ErrorKind kind, const std::string& text, Body body) {
    const auto [got, message] = error_of(body);
    EXPECT_EQ(message, kUp + text);
    EXPECT_EQ(got, kind) << message;
  }
  void expect_input(ErrorKind kind, const std::string& text, const ConstTensorView& x) {
    expect(kind, text, [&] { layer_(x); });
  }
  void expect_output(ErrorKind kind, const std::string& text, const TensorView& y) {
    expect(kind, text, [&] { layer_(x_, y); });
  }
  void expect_options(ErrorKind kind, const std::string& text, const CallOptions& options) {
    expect(kind, text, [&] { layer_(x_, TensorView(y_.data(), shape_), options); });
  }

  ConvolutionTranspose layer_ = make_layer();
  Tensor x_ = Tensor::zeros(DType::kFloat32, {1, 1, 3, 2});
  Dims shape_ = {1, 2, 6, 3};
  std::vector<float> y_;
};

constexpr ErrorKind kShape = ErrorKind::kShapeMismatch;
constexpr ErrorKind kInvalid = ErrorKind::kInvalidArgument;
constexpr ErrorKind kLimit = ErrorKind::kLimitExceeded;

TEST_F(CallErrors, InputOfTheWrongShape) {
  const std::vector<float> data(64);
  expect_input(kShape,
               "input has shape [3, 2]; it must be [batch..., spatial..., channels] with 2 spatial "
               "axes",
               ConstTensorView(data.data(), {3, 2}));
  expect_input(
      kShape, "input has shape []; it must be [batch..., spatial..., channels] with 2 spatial axes",
      ConstTensorView(data.data(), Dims{}));
  expect_input(kShape, "input has shape [1, 3, 3, 4]; its last axis must be input_size = 2",
               ConstTensorView(data.data(), {1, 3, 3, 4}));
  expect_input(kShape, "input has shape [1, -3, 3, 2]; extents must be at least 0",
               ConstTensorView(data.data(), DType::kFloat32, {1, -3, 3, 2}, {6, 6, 2, 1}));
}

TEST_F(CallErrors, InputThatIsChannelsFirst) {
  const std::vector<float> data(64);
  expect_input(
      kShape,
      "input has shape [1, 2, 3, 5]; its last axis must be input_size = 2 (axis 1 is: this "
      "looks channels-first; channels_first_to_last() converts it)",
      ConstTensorView(data.data(), {1, 2, 3, 5}));
}

TEST_F(CallErrors, InputOfTheWrongDtypeOrWithoutMemory) {
  const std::vector<double> doubles(64);
  expect_input(kShape, "input is float64; it must be the layer's dtype, float32",
               ConstTensorView(doubles.data(), {1, 1, 3, 2}));
  expect_input(kInvalid, "input of shape [1, 1, 3, 2] is null; it must point to its elements",
               ConstTensorView(nullptr, DType::kFloat32, {1, 1, 3, 2}));
  const auto* odd = reinterpret_cast<const std::byte*>(doubles.data()) + 2;
  expect_input(kInvalid,
               "input is at an address that is no multiple of 4 bytes; elements must be aligned",
               ConstTensorView(odd, DType::kFloat32, {1, 1, 3, 2}));
}

TEST_F(CallErrors, InputThatLeavesTheAddressSpace) {
  const std::vector<float> data(64);
  for (const Index stride : {kMax, -kMax, std::numeric_limits<Index>::min(), kMax / 32}) {
    const Dims strides = {stride, 6, 2, 1};
    expect_input(kLimit,
                 "input has shape [2, 1, 3, 2] and strides " + to_string(strides) +
                     "; its elements must lie within the address space",
                 ConstTensorView(data.data(), DType::kFloat32, {2, 1, 3, 2}, strides));
  }
}

TEST_F(CallErrors, LengthsThatOverflow) {
  expect(kLimit,
         "axis 1 is too long (input 2305843009213693951, filter 4, stride 2, dilation 1, SAME "
         "padding); lengths and offsets must fit 62 bits",
         [&] {
           layer_.output_shape({1, 1, kMax / 4, 2});
         });
  const Index many = Index{1} << 40;
  expect(kLimit,
         "input shape is [1099511627776, 1099511627776, 1, 2]; the number of elements must fit 63 "
         "bits",
         [&] {
           layer_.output_shape({many, many, 1, 2});
         });
  expect(kLimit,
         "output shape is [1099511627776, 4194304, 2, 3]; the number of elements must fit 63 bits",
         [&] {
           layer_.output_shape({many, 2097152, 1, 2});
         });
  // A view that repeats a pixel is small; its result is not.
  const ConstTensorView repeated(x_.data(), DType::kFloat32, {1, 1 << 24, 1 << 20, 2},
                                 {0, 0, 0, 1});
  EXPECT_EQ(error_of([&] { layer_(repeated); }).kind, ErrorKind::kOutOfMemory);
}

TEST_F(CallErrors, PaddingThatLeavesLessThanNothing) {
  const ConvolutionTranspose layer({.input_size = 2,
                                    .output_size = 3,
                                    .filter_shape = 3,
                                    .rank = 1,
                                    .strides = 2,
                                    .padding = {{4, 2}},
                                    .name = "up"});
  EXPECT_EQ(to_string(layer.output_shape({3, 2})), "[1, 3]");
  expect(
      kInvalid,
      "axis 0 has output length -1 (input 2, filter 3, stride 2, dilation 1, padding [4, 2]); it "
      "must be at least 0",
      [&] {
        layer.output_shape({2, 2});
      });
  EXPECT_EQ(to_string(layer.output_shape({0, 2})), "[0, 3]");
}

TEST_F(CallErrors, OutputOfTheWrongShapeOrDtype) {
  float* y = y_.data();
  expect_output(kShape, "output has shape [1, 2, 6, 2]; it must be [1, 2, 6, 3]",
                TensorView(y, {1, 2, 6, 2}));
  expect_output(kShape, "output has shape [2, 6, 3]; it must be [1, 2, 6, 3]",
                TensorView(y, {2, 6, 3}));
  expect_output(kShape, "output is float64; it must be the layer's dtype, float32",
                TensorView(y, DType::kFloat64, shape_));
  expect_output(kInvalid, "output of shape [1, 2, 6, 3] is null; it must point to its elements",
                TensorView(nullptr, DType::kFloat32, shape_));
  expect_output(kInvalid,
                "output is at an address that is no multiple of 4 bytes; elements must be aligned",
                TensorView(reinterpret_cast<std::byte*>(y) + 1, DType::kFloat32, shape_));
}

TEST_F(CallErrors, OutputWhoseElementsAreNotApart) {
  const auto expect_strides = [&](const Dims& strides, const std::string& rule) {
    expect_output(kInvalid,
                  "output of shape [1, 2, 6, 3] has strides " + to_string(strides) + "; " + rule,
                  TensorView(y_.data() + 40, shape_, strides));
  };
  expect_strides({36, 18, 3, 2}, "its channels must be contiguous (last stride 1)");
  expect_strides({36, 18, 3, -1}, "its channels must be contiguous (last stride 1)");
  expect_strides({36, -18, 3, 1}, "strides of an output must be positive");
  expect_strides({36, 0, 3, 1}, "strides of an output must be positive");
  expect_strides({36, 18, 2, 1}, "two indices must not name the same element");
  expect_strides({36, 17, 3, 1}, "two indices must not name the same element");
  expect_strides({36, 3, 3, 1}, "two indices must not name the same element");
  expect_output(kLimit,
                "output has shape [1, 2, 6, 3] and strides [36, " + std::to_string(kMax) +
                    ", 3, 1]; its elements must lie within the address space",
                TensorView(y_.data(), shape_, {36, kMax, 3, 1}));
}

TEST_F(CallErrors, OutputThatSharesMemory) {
  std::vector<float> both(60);
  const ConstTensorView x(both.data() + 30, {1, 1, 3, 2});
  for (const Index at : {0, 10, 24}) {  // ends in x, around x, begins in x
    const auto [kind, text] = error_of([&] { layer_(x, TensorView(both.data() + at, shape_)); });
    EXPECT_EQ(text, kUp + "output and input lie in the same range of memory; they must not overlap")
        << at;
    EXPECT_EQ(kind, kInvalid);
  }
  EXPECT_EQ(both, std::vector<float>(60));
  const ConstTensorView residual(y_.data() + 35, shape_);
  expect_options(kInvalid,
                 "output and residual lie in the same range of memory; they must not overlap",
                 {.residual = residual});
}

TEST_F(CallErrors, Residual) {
  const std::vector<float> data(64);
  const ConstTensorView shape(data.data(), {1, 2, 6, 2});
  expect_options(kShape, "residual has shape [1, 2, 6, 2]; it must be the output's, [1, 2, 6, 3]",
                 {.residual = shape});
  const std::vector<double> doubles(64);
  const ConstTensorView dtype(doubles.data(), shape_);
  expect_options(kShape, "residual is float64; it must be the layer's dtype, float32",
                 {.residual = dtype});
  const ConstTensorView null(nullptr, DType::kFloat32, shape_);
  expect_options(kInvalid, "residual of shape [1, 2, 6, 3] is null; it must point to its elements",
                 {.residual = null});
}

TEST_F(CallErrors, Threads) {
  for (const int bad : {0, -1, std::numeric_limits<int>::min()}) {
    expect_options(kInvalid, "threads is " + std::to_string(bad) + "; it must be at least 1",
                   {.threads = bad});
  }
}

TEST_F(CallErrors, Scratch) {
  const std::size_t wanted = layer_.scratch_bytes(x_.shape());
  Tensor memory(DType::kFloat64, {static_cast<Index>(wanted / 8 + 8)});
  auto* bytes = static_cast<std::byte*>(memory.data());
  const std::string rule =
      " bytes; it must be " + std::to_string(wanted) + " or more, 64-byte aligned";
  expect_options(kInvalid, "scratch is " + std::to_string(wanted - 1) + rule,
                 {.scratch = {bytes, wanted - 1}});
  expect_options(kInvalid, "scratch is " + std::to_string(wanted) + rule,
                 {.scratch = {bytes + 32, wanted}});
  expect_options(kInvalid,
                 "scratch is " + std::to_string(wanted) + " bytes; it must be " +
                     std::to_string(2 * wanted) + " or more, 64-byte aligned",
                 {.threads = 2, .scratch = {bytes, wanted}});
}

TEST_F(CallErrors, ScratchThatSharesMemory) {
  const std::size_t wanted = layer_.scratch_bytes(x_.shape());
  Tensor memory = Tensor::zeros(DType::kFloat32, {static_cast<Index>(wanted / 4 + 64)});
  float* const data = memory.values<float>().data();
  const std::span<std::byte> scratch(static_cast<std::byte*>(memory.data()), wanted);
  const std::string rule = " lie in the same range of memory; they must not overlap";
  const ConstTensorView x(data, x_.shape());
  expect(kInvalid, "scratch and input" + rule, [&] { layer_(x, {.scratch = scratch}); });
  // The last element of the scratch is the first of the output.
  const TensorView y(data + wanted / 4 - 1, shape_);
  expect(kInvalid, "scratch and output" + rule, [&] { layer_(x_, y, {.scratch = scratch}); });
  const ConstTensorView& residual = y;
  expect_options(kInvalid, "scratch and residual" + rule,
                 {.residual = residual, .scratch = scratch});
  EXPECT_TRUE(std::all_of(data, data + memory.size(), [](float value) { return value == 0; }));
}

TEST_F(CallErrors, AnIsaThatDoesNotRunHere) {
  std::string list;
  for (const Isa isa : runnable_isas()) {
    list += (list.empty() ? "" : ", ") + std::string(to_string(isa));
  }
  for (const Isa isa : {Isa::kSse41, Isa::kAvx2, Isa::kAvx512, Isa::kNeon}) {
    if (list.find(to_string(isa)) != std::string::npos) continue;
    expect_options(ErrorKind::kUnsupported,
                   "isa is " + std::string(to_string(isa)) + "; this machine runs " + list,
                   {.isa = isa});
    // What it would run can be asked, if this build holds kernels for it.
    const auto built = internal::built_isas();
    if (std::find(built.begin(), built.end(), isa) != built.end()) {
      EXPECT_EQ(layer_.kernel_choice(x_.shape(), isa).isa, isa);
    } else {
      expect(ErrorKind::kUnsupported,
             "this build has no kernel for " + std::string(to_string(isa)) + " and float32",
             [&] { layer_.kernel_choice(x_.shape(), isa); });
    }
  }
}

TEST_F(CallErrors, TapsThatReachTooFar) {
  // Rows 2^28 elements apart, and four taps over them: more than a kernel's 32-bit steps. (48
  // channels are for the wide strategy, whose limit this is.)
  const ConvolutionTranspose layer({.input_size = 2,
                                    .output_size = 48,
                                    .filter_shape = {8, 1},
                                    .strides = {2, 1},
                                    .name = "up"});
  const Index row = Index{1} << 28;
  // Never read, and far from the output that the call allocates.
  // NOLINTNEXTLINE(performance-no-int-to-ptr): no object is 3 GiB long.
  const auto* nowhere = reinterpret_cast<const float*>(std::uintptr_t{1} << 40);
  const ConstTensorView x(nowhere, {4, 1, 2}, {row, 2, 1});
  expect(kLimit,
         "the taps of one output reach over 805306370 input elements; at most 536870911 are "
         "supported",
         [&] { layer(x); });
}

TEST_F(CallErrors, AssignedWeightsThatDoNotFit) {
  const Tensor before = Tensor::copy_of(layer_.kernel());
  const auto text = [](auto body) { return error_of(body).text; };
  EXPECT_EQ(text([&] {
              layer_.kernel().assign(Tensor::zeros(DType::kFloat32, {2, 3, 4, 4}));
            }),
            "variable \"up/kernel\": value has shape [2, 3, 4, 4]; it must be [4, 4, 2, 3]");
  EXPECT_EQ(text([&] {
              layer_.kernel().assign(Tensor::zeros(DType::kFloat64, {4, 4, 2, 3}));
            }),
            "variable \"up/kernel\": value is float64; it must be float32");
  EXPECT_EQ(text([&] { layer_.bias().assign(Tensor::zeros(DType::kFloat32, {2})); }),
            "variable \"up/bias\": value has shape [2]; it must be [3]");
  EXPECT_TRUE(same_bits(layer_.kernel(), before));
}

TEST_F(CallErrors, ABiasThatIsNotThere) {
  ConvolutionTranspose layer(
      {.input_size = 1, .output_size = 1, .filter_shape = 1, .name = "up", .use_bias = false});
  expect(ErrorKind::kUnsupported, "the layer has no bias; use_bias is false",
         [&] { layer.bias(); });
  EXPECT_FALSE(layer.has_bias());
  EXPECT_EQ(layer.variables().size(), 1U);
}

}  // namespace
}  // namespace upconv::test
