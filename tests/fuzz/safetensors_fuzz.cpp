// Any bytes as a .safetensors: tensors or an Error, no more of them than there are bytes.
#include "bytes.h"
#include "upconv/error.h"
#include "upconv/safetensors.h"

using namespace upconv;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FileLimits limits{.array_bytes = 1 << 20, .total_bytes = 1 << 21, .members = 16};
  try {
    const std::vector<NamedTensor> arrays = read_safetensors(
        {reinterpret_cast<const std::byte*>(data), size}, "fuzz.safetensors", limits);
    std::size_t total = 0;
    for (const NamedTensor& array : arrays) {
      total += static_cast<std::size_t>(array.tensor.size()) * size_of(array.tensor.dtype());
    }
    fuzz::require(arrays.size() <= limits.members && total <= size);
  } catch (const Error&) {
  }
  return 0;
}
