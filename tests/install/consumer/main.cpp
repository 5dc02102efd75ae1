// Doubles an image of ones: every output is 1.
#include <upconv/upconv.h>

#include <cstdio>

int main() {
  const upconv::ConvolutionTranspose up({.input_size = 1,
                                         .output_size = 1,
                                         .filter_shape = 2,
                                         .strides = 2,
                                         .init_kernel_fn = upconv::initializers::ones()});
  const upconv::Tensor x = upconv::initializers::ones()({4, 4, 1}, upconv::DType::kFloat32);
  const upconv::Tensor y = up(x);
  for (const float value : y.values<float>()) {
    if (value != 1) return 1;
  }
  std::printf("%s\n", upconv::to_string(y.shape()).c_str());
  return y.shape() == upconv::Dims{8, 8, 1} ? 0 : 1;
}
