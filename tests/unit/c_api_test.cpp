// The C interface: the values of the C++ class, and its errors as statuses and text.
#include "upconv/c_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "c_api_c11.h"
#include "checks.h"
#include "temporary_folder.h"

namespace upconv::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Destroy {
  void operator()(upconv_layer* layer) const { upconv_layer_destroy(layer); }
};
using LayerPointer = std::unique_ptr<upconv_layer, Destroy>;

upconv_const_view const_view_of(const Tensor& tensor) {
  return {tensor.data(),
          static_cast<int32_t>(tensor.dtype() == DType::kFloat64 ? UPCONV_FLOAT64 : UPCONV_FLOAT32),
          static_cast<int32_t>(tensor.shape().size()), tensor.shape().begin(), nullptr};
}

upconv_view view_of(Tensor& tensor) {
  const upconv_const_view view = const_view_of(tensor);
  return {tensor.data(), view.dtype, view.axes, view.shape, view.strides};
}

class CApi : public testing::Test {
 protected:
  static constexpr int64_t kFilter[2] = {4, 3}, kStrides[2] = {2, 3};

  CApi() {
    options_.size = sizeof options_;
    options_.name = "decoder";
    options_.input_size = 5;
    options_.output_size = 7;
    options_.filter_shape = kFilter;
    options_.strides = kStrides;
    options_.padding = "SAME";
    options_.activation = "relu";
  }

  LayerPointer make(const upconv_const_view* kernel, const upconv_const_view* bias) {
    upconv_layer* layer = nullptr;
    status_ = upconv_layer_create(&options_, kernel, bias, &layer, &error_);
    EXPECT_EQ(error_.status, status_);
    EXPECT_EQ(layer != nullptr, status_ == UPCONV_OK);
    return LayerPointer(layer);
  }

  LayerPointer make() {
    const upconv_const_view kernel = const_view_of(cxx_.kernel().value());
    const upconv_const_view bias = const_view_of(cxx_.bias().value());
    return make(&kernel, &bias);
  }

  /// The layer refuses to be made, for a reason that holds all of `words`.
  void expect_refused(upconv_status status, const std::vector<std::string>& words) {
    const LayerPointer layer = make(nullptr, nullptr);
    EXPECT_EQ(status_, status) << error_.message;
    EXPECT_EQ(std::strchr(error_.message, '\n'), nullptr) << error_.message;
    for (const std::string& word : words) EXPECT_THAT(error_.message, HasSubstr(word));
  }

  static ConvolutionTranspose reference() {
    ConvolutionTranspose layer({.input_size = 5,
                                .output_size = 7,
                                .filter_shape = {4, 3},
                                .strides = {2, 3},
                                .padding = "SAME",
                                .activation_fn = "relu"});
    layer.bias() = initializers::normal()({7}, DType::kFloat32).view();
    return layer;
  }

  ConvolutionTranspose cxx_ = reference();
  const Tensor x_ = initializers::normal()({2, 6, 5, 5}, DType::kFloat32);
  upconv_options options_ = {};
  upconv_error error_ = {};
  upconv_status status_ = UPCONV_OK;
};

TEST_F(CApi, WorksFromC11) {
  float y[16] = {};
  ASSERT_EQ(upconv_test_from_c11(y, &error_), UPCONV_OK) << error_.message;
  EXPECT_THAT(y, ElementsAre(1.5, 1.5, 2.5, 2.5, 1.5, 1.5, 2.5, 2.5, 3.5, 3.5, 4.5, 4.5, 3.5, 3.5,
                             4.5, 4.5));
}

TEST_F(CApi, HasTheClassOwnBits) {
  const LayerPointer layer = make();
  ASSERT_NE(layer, nullptr) << error_.message;
  const Tensor expected = cxx_(x_);
  std::array<int64_t, 4> shape{};
  ASSERT_EQ(
      upconv_layer_output_shape(layer.get(), 4, x_.shape().begin(), nullptr, shape.data(), &error_),
      UPCONV_OK);
  EXPECT_EQ(Dims(std::span<const Index>(shape)), expected.shape());

  Tensor y = Tensor::zeros(DType::kFloat32, expected.shape());
  const upconv_const_view x = const_view_of(x_);
  const upconv_view out = view_of(y);
  ASSERT_EQ(upconv_layer_run(layer.get(), &x, &out, nullptr, nullptr), UPCONV_OK);
  EXPECT_TRUE(same_bits(y, expected));
}

