// Devices: where a layer computes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// The processor, or a GPU by one of its programming interfaces. Libraries have GPU kernels when
/// they are built with UPCONV_GPU (docs/gpu.md).
enum class Device {
  kCpu,
  kGpu,  ///< the first of this build's interfaces that finds a device: cuda, opencl
  kCuda,
  kOpencl,
};

/// "cpu", "gpu", "cuda", "opencl".
std::string_view to_string(Device device);

/// The Device of that name, or nothing.
std::optional<Device> parse_device(std::string_view name);

/// kCpu, and of this build's interfaces those that find a device here, best first.
std::vector<Device> usable_devices();

}  // namespace upconv::UPCONV_ABI
