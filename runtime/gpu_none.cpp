// A library without GPU kernels.
#include "gpu_apis.h"

namespace upconv::UPCONV_ABI::internal {

std::span<const GpuApi> gpu_apis() { return {}; }

}  // namespace upconv::UPCONV_ABI::internal