TEST_F(CApi, TakesThreadsScratchResidualAndStrides) {
  const LayerPointer layer = make();
  ASSERT_NE(layer, nullptr) << error_.message;
  const Tensor residual = initializers::normal()(cxx_.output_shape(x_.shape()), DType::kFloat32);
  const Tensor expected = cxx_(x_, {.residual = residual.view()});

  const upconv_const_view added = const_view_of(residual);
  upconv_call call = {};
  call.size = sizeof call;
  call.threads = 2;
  call.residual = &added;
  std::size_t bytes = 0;
  ASSERT_EQ(upconv_layer_scratch_bytes(layer.get(), 4, x_.shape().begin(), &call, &bytes, &error_),
            UPCONV_OK);
  EXPECT_EQ(bytes, cxx_.scratch_bytes(x_.shape(), 2));
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> scratch(bytes / 64 + 1);
  call.scratch = scratch.data();
  call.scratch_bytes = scratch.size() * 64;

  // Channels 2 to 8 of 11, in a channel slice.
  const Dims& shape = expected.shape();
  Tensor joined = Tensor::zeros(DType::kFloat32, {shape[0], shape[1], shape[2], 11});
  const Dims strides = c_order_strides(joined.shape());
  upconv_view out = view_of(joined);
  out.data = joined.values<float>().data() + 2;
  out.shape = shape.begin();
  out.strides = strides.begin();
  const upconv_const_view x = const_view_of(x_);
  ASSERT_EQ(upconv_layer_run(layer.get(), &x, &out, &call, &error_), UPCONV_OK) << error_.message;
  EXPECT_TRUE(same_bits({out.data, DType::kFloat32, shape, strides}, expected));
  EXPECT_EQ(joined.values<float>()[0], 0);

  call.scratch_bytes = 1;
  EXPECT_EQ(upconv_layer_run(layer.get(), &x, &out, &call, &error_), UPCONV_INVALID_ARGUMENT);
  EXPECT_THAT(error_.message, HasSubstr("scratch"));
}

TEST_F(CApi, EveryOptionArrives) {
  static constexpr int64_t kCrops[4] = {1, 0, -1, 2}, kDilations[2] = {3, 2}, kOnes[2] = {1, 1};
  static constexpr double kBounds[2] = {-0.25, 0.5};
  options_.padding = nullptr;
  options_.crops = kCrops;
  options_.dilations = kDilations;
  options_.output_padding = kOnes;
  options_.dtype = UPCONV_FLOAT64;
  options_.activation = "clamp";
  options_.bounds = kBounds;
  options_.no_bias = 1;
  options_.arithmetic = "direct";
  const std::string isa(to_string(isas().front()));
  options_.isa = isa.c_str();
  static constexpr int64_t kExpected[4] = {1, 6, 5, 5};
  options_.expected_input_shape = kExpected;
  options_.expected_axes = 4;

  const ConvolutionTranspose same({.input_size = 5,
                                   .output_size = 7,
                                   .filter_shape = {4, 3},
                                   .strides = {2, 3},
                                   .padding = Padding::Pairs{{1, 0}, {-1, 2}},
                                   .dilations = {3, 2},
                                   .output_padding = PerAxis(1),
                                   .dtype = DType::kFloat64,
                                   .activation_fn = Activation::clamp(-0.25, 0.5),
                                   .use_bias = false,
                                   .arithmetic = Arithmetic::kDirect,
                                   .isa = isas().front()});
  const upconv_const_view kernel = const_view_of(same.kernel().value());
  const LayerPointer layer = make(&kernel, nullptr);
  ASSERT_NE(layer, nullptr) << error_.message;
  const Tensor input = initializers::normal()({1, 6, 5, 5}, DType::kFloat64);
  const Tensor expected = same(input);
  Tensor y = Tensor::zeros(DType::kFloat64, expected.shape());
  const upconv_const_view x = const_view_of(input);
  const upconv_view out = view_of(y);
  ASSERT_EQ(upconv_layer_run(layer.get(), &x, &out, nullptr, &error_), UPCONV_OK) << error_.message;
  EXPECT_TRUE(same_bits(y, expected));
}

