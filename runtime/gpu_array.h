// Arrays in a GPU's memory, and calls of its kernels.
#pragma once

#include <span>
#include <string>

#include "HalideRuntime.h"
#include "gpu_apis.h"
#include "upconv/error.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// A GPU as a layer uses it, with the layer's name for messages.
struct Gpu {
  const GpuApi* api;
  std::string label;

  /// Calls a kernel with the addresses of its arguments. @throws Error kUnsupported
  void run(GpuKernel kernel, std::span<const void* const> arguments) const;
  /// @throws Error of that kind when `status` is not 0
  void require(int status, const GpuReport& report, ErrorKind kind, const char* what) const;
};

/// Floats in a device's memory.
class GpuArray {
 public:
  /// A copy of the host's elements. @throws Error kOutOfMemory
  static GpuArray copy_of(const Gpu& gpu, const float* host, Index elements);
  /// Uninitialised elements. @throws Error kOutOfMemory
  GpuArray(const Gpu& gpu, Index elements);
  GpuArray(GpuArray&& other) noexcept;
  GpuArray& operator=(GpuArray&&) = delete;
  ~GpuArray();

  Index elements() const { return dimension_.extent; }
  /// Of a kernel. Calls at the same time each need their own: kernels set its flags.
  halide_buffer_t argument() const { return buffer_; }
  /// Waits for what was asked of the device. @throws Error kUnsupported
  void wait(const Gpu& gpu) const;
  /// Waits for what was asked of the device, and copies the elements. @throws Error kUnsupported
  void copy_to(const Gpu& gpu, float* host) const;

 private:
  halide_dimension_t dimension_;
  halide_buffer_t buffer_;
};

/// Why an interface cannot be used here; empty where it can.
std::string why_unusable(const GpuApi& api);

}  // namespace upconv::UPCONV_ABI::internal
