// What a layer on a GPU refuses, and what it says where there is no GPU.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "death_tests.h"
#include "errors.h"
#include "upconv/upconv.h"

namespace upconv {
namespace {

ConvolutionTransposeOptions options_on(Device device) {
  return {.input_size = 1,
          .output_size = 1,
          .filter_shape = 2,
          .rank = 1,
          .name = "up",
          .device = device};
}

/// Ends the process: with 0, or with 1 after an Error's text, on standard error.
[[noreturn]] void make_layer_without_drivers(Device device) {
  setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
  setenv("CUDA_VISIBLE_DEVICES", "", 1);
  const test::Caught caught =
      test::error_of([&] { ConvolutionTranspose layer(options_on(device)); });
  if (!caught.kind) std::exit(0);
  std::fprintf(stderr, "%d: %s\n", static_cast<int>(*caught.kind), caught.text.c_str());
  std::exit(1);
}

TEST(NoGpu, IsAnErrorOfOneLine) {
  test::start_death_tests_anew();
  const std::string begin = "^" + std::to_string(static_cast<int>(ErrorKind::kUnsupported)) +
                            ": ConvolutionTranspose \"up\": device is ";
  EXPECT_EXIT(make_layer_without_drivers(Device::kOpencl), testing::ExitedWithCode(1),
              begin + "\"opencl\"; no such device was found \\(opencl: .+\\)\n$");
  EXPECT_EXIT(make_layer_without_drivers(Device::kGpu), testing::ExitedWithCode(1),
              begin + "\"gpu\"; no such device was found \\(cuda: .+; opencl: .+\\)\n$");
}

class GpuRefuses : public testing::Test {
 protected:
  void SetUp() override {
    if (usable_devices().size() == 1) GTEST_SKIP() << "no GPU, nor PoCL, was found";
  }
};

TEST_F(GpuRefuses, Float64) {
  ConvolutionTransposeOptions options = options_on(Device::kGpu);
  options.dtype = DType::kFloat64;
  const test::Caught caught = test::error_of([&] { ConvolutionTranspose layer(options); });
  EXPECT_EQ(caught.kind, ErrorKind::kUnsupported);
  EXPECT_EQ(caught.text,
            "ConvolutionTranspose \"up\": dtype is float64; on a GPU it must be float32");
}

TEST_F(GpuRefuses, AnInstructionSet) {
  ConvolutionTransposeOptions options = options_on(Device::kGpu);
  const std::string isa(to_string(default_isa()));
  const std::string text =
      "ConvolutionTranspose \"up\": isa is " + isa + "; it must be absent where device is \"gpu\"";
  const ConvolutionTranspose layer(options);
  const Tensor x = Tensor::zeros(DType::kFloat32, {3, 1});
  EXPECT_EQ(test::error_of([&] { layer(x, {.isa = default_isa()}); }).text, text);
  options.isa = default_isa();
  const test::Caught caught = test::error_of([&] { ConvolutionTranspose other(options); });
  EXPECT_EQ(caught.kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(caught.text, text);
}

TEST_F(GpuRefuses, WeightsThatAreNotFiniteAndKeepsTheOthers) {
  ConvolutionTransposeOptions options = options_on(Device::kGpu);
  options.init_kernel_fn = initializers::ones();
  ConvolutionTranspose layer(options);
  const Tensor bad = Tensor::from<float>({1, std::numeric_limits<float>::infinity()}, {2, 1, 1});
  const test::Caught caught = test::error_of([&] { layer.kernel() = bad; });
  EXPECT_EQ(caught.kind, ErrorKind::kUnsupported);
  EXPECT_EQ(caught.text,
            "ConvolutionTranspose \"up\": the kernel has values that are not finite; on a GPU they "
            "would reach outputs that do not see them");
  const Tensor y = layer(Tensor::from<float>({3}, {1, 1}));
  EXPECT_EQ(y.values<float>()[1], 3);
}

TEST_F(GpuRefuses, MorePhasesThanAGridHas) {
  ConvolutionTransposeOptions options = options_on(Device::kGpu);
  options.strides = 70000;
  const ConvolutionTranspose layer(options);
  const test::Caught caught = test::error_of([&] {
    layer(Tensor::zeros(DType::kFloat32, {1, 1}));
  });
  EXPECT_EQ(caught.kind, ErrorKind::kLimitExceeded);
  EXPECT_EQ(caught.text,
            "ConvolutionTranspose \"up\": phases (the product of strides) are 70000; on a GPU they "
            "must be at most 65535");
}

}  // namespace
}  // namespace upconv
