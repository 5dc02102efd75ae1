// Beside another Halide program in one process: its pipeline has a Halide run time of its own, with
// an error handler and an allocator that are the program's. Neither the library nor the program
// notices the other. Built with the static library, with the shared one, and for a layer on a GPU,
// which has a Halide run time too.
#include <HalideBuffer.h>
#include <HalideRuntime.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "upconv/c_api.h"

extern "C" {
// An epilogue of generators/, compiled with Halide's run time and its checks.
int other_halide_clamp(halide_buffer_t* in, halide_buffer_t* residual, halide_buffer_t* pixel_in,
                       halide_buffer_t* pixel_residual, halide_buffer_t* pixel_out,
                       int32_t channels, int32_t has_residual, double min, double max,
                       halide_buffer_t* out);
}

namespace {

std::string reported;

void report(void*, const char* message) { reported = message; }

class UPCONV_SUITE : public testing::Test {
 protected:
  UPCONV_SUITE() { halide_set_error_handler(report); }

  static int run_other(halide_buffer_t* in) {
    Halide::Runtime::Buffer<int32_t> pixels(1);
    pixels.fill(0);
    Halide::Runtime::Buffer<float> out(16);
    const int status = other_halide_clamp(in, in, pixels, pixels, pixels, 16, 0, -1, 1, out);
    if (status == 0) {
      for (int c = 0; c < 16; ++c) EXPECT_EQ(out(c), c % 2 == 0 ? 1 : -1);
    }
    return status;
  }

  static void run_ours() {
    const std::array<int64_t, 1> taps{3};
    upconv_options options = {};
    options.size = sizeof options;
    options.input_size = options.output_size = 1;
    options.rank = 1;
    options.filter_shape = taps.data();
    options.device = UPCONV_DEVICE;
    const std::array<float, 3> weights{1, 2, 3};
    const std::array<int64_t, 3> kernel_shape{3, 1, 1};
    const upconv_const_view kernel = {weights.data(), UPCONV_FLOAT32, 3, kernel_shape.data(),
                                      nullptr};
    upconv_error error = {};
    upconv_layer* layer = nullptr;
    const upconv_status made = upconv_layer_create(&options, &kernel, nullptr, &layer, &error);
    if (made == UPCONV_UNSUPPORTED && std::string(UPCONV_DEVICE) != "cpu") {
      GTEST_SKIP() << error.message;
    }
    ASSERT_EQ(made, UPCONV_OK) << error.message;
    const std::array<float, 2> in{1, 10};
    std::array<float, 4> out{};
    const std::array<int64_t, 2> in_shape{2, 1}, out_shape{4, 1};
    const upconv_const_view x = {in.data(), UPCONV_FLOAT32, 2, in_shape.data(), nullptr};
    const upconv_view y = {out.data(), UPCONV_FLOAT32, 2, out_shape.data(), nullptr};
    EXPECT_EQ(upconv_layer_run(layer, &x, &y, nullptr, &error), UPCONV_OK) << error.message;
    EXPECT_EQ(out, (std::array<float, 4>{1, 12, 23, 30}));
    // A mistake is ours to report.
    EXPECT_EQ(upconv_layer_run(layer, nullptr, &y, nullptr, &error), UPCONV_INVALID_ARGUMENT);
    upconv_layer_destroy(layer);
  }
};

TEST_F(UPCONV_SUITE, IsInOneProcessWithTheLibraryMeant) {
  Dl_info where{};
  ASSERT_NE(dladdr(reinterpret_cast<const void*>(&upconv_version), &where), 0);
  EXPECT_NE(std::string(where.dli_fname).find(UPCONV_LINKED), std::string::npos) << where.dli_fname;
}

TEST_F(UPCONV_SUITE, AndOursRunInTurns) {
  Halide::Runtime::Buffer<float> in(16);
  in.for_each_element([&](int c) { in(c) = c % 2 == 0 ? 5.F : -5.F; });
  for (int round = 0; round < 3; ++round) {
    run_ours();
    EXPECT_EQ(run_other(in), 0);
  }
  EXPECT_EQ(reported, "");
}

TEST_F(UPCONV_SUITE, KeepsItsErrorHandler) {
  reported.clear();
  run_ours();
  EXPECT_EQ(reported, "");
  EXPECT_NE(run_other(nullptr), 0);
  EXPECT_NE(reported, "") << "its run time has its own error handler";
  run_ours();
}

}  // namespace