TEST_F(CApi, WeightsAreReplacedBothOrNeither) {
  const LayerPointer layer = make();
  ASSERT_NE(layer, nullptr) << error_.message;
  const Tensor zeros = Tensor::zeros(DType::kFloat32, {4, 3, 7, 5});  // input and output exchanged
  const Tensor kernel_of_zeros = Tensor::zeros(DType::kFloat32, cxx_.kernel().shape());
  const upconv_const_view good = const_view_of(kernel_of_zeros), bad = const_view_of(zeros);
  EXPECT_EQ(upconv_layer_set_weights(layer.get(), &good, &bad, &error_), UPCONV_SHAPE_MISMATCH);
  EXPECT_THAT(error_.message, HasSubstr("bias"));

  Tensor y = Tensor::zeros(DType::kFloat32, cxx_.output_shape(x_.shape()));
  const upconv_const_view x = const_view_of(x_);
  const upconv_view out = view_of(y);
  ASSERT_EQ(upconv_layer_run(layer.get(), &x, &out, nullptr, &error_), UPCONV_OK);
  EXPECT_TRUE(same_bits(y, cxx_(x_)));

  const TemporaryFolder folder;
  const std::string file = (folder / "w.npz").string();
  ConvolutionTranspose other = reference();
  other.save(file);
  ASSERT_EQ(upconv_layer_load(layer.get(), file.c_str(), &error_), UPCONV_OK) << error_.message;
  ASSERT_EQ(upconv_layer_run(layer.get(), &x, &out, nullptr, &error_), UPCONV_OK);
  EXPECT_TRUE(same_bits(y, other(x_)));
  EXPECT_EQ(upconv_layer_load(layer.get(), "no such file.npz", &error_), UPCONV_IO);
}

TEST_F(CApi, OptionsAreRefusedWithAReason) {
  static constexpr int64_t kZero[2] = {0, 2};
  static constexpr double kAlpha = 0.1, kBounds[2] = {-1, 1};
  const upconv_options good = options_;
  options_.input_size = 0;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"decoder", "input_size", "0"});
  options_ = good;
  options_.filter_shape = nullptr;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"filter_shape is NULL"});
  options_ = good;
  options_.strides = kZero;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"strides[0]", "0"});
  options_ = good;
  options_.rank = 4;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"rank is 4"});
  options_ = good;
  options_.padding = "FULL";
  expect_refused(UPCONV_INVALID_ARGUMENT, {"FULL"});
  options_ = good;
  options_.activation = "swishy";
  expect_refused(UPCONV_INVALID_ARGUMENT, {"swishy"});
  options_ = good;
  options_.alpha = &kAlpha;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"alpha", "relu"});
  options_.activation = "clamp";
  options_.bounds = kBounds;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"alpha", "clamp"});
  options_.activation = "leaky_relu";
  expect_refused(UPCONV_INVALID_ARGUMENT, {"bounds", "leaky_relu"});
  options_ = good;
  options_.arithmetic = "slow";
  expect_refused(UPCONV_INVALID_ARGUMENT, {"slow", "fast", "direct"});
  options_ = good;
  options_.isa = "avx3";
  expect_refused(UPCONV_INVALID_ARGUMENT, {"avx3", std::string(to_string(isas().front()))});
  options_ = good;
  options_.device = "tpu";
  expect_refused(UPCONV_INVALID_ARGUMENT, {"tpu", "cpu, gpu, cuda or opencl"});
  options_ = good;
  options_.device = "gpu";
  options_.isa = isas().front() == Isa::kNeon ? "neon" : "sse41";
  expect_refused(UPCONV_INVALID_ARGUMENT, {"absent where device is \"gpu\""});
  options_ = good;
  options_.dtype = 7;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"dtype is 7"});
  options_ = good;
  options_.size = 4;
  expect_refused(UPCONV_INVALID_ARGUMENT, {"size is 4"});
}

