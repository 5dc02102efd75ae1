#include "upconv/device.h"

#include <iterator>
#include <string>

#include "gpu_apis.h"
#include "gpu_array.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

constexpr Device kAll[] = {Device::kCpu, Device::kGpu, Device::kCuda, Device::kOpencl};

}  // namespace

std::string_view to_string(Device device) {
  constexpr std::string_view kNames[] = {"cpu", "gpu", "cuda", "opencl"};
  return kNames[static_cast<std::size_t>(device)];
}

std::optional<Device> parse_device(std::string_view name) {
  for (const Device device : kAll) {
    if (to_string(device) == name) return device;
  }
  return std::nullopt;
}

std::vector<Device> usable_devices() {
  std::vector<Device> usable = {Device::kCpu};
  for (const internal::GpuApi& api : internal::gpu_apis()) {
    if (internal::why_unusable(api).empty()) usable.push_back(api.device);
  }
  return usable;
}

namespace internal {

const GpuApi& require_gpu(Device device, const std::string& label) {
  const std::string what = label + ": device is \"" + std::string(to_string(device)) + "\"; ";
  std::string built, reasons;
  for (const GpuApi& api : gpu_apis()) {
    const std::string name(to_string(api.device));
    built += ", " + name;
    if (device != Device::kGpu && device != api.device) continue;
    const std::string reason = why_unusable(api);
    if (reason.empty()) return api;
    reasons += (reasons.empty() ? "" : "; ") + name + ": " + reason;
  }
  if (!reasons.empty()) {
    throw Error(ErrorKind::kUnsupported, what + "no such device was found (" + reasons + ")");
  }
  throw Error(ErrorKind::kUnsupported, what + "this build of the library has kernels for cpu" +
                                           built +
                                           (built.empty() ? " only (UPCONV_GPU is off)" : ""));
}

}  // namespace internal

}  // namespace upconv::UPCONV_ABI
