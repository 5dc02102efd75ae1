// Any bytes as a .npy: a tensor or an Error. What was read is written and read back the same.
#include <cstring>

#include "bytes.h"
#include "npy.h"
#include "upconv/error.h"
#include "upconv/npz.h"

using namespace upconv;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FileLimits limits{.array_bytes = 1 << 20};
  const auto read = [&](std::span<const std::byte> bytes) {
    return read_npy(bytes, "fuzz.npy", limits);
  };
  Tensor tensor;
  try {
    tensor = read({reinterpret_cast<const std::byte*>(data), size});
  } catch (const Error&) {
    return 0;
  }
  const std::size_t bytes = static_cast<std::size_t>(tensor.size()) * size_of(tensor.dtype());
  fuzz::require(bytes <= size);
  const internal::NpyImage image(tensor, "fuzz.npy");
  std::vector<std::byte> written(image.header().begin(), image.header().end());
  written.insert(written.end(), image.payload().begin(), image.payload().end());
  const Tensor again = read(written);
  fuzz::require(again.dtype() == tensor.dtype() && again.shape() == tensor.shape());
  fuzz::require(bytes == 0 || std::memcmp(again.data(), tensor.data(), bytes) == 0);
  return 0;
}