TEST_F(CApi, ReasonsAreOneLineWhateverTheWords) {
  static constexpr double kAlpha = 0.1, kBounds[2] = {-1, 1};
  const upconv_options good = options_;
  const std::vector<std::string> words = {"two\\x0alines"};
  options_.name = "two\nlines";
  options_.input_size = 0;
  expect_refused(UPCONV_INVALID_ARGUMENT, words);
  options_ = good;
  options_.padding = "two\nlines";
  expect_refused(UPCONV_INVALID_ARGUMENT, words);
  options_ = good;
  options_.arithmetic = "two\nlines";
  expect_refused(UPCONV_INVALID_ARGUMENT, words);
  options_ = good;
  options_.isa = "two\nlines";
  expect_refused(UPCONV_INVALID_ARGUMENT, words);
  options_ = good;
  options_.activation = "two\nlines";
  expect_refused(UPCONV_INVALID_ARGUMENT, words);
  options_.alpha = &kAlpha;
  expect_refused(UPCONV_INVALID_ARGUMENT, words);
  options_.alpha = nullptr;
  options_.bounds = kBounds;
  expect_refused(UPCONV_INVALID_ARGUMENT, words);
}

TEST_F(CApi, NullsAreRefused) {
  const LayerPointer layer = make();
  const upconv_const_view x = const_view_of(x_);
  upconv_layer* made = layer.get();
  EXPECT_EQ(upconv_layer_create(nullptr, nullptr, nullptr, &made, nullptr),
            UPCONV_INVALID_ARGUMENT);
  EXPECT_EQ(made, nullptr);
  EXPECT_EQ(upconv_layer_create(&options_, nullptr, nullptr, nullptr, nullptr),
            UPCONV_INVALID_ARGUMENT);
  EXPECT_EQ(upconv_layer_run(nullptr, &x, nullptr, nullptr, nullptr), UPCONV_INVALID_ARGUMENT);
  EXPECT_EQ(upconv_layer_run(layer.get(), &x, nullptr, nullptr, nullptr), UPCONV_INVALID_ARGUMENT);
  EXPECT_EQ(upconv_layer_load(layer.get(), nullptr, nullptr), UPCONV_INVALID_ARGUMENT);
  upconv_layer_destroy(nullptr);
}

TEST_F(CApi, ShorterAndLongerStructuresWork) {
  // A program that knows the members up to `strides` alone: what follows is not its memory.
  std::vector<std::byte> shorter(offsetof(upconv_options, dilations));
  options_.size = shorter.size();
  std::memcpy(shorter.data(), &options_, shorter.size());
  upconv_layer* made = nullptr;
  ASSERT_EQ(upconv_layer_create(reinterpret_cast<const upconv_options*>(shorter.data()), nullptr,
                                nullptr, &made, &error_),
            UPCONV_OK)
      << error_.message;
  upconv_layer_destroy(made);

  // One that knows more, and does not use it; then one that does.
  std::vector<std::byte> longer(sizeof options_ + 16);
  options_.size = longer.size();
  std::memcpy(longer.data(), &options_, sizeof options_);
  const auto* given = reinterpret_cast<const upconv_options*>(longer.data());
  ASSERT_EQ(upconv_layer_create(given, nullptr, nullptr, &made, &error_), UPCONV_OK);
  upconv_layer_destroy(made);
  longer.back() = std::byte{1};
  EXPECT_EQ(upconv_layer_create(given, nullptr, nullptr, &made, &error_), UPCONV_UNSUPPORTED);
  EXPECT_THAT(error_.message, HasSubstr("this version of the library"));
}

TEST_F(CApi, LongReasonsAreCut) {
  const LayerPointer layer = make();
  const std::string path(2000, 'n');  // the whole of which is named
  EXPECT_EQ(upconv_layer_load(layer.get(), path.c_str(), &error_), UPCONV_IO);
  EXPECT_EQ(std::strlen(error_.message), sizeof error_.message - 1);
}

}  // namespace
}  // namespace upconv::test
