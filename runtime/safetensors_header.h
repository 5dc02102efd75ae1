// The header of a .safetensors file: what it lists, after every check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/npz.h"

namespace upconv::UPCONV_ABI::internal {

/// A tensor in the file. Its bytes lie inside the file and are those that dtype and shape need.
struct SafetensorsTensor {
  std::string name;
  std::string dtype;
  std::vector<Index> shape;
  std::uint64_t begin = 0;  ///< from the end of the header
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsTensor> tensors;  ///< by place: each begins where the one before ends
  std::size_t data = 0;                    ///< offset of the first tensor in the file
};

/// @throws Error kTruncated, kCorruptFile, kLimitExceeded.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, std::string_view what,
                                           const FileLimits& limits);

/// The length field and the header that list these arrays, in their order, padded to 8 bytes.
std::string safetensors_header(std::span<const NamedView> arrays);

}  // namespace upconv::UPCONV_ABI::internal
