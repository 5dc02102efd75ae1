// The table of GPU programming interfaces: one per row UPCONV_GPU_API(<name>, <member of Device>)
// of the file that cmake/UpconvGpu.cmake makes.
#include "gpu_apis.h"

// Activations that have a kernel of their own; the same as in cmake/UpconvGpu.cmake.
#define UPCONV_GPU_ACTIVATIONS(ROW, API) \
  ROW(API, leaky_relu, kLeakyRelu)       \
  ROW(API, elu, kElu)                    \
  ROW(API, selu, kSelu)                  \
  ROW(API, gelu, kGelu)                  \
  ROW(API, gelu_tanh, kGeluTanh)         \
  ROW(API, sigmoid, kSigmoid)            \
  ROW(API, tanh, kTanh)                  \
  ROW(API, softplus, kSoftplus) ROW(API, silu, kSilu) ROW(API, hard_swish, kHardSwish)

#pragma GCC visibility push(hidden)
extern "C" {
#define UPCONV_GPU_ACTIVATION(API, NAME, KIND) int upconv_gpu_##API##_##NAME##_argv(void**);
#define UPCONV_GPU_API(API, DEVICE)                                \
  const halide_device_interface_t* upconv_gpu_##API##_interface(); \
  int upconv_gpu_##API##_conv_transpose_argv(void**);              \
  UPCONV_GPU_ACTIVATIONS(UPCONV_GPU_ACTIVATION, API)
#include "gpu_rows.inc"
#undef UPCONV_GPU_API
#undef UPCONV_GPU_ACTIVATION
}
#pragma GCC visibility pop

namespace upconv::UPCONV_ABI::internal {

namespace {

#define UPCONV_GPU_ACTIVATION(API, NAME, KIND) \
  {ActivationKind::KIND, upconv_gpu_##API##_##NAME##_argv},
#define UPCONV_GPU_API(API, DEVICE)               \
  constexpr GpuActivation API##_activations[] = { \
      UPCONV_GPU_ACTIVATIONS(UPCONV_GPU_ACTIVATION, API)};
#include "gpu_rows.inc"
#undef UPCONV_GPU_API
#undef UPCONV_GPU_ACTIVATION

#define UPCONV_GPU_API(API, DEVICE)                                                      \
  {Device::DEVICE, upconv_gpu_##API##_interface, upconv_gpu_##API##_conv_transpose_argv, \
   API##_activations},
constexpr GpuApi kApis[] = {
#include "gpu_rows.inc"
};
#undef UPCONV_GPU_API

}  // namespace

std::span<const GpuApi> gpu_apis() { return kApis; }

}  // namespace upconv::UPCONV_ABI::internal
