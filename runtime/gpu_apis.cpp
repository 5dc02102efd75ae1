// The table of GPU programming interfaces: one per row UPCONV_GPU_API(<prefix>, <name>, <member of
// Device>) of the file that cmake/UpconvGpu.cmake makes; the prefix has the version of the library.
#include "gpu_apis.h"

// Activations that have a kernel of their own; the same as in cmake/UpconvGpu.cmake.
#define UPCONV_GPU_ACTIVATIONS(ROW, PREFIX, API) \
  ROW(PREFIX, API, leaky_relu, kLeakyRelu)       \
  ROW(PREFIX, API, elu, kElu)                    \
  ROW(PREFIX, API, selu, kSelu)                  \
  ROW(PREFIX, API, gelu, kGelu)                  \
  ROW(PREFIX, API, gelu_tanh, kGeluTanh)         \
  ROW(PREFIX, API, sigmoid, kSigmoid)            \
  ROW(PREFIX, API, tanh, kTanh)                  \
  ROW(PREFIX, API, softplus, kSoftplus)          \
  ROW(PREFIX, API, silu, kSilu)                  \
  ROW(PREFIX, API, hard_swish, kHardSwish)

#pragma GCC visibility push(hidden)
extern "C" {
#define UPCONV_GPU_ACTIVATION(PREFIX, API, NAME, KIND) \
  int PREFIX##_gpu_##API##_##NAME##_argv(void**);
#define UPCONV_GPU_API(PREFIX, API, DEVICE)                          \
  const halide_device_interface_t* PREFIX##_gpu_##API##_interface(); \
  int PREFIX##_gpu_##API##_conv_transpose_argv(void**);              \
  UPCONV_GPU_ACTIVATIONS(UPCONV_GPU_ACTIVATION, PREFIX, API)
#include "gpu_rows.inc"
#undef UPCONV_GPU_API
#undef UPCONV_GPU_ACTIVATION
}
#pragma GCC visibility pop

namespace upconv::UPCONV_ABI::internal {

namespace {

#define UPCONV_GPU_ACTIVATION(PREFIX, API, NAME, KIND) \
  {ActivationKind::KIND, PREFIX##_gpu_##API##_##NAME##_argv},
#define UPCONV_GPU_API(PREFIX, API, DEVICE)       \
  constexpr GpuActivation API##_activations[] = { \
      UPCONV_GPU_ACTIVATIONS(UPCONV_GPU_ACTIVATION, PREFIX, API)};
#include "gpu_rows.inc"
#undef UPCONV_GPU_API
#undef UPCONV_GPU_ACTIVATION

#define UPCONV_GPU_API(PREFIX, API, DEVICE)                                                  \
  {Device::DEVICE, PREFIX##_gpu_##API##_interface, PREFIX##_gpu_##API##_conv_transpose_argv, \
   API##_activations},
constexpr GpuApi kApis[] = {
#include "gpu_rows.inc"
};
#undef UPCONV_GPU_API

}  // namespace

std::span<const GpuApi> gpu_apis() { return kApis; }

}  // namespace upconv::UPCONV_ABI::internal
