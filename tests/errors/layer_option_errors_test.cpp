// Options that a layer refuses, in the words of the message: the option, its value and the rule.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "checks.h"
#include "gpu_apis.h"

namespace upconv::test {
namespace {

constexpr Index kMax = std::numeric_limits<Index>::max();
constexpr Index kMin = std::numeric_limits<Index>::min();

/// Valid options, for a test to spoil one.
ConvolutionTransposeOptions good() {
  return {.input_size = 2, .output_size = 3, .filter_shape = {3, 2}, .name = "up"};
}

/// The layer must be refused with this kind and exactly this text after its name.
void expect_refused(const ConvolutionTransposeOptions& options, const std::string& text,
                    ErrorKind kind = ErrorKind::kInvalidArgument) {
  const auto [got, message] = error_of([&] { const ConvolutionTranspose layer(options); });
  EXPECT_EQ(message, "ConvolutionTranspose \"up\": " + text);
  EXPECT_EQ(got, kind) << message;
}

TEST(OptionErrors, AGpuThatTheBuildHasNoKernelsFor) {
  if (!internal::gpu_apis().empty()) GTEST_SKIP() << "this build has GPU kernels";
  for (const char* name : {"gpu", "cuda", "opencl"}) {
    ConvolutionTransposeOptions options = good();
    options.device = *parse_device(name);
    expect_refused(options,
                   "device is \"" + std::string(name) +
                       "\"; this build of the library has kernels for cpu only (UPCONV_GPU is off)",
                   ErrorKind::kUnsupported);
    options.isa = default_isa();
    expect_refused(options, "isa is " + std::string(to_string(default_isa())) +
                                "; it must be absent where device is \"" + name + "\"");
  }
  EXPECT_EQ(usable_devices(), std::vector{Device::kCpu});
}

TEST(OptionErrors, SizesOfChannels) {
  for (const Index bad : {Index{0}, Index{-1}, kMin, Index{2147483648}, kMax}) {
    const std::string rule = " is " + std::to_string(bad) + "; it must be from 1 to 2147483647";
    ConvolutionTransposeOptions options = good();
    options.input_size = bad;
    expect_refused(options, "input_size" + rule);
    options = good();
    options.output_size = bad;
    expect_refused(options, "output_size" + rule);
  }
  expect_refused({.name = "up"}, "input_size is 0; it must be from 1 to 2147483647");
}

TEST(OptionErrors, NumbersPerAxisOutOfRange) {
  for (const Index bad : {Index{0}, Index{-3}, kMin, Index{2147483648},
                          Index{5717580618211388939}}) {  // tensorflow #85246
    const std::string rule = " is " + std::to_string(bad) + "; it must be from 1 to 2147483647";
    ConvolutionTransposeOptions options = good();
    options.filter_shape = {3, bad};
    expect_refused(options, "filter_shape[1]" + rule);
    options = good();
    options.strides = bad;
    expect_refused(options, "strides[0]" + rule);
    options = good();
    options.dilations = {1, bad};
    expect_refused(options, "dilations[1]" + rule);
  }
}

TEST(OptionErrors, NumbersPerAxisOfTheWrongCount) {
  ConvolutionTransposeOptions options = good();
  options.filter_shape = {3, 3, 3};
  expect_refused(options, "filter_shape has 3 values; it must have 1 or 2");
  options = good();
  options.strides = std::vector<Index>{};
  expect_refused(options, "strides has 0 values; it must have 1 or 2");
  options = good();
  options.dilations = {1, 2, 3};
  expect_refused(options, "dilations has 3 values; it must have 1 or 2");
  options = good();
  options.output_padding = {0, 0, 0};
  expect_refused(options, "output_padding has 3 values; it must have 1 or 2");
  options = good();
  options.filter_shape = {3, 2};
  options.rank = 1;
  expect_refused(options, "filter_shape has 2 values; it must have 1");
}

TEST(OptionErrors, Rank) {
  for (const int bad : {0, -1, 4, std::numeric_limits<int>::max()}) {
    ConvolutionTransposeOptions options = good();
    options.rank = bad;
    expect_refused(options, "rank is " + std::to_string(bad) + "; it must be 1, 2 or 3");
  }
  ConvolutionTransposeOptions options = good();
  options.rank = 3;
  EXPECT_EQ(error_of([&] { ConvolutionTranspose1D layer(options); }).text,
            "ConvolutionTranspose \"up\": rank is 3; ConvolutionTranspose1D has rank 1");
  EXPECT_EQ(error_of([&] { ConvolutionTranspose2D layer(options); }).text,
            "ConvolutionTranspose \"up\": rank is 3; ConvolutionTranspose2D has rank 2");
  options.rank = 1;
  EXPECT_EQ(error_of([&] { ConvolutionTranspose3D layer(options); }).text,
            "ConvolutionTranspose \"up\": rank is 1; ConvolutionTranspose3D has rank 3");
}

TEST(OptionErrors, DilatedFilterTooLong) {  // pytorch #142457
  ConvolutionTransposeOptions options = good();
  options.dilations = {1879048192, 1};
  expect_refused(options,
                 "dilations[0] is 1879048192; (filter_shape - 1) * dilations + 1 must be at most "
                 "2147483647, and filter_shape is 3");
}

TEST(OptionErrors, Padding) {
  const auto [kind, text] = error_of([] { const upconv::Padding padding("reflect"); });
  EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(text,
            "padding is \"reflect\"; it must be VALID, SAME, SPLIT_UPPER, SPLIT_LOWER or one "
            "[begin, end] pair per spatial axis");
  ConvolutionTransposeOptions options = good();
  options.padding = {{1, 1}};
  expect_refused(options, "padding has 1 [begin, end] pairs; it must have one per axis, 2");
  options.padding = {{1, 1}, {0, 0}, {0, 0}};
  expect_refused(options, "padding has 3 [begin, end] pairs; it must have one per axis, 2");
  options.padding = {{0, 0}, {0, 2147483648}};
  expect_refused(options, "padding[1] is 2147483648; it must be within 2147483647 of 0");
  options.padding = {{kMin, 0}, {0, 0}};
  expect_refused(options, "padding[0] is -9223372036854775808; it must be within 2147483647 of 0");
}

TEST(OptionErrors, OutputPadding) {
  ConvolutionTransposeOptions options = good();
  options.strides = {2, 4};
  options.output_padding = {-1, 0};
  expect_refused(options, "output_padding[0] is -1; it must be at least 0");
  options.output_padding = {1, 4};
  expect_refused(options,
                 "output_padding[1] is 4; it must be below strides[1] = 4 with VALID padding");
  options.padding = "same";
  options.output_padding = {2, 0};
  expect_refused(options,
                 "output_padding[0] is 2; it must be below strides[0] = 2 with SAME padding");
  options.dilations = {3, 1};  // counts with explicit padding alone
  expect_refused(options,
                 "output_padding[0] is 2; it must be below strides[0] = 2 with SAME padding");
  options.padding = {{0, 0}, {0, 0}};
  options.output_padding = {3, 0};
  expect_refused(options,
                 "output_padding[0] is 3; it must be below max(strides[0], dilations[0]) = 3 with "
                 "explicit padding");
}

TEST(OptionErrors, KernelLargerThanAnyMemory) {
  ConvolutionTransposeOptions options = good();
  options.input_size = options.output_size = 2147483647;
  expect_refused(options,
                 "kernel of shape [3, 2, 2147483647, 2147483647] is larger than any memory",
                 ErrorKind::kLimitExceeded);
}

TEST(OptionErrors, FilterTooLong) {
  // At once: without memory for its phases, or for its kernel.
  for (const Index stride : {1, 2147483647}) {
    ConvolutionTransposeOptions options{.input_size = 1,
                                        .output_size = 1,
                                        .filter_shape = 2147483647,
                                        .rank = 1,
                                        .strides = stride,
                                        .name = "up"};
    expect_refused(
        options,
        "kernel has shape [2147483647, 1, 1]; the product of filter_shape and input_size "
        "must be at most 33554432",
        ErrorKind::kLimitExceeded);
    options.filter_shape = 16777217;
    options.input_size = 2;
    expect_refused(options,
                   "kernel has shape [16777217, 2, 1]; the product of filter_shape and input_size "
                   "must be at most 33554432",
                   ErrorKind::kLimitExceeded);
    options.rank = 3;
    options.filter_shape = 2147483647;
    options.output_size = 2147483647;
    expect_refused(options,
                   "kernel of shape [2147483647, 2147483647, 2147483647, 2, 2147483647] is larger "
                   "than any memory",
                   ErrorKind::kLimitExceeded);
  }
}

TEST(OptionErrors, Functions) {
  ConvolutionTransposeOptions options = good();
  options.make_kernel_bias_fn = nullptr;
  expect_refused(options, "make_kernel_bias_fn is an empty function; it must be callable");
  options = good();
  options.init_kernel_fn = nullptr;
  EXPECT_EQ(error_of([&] { const ConvolutionTranspose layer(options); }).text,
            "init_kernel_fn is an empty function; it must be callable");
  options = good();
  options.init_bias_fn = nullptr;
  EXPECT_EQ(error_of([&] { const ConvolutionTranspose layer(options); }).text,
            "init_bias_fn is an empty function; it must be callable");
  options.use_bias = false;
  EXPECT_NO_THROW(const ConvolutionTranspose layer(options));
}

TEST(OptionErrors, InitialWeightsOfAnotherShapeOrDtype) {
  const auto initial = [](const Dims& shape, DType dtype) {
    return [=](const Dims&, DType) { return Tensor::zeros(dtype, shape); };
  };
  ConvolutionTransposeOptions options = good();
  options.init_kernel_fn = initial({2, 3, 3, 2}, DType::kFloat32);  // PyTorch's order
  expect_refused(options,
                 "initial kernel is float32 of shape [2, 3, 3, 2]; it must be float32 of shape "
                 "[3, 2, 2, 3]",
                 ErrorKind::kShapeMismatch);
  options.init_kernel_fn = initial({3, 2, 3}, DType::kFloat32);  // onnxruntime #28731: the rank
  expect_refused(options,
                 "initial kernel is float32 of shape [3, 2, 3]; it must be float32 of shape "
                 "[3, 2, 2, 3]",
                 ErrorKind::kShapeMismatch);
  options.init_kernel_fn = initial({3, 2, 2, 3}, DType::kFloat64);
  expect_refused(options,
                 "initial kernel is float64 of shape [3, 2, 2, 3]; it must be float32 of shape "
                 "[3, 2, 2, 3]",
                 ErrorKind::kShapeMismatch);
  options = good();
  options.init_bias_fn = initial({2}, DType::kFloat32);
  expect_refused(options, "initial bias is float32 of shape [2]; it must be float32 of shape [3]",
                 ErrorKind::kShapeMismatch);
  options.init_bias_fn = initial({1, 3}, DType::kFloat32);
  expect_refused(options,
                 "initial bias is float32 of shape [1, 3]; it must be float32 of shape [3]",
                 ErrorKind::kShapeMismatch);
  options = good();
  options.make_kernel_bias_fn = [](const Dims& shape, const std::optional<Dims>&,
                                   const Initializer& init, const Initializer&, DType dtype) {
    return KernelBias{.kernel = init(shape, dtype), .bias = {}};
  };
  expect_refused(options, "make_kernel_bias_fn made no bias; use_bias is true",
                 ErrorKind::kShapeMismatch);
}

TEST(OptionErrors, ExpectedInputShape) {
  ConvolutionTransposeOptions options = good();
  options.expected_input_shape = Dims{1, 8, 8, 4};
  expect_refused(options, "input has shape [1, 8, 8, 4]; its last axis must be input_size = 2",
                 ErrorKind::kShapeMismatch);
}

TEST(OptionErrors, AnIsaThatDoesNotRunHere) {
  std::string list;
  for (const Isa isa : runnable_isas())
    list += (list.empty() ? "" : ", ") + std::string(to_string(isa));
  for (const Isa isa : {Isa::kSse41, Isa::kAvx2, Isa::kAvx512, Isa::kNeon}) {
    if (list.find(to_string(isa)) != std::string::npos) continue;
    ConvolutionTransposeOptions options = good();
    options.isa = isa;
    expect_refused(options, "isa is " + std::string(to_string(isa)) + "; this machine runs " + list,
                   ErrorKind::kUnsupported);
  }
}

TEST(OptionErrors, NameTheLayerOnOneLineWhateverItsNameIs) {
  ConvolutionTransposeOptions options = good();
  options.name = "a \"b\"\n\x01";
  options.strides = 0;
  const std::string text = error_of([&] { const ConvolutionTranspose layer(options); }).text;
  EXPECT_TRUE(text.starts_with("ConvolutionTranspose \"a ")) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  EXPECT_EQ(text.find('\x01'), std::string::npos) << text;
}

}  // namespace
}  // namespace upconv::test
