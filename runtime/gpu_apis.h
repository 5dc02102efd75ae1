// The GPU programming interfaces of this build: their kernels, and Halide's way to their memory.
#pragma once

#include <span>
#include <string>

#include "HalideRuntime.h"
#include "gpu_hooks.h"
#include "upconv/activation.h"
#include "upconv/device.h"

namespace upconv::UPCONV_ABI::internal {

/// A kernel of generators/gpu_*.cpp, called with the addresses of user_context and all arguments in
/// the generator's order.
using GpuKernel = int (*)(void** arguments);

struct GpuActivation {
  ActivationKind kind;
  GpuKernel kernel;
};

struct GpuApi {
  Device device;
  const halide_device_interface_t* (*interface)();
  GpuKernel conv_transpose;
  std::span<const GpuActivation> activations;  ///< all but the clamps, which conv_transpose has
};

/// Best first; empty in a library without GPU kernels.
std::span<const GpuApi> gpu_apis();

/// The interface that a device stands for, once it has found a device here.
/// @throws Error kUnsupported for one that this build lacks, or that finds no device.
const GpuApi& require_gpu(Device device, const std::string& label);

}  // namespace upconv::UPCONV_ABI::internal
