// Any bytes as a .npz: arrays or an Error, within the limits.
#include "bytes.h"
#include "upconv/error.h"
#include "upconv/npz.h"

using namespace upconv;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FileLimits limits{.array_bytes = 1 << 20, .total_bytes = 1 << 21, .members = 16};
  try {
    const std::vector<NamedTensor> arrays =
        read_npz({reinterpret_cast<const std::byte*>(data), size}, "fuzz.npz", limits);
    std::uint64_t total = 0;
    for (const NamedTensor& array : arrays) {
      fuzz::require(!array.name.empty());
      total += static_cast<std::uint64_t>(array.tensor.size()) * size_of(array.tensor.dtype());
    }
    fuzz::require(!arrays.empty() && arrays.size() <= limits.members);
    fuzz::require(total <= limits.total_bytes);
  } catch (const Error&) {
  }
  return 0;
}
