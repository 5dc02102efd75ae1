#include "gpu_array.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// At least one: of nothing, no interface makes an array.
halide_dimension_t dimension_of(Index elements) {
  return {0, static_cast<std::int32_t>(std::max<Index>(elements, 1)), 1};
}

halide_buffer_t unallocated(halide_dimension_t& dimension) {
  halide_buffer_t buffer = {};
  buffer.type = halide_type_of<float>();
  buffer.dimensions = 1;
  buffer.dim = &dimension;
  return buffer;
}

int allocate(const GpuApi& api, halide_buffer_t& buffer, GpuReport& report) {
  const halide_device_interface_t* const interface = api.interface();
  return interface->device_malloc(&report, &buffer, interface);
}

/// The buffer as one over these host elements, to copy from or to.
halide_buffer_t over(halide_buffer_t buffer, const float* host, halide_buffer_flags dirty) {
  buffer.host = reinterpret_cast<std::uint8_t*>(const_cast<float*>(host));
  buffer.flags = dirty;
  return buffer;
}

}  // namespace

void Gpu::require(int status, const GpuReport& report, ErrorKind kind, const char* what) const {
  if (status == 0) return;
  throw Error(kind, label + ": " + what + " on device \"" + std::string(to_string(api->device)) +
                        "\" failed (" + report.text + ")");
}

void Gpu::run(GpuKernel kernel, std::span<const void* const> arguments) const {
  GpuReport report;
  void* user_context = &report;
  std::vector<void*> all = {static_cast<void*>(&user_context)};
  for (const void* argument : arguments) all.push_back(const_cast<void*>(argument));
  require(kernel(all.data()), report, ErrorKind::kUnsupported, "a kernel");
}

GpuArray::GpuArray(const Gpu& gpu, Index elements)
    : dimension_(dimension_of(elements)), buffer_(unallocated(dimension_)) {
  GpuReport report;
  const int status = allocate(*gpu.api, buffer_, report);
  gpu.require(status, report, ErrorKind::kOutOfMemory, "memory");
}

GpuArray GpuArray::copy_of(const Gpu& gpu, const float* host, Index elements) {
  GpuArray array(gpu, elements);
  if (elements == 0) return array;
  halide_buffer_t from = over(array.buffer_, host, halide_buffer_flag_host_dirty);
  GpuReport report;
  const int status = from.device_interface->copy_to_device(&report, &from, from.device_interface);
  gpu.require(status, report, ErrorKind::kUnsupported, "a copy");
  return array;
}

void GpuArray::copy_to(const Gpu& gpu, float* host) const {
  halide_buffer_t to = over(buffer_, host, halide_buffer_flag_device_dirty);
  GpuReport report;
  const int status = to.device_interface->copy_to_host(&report, &to);
  gpu.require(status, report, ErrorKind::kUnsupported, "a copy");
}

void GpuArray::wait(const Gpu& gpu) const {
  halide_buffer_t buffer = buffer_;
  GpuReport report;
  const int status = buffer.device_interface->device_sync(&report, &buffer);
  gpu.require(status, report, ErrorKind::kUnsupported, "a kernel");
}

GpuArray::GpuArray(GpuArray&& other) noexcept
    : dimension_(other.dimension_), buffer_(std::exchange(other.buffer_, {})) {
  buffer_.dim = &dimension_;
}

GpuArray::~GpuArray() {
  if (buffer_.device == 0) return;
  GpuReport ignored;  // a device that is gone has no memory to free
  buffer_.device_interface->device_free(&ignored, &buffer_);
}

std::string why_unusable(const GpuApi& api) {
  halide_dimension_t dimension = dimension_of(1);
  halide_buffer_t buffer = unallocated(dimension);
  GpuReport report;
  if (allocate(api, buffer, report) != 0) {
    return report.text[0] != '\0' ? report.text : "no reason was given";
  }
  buffer.device_interface->device_free(&report, &buffer);
  return "";
}

}  // namespace upconv::UPCONV_ABI::internal
