// The C++ of README.md, as it stands there: extract_snippets.py writes each block into a file,
// which is included below.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <sstream>
#include <string>

#include "temporary_folder.h"
#include "upconv/upconv.h"

// The program. Its main is a function here: gtest_main has the other.
#define main readme_example
#include "example.inc"
#undef main

namespace upconv {
namespace {

/// An empty folder as the current one, for what the snippets write.
class Readme : public testing::Test {
 protected:
  Readme() { std::filesystem::current_path(folder_.path()); }
  ~Readme() override { std::filesystem::current_path(before_); }

 private:
  test::TemporaryFolder folder_;
  std::filesystem::path before_ = std::filesystem::current_path();
};

ConvolutionTranspose decoder() {
  return ConvolutionTranspose2D({.input_size = 64,
                                 .output_size = 32,
                                 .filter_shape = 4,
                                 .strides = 2,
                                 .padding = "SAME",
                                 .activation_fn = "relu"});
}

bool same_values(const ConstTensorView& a, const ConstTensorView& b) {
  const Tensor left = Tensor::copy_of(a), right = Tensor::copy_of(b);
  const std::span<const float> l = left.values<float>(), r = right.values<float>();
  return a.shape() == b.shape() && std::equal(l.begin(), l.end(), r.begin(), r.end());
}

TEST_F(Readme, TheProgramPrintsWhatIsShownAndSavesItsLayer) {
  std::ifstream file(UPCONV_README_SNIPPETS "/example.txt");
  std::stringstream shown;
  shown << file.rdbuf();
  ASSERT_FALSE(shown.str().empty());

  testing::internal::CaptureStdout();
  const int status = readme_example();
  std::cout.flush();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), shown.str());
  EXPECT_EQ(status, 0);

  ConvolutionTranspose layer = decoder();
  layer.load("decoder.npz");
}

TEST_F(Readme, ALayerWritesIntoASliceOfChannels) {
  const ConvolutionTranspose up = decoder();
  const Tensor x = initializers::normal()({1, 16, 16, 64}, DType::kFloat32);
#include "slice.inc"
  EXPECT_TRUE(same_values(part, up(x)));
  const Tensor zeros = Tensor::zeros(DType::kFloat32, {1, 32, 32, 64});
  EXPECT_TRUE(same_values(
      ConstTensorView(joined.values<float>().data() + 32, zeros.shape(), part.strides()), zeros));
}

TEST_F(Readme, APoolAndScratchMemoryAreTheCallers) {
  const ConvolutionTranspose up = decoder();
  const Tensor x = initializers::normal()({1, 16, 16, 64}, DType::kFloat32);
  Tensor y(DType::kFloat32, up.output_shape(x.shape()));
#include "threads.inc"
  EXPECT_TRUE(same_values(y, up(x)));
}

}  // namespace
}  // namespace upconv
