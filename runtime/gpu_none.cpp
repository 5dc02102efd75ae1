// A library without GPU kernels.
#include "gpu_apis.h"

namespace upconv::internal {

std::span<const GpuApi> gpu_apis() { return {}; }

}  // namespace upconv::internal
