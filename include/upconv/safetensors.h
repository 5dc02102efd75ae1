// .safetensors: named tensors, as Hugging Face's library keeps them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/npz.h"
#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// What a file says of one tensor.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;         ///< "F32", "BF16" ...
  std::vector<Index> shape;  ///< as the file has it; any number of axes
};

/// Reads the tensors of these names, in this order. Float32 (F32) and float64 (F64); one of another
/// dtype is refused by name, if it is asked for. The whole header is checked, whoever is asked for:
/// every rule of the format, and those its own library leaves out (a name given twice). Tensors are
/// copied, so that they may lie at any address in the file.
/// @throws Error kIo, kTruncated, kCorruptFile, kUnsupported, kLimitExceeded; kInvalidArgument for
/// a
///         name that the file has not, listing those it has. The message names the file and what in
///         it is wrong. kOutOfMemory.
std::vector<NamedTensor> read_safetensors(const std::filesystem::path& path,
                                          std::span<const std::string> names,
                                          const FileLimits& limits = {});
/// The same from memory; `what` names the bytes in messages.
std::vector<NamedTensor> read_safetensors(std::span<const std::byte> bytes, std::string_view what,
                                          std::span<const std::string> names,
                                          const FileLimits& limits = {});

/// Reads every tensor, in the order of their places in the file. @throws as above.
std::vector<NamedTensor> read_safetensors(const std::filesystem::path& path,
                                          const FileLimits& limits = {});
std::vector<NamedTensor> read_safetensors(std::span<const std::byte> bytes, std::string_view what,
                                          const FileLimits& limits = {});

/// What a file holds, in the order of their places in it, after the same checks.
std::vector<SafetensorsEntry> list_safetensors(const std::filesystem::path& path,
                                               const FileLimits& limits = {});

/// Writes a file that Hugging Face's library reads; by rename, as write_npy. Float64 tensors come
/// first, so that every tensor is aligned; else they keep their order. No arrays make an empty
/// file.
/// @throws as write_npy; kInvalidArgument for a name that is empty, there twice, not UTF-8, or the
///         format's own `__metadata__`.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedView> arrays);

}  // namespace upconv::UPCONV_ABI
