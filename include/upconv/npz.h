// NumPy's file formats: .npy (one array) and .npz (a zip of named arrays).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// Bounds that are checked before anything is allocated. The defaults suit weight files.
struct FileLimits {
  std::uint64_t header_bytes = 65536;                  ///< of one .npy header
  std::uint64_t array_bytes = std::uint64_t{1} << 34;  ///< of one array, uncompressed
  std::uint64_t total_bytes = std::uint64_t{1} << 35;  ///< of all arrays of one .npz
  std::uint64_t compression_ratio = 1100;              ///< deflate's own limit is about 1030
  std::size_t members = 4096;                          ///< arrays in one .npz
  std::size_t axes = 8;                                ///< of one array
  bool finite = false;                                 ///< true: NaN and infinity are refused
  std::uint64_t safetensors_header = 100'000'000;      ///< bytes of a .safetensors header
  std::size_t safetensors_entries = 100'000;           ///< tensors that such a header may list
};

/// An array with the name it has in its .npz (without ".npy").
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Reads one array: .npy versions 1.0, 2.0 and 3.0; '<f4', '<f8', '>f4', '>f8' (swapped); C and
/// Fortran order (transposed into C order). Every other dtype is refused by name.
/// @throws Error kIo, kTruncated, kCorruptFile, kUnsupported, kLimitExceeded; the message names the
///         file and what in it is wrong. kOutOfMemory.
Tensor read_npy(const std::filesystem::path& path, const FileLimits& limits = {});
/// The same from memory; `what` names the bytes in messages.
Tensor read_npy(std::span<const std::byte> bytes, std::string_view what,
                const FileLimits& limits = {});

/// Writes one array in C order, version 1.0, header padded to 64 bytes as NumPy does. The file
/// appears by rename: it is whole or not there. A symbolic link is followed; a directory or a
/// device is refused. The bytes are those of numpy.save.
/// @throws Error kIo; kInvalidArgument for elements without memory; kOutOfMemory.
void write_npy(const std::filesystem::path& path, const ConstTensorView& array);

/// Reads every array of a .npz, stored or deflated, Zip64 included, in the file's order. A member
/// that is not .npy, a duplicate name, an overlap, a wrong checksum or a bomb is an error, and so
/// is an archive without arrays or one whose sizes come after the data (written to a pipe).
/// @throws as read_npy.
std::vector<NamedTensor> read_npz(const std::filesystem::path& path, const FileLimits& limits = {});
/// The same from memory; `what` names the bytes in messages.
std::vector<NamedTensor> read_npz(std::span<const std::byte> bytes, std::string_view what,
                                  const FileLimits& limits = {});

/// One array to be written; the view must stay alive during the call.
struct NamedView {
  std::string name;
  ConstTensorView view;
};

/// Writes a compressed .npz that numpy.load reads; by rename, as write_npy. The same arrays give
/// the same bytes: members are dated 1980-01-01.
/// @throws as write_npy; kInvalidArgument for no arrays, or for a name that is empty, there twice,
///         absolute, not UTF-8, or has ".." or a control character.
void write_npz(const std::filesystem::path& path, std::span<const NamedView> arrays);

}  // namespace upconv::UPCONV_ABI
