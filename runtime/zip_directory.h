// The structure of a zip archive, checked as a whole before any member is inflated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/npz.h"

namespace upconv::UPCONV_ABI::internal {

/// One member, with every field agreed on by the central directory and the local header.
struct ZipMember {
  std::string name;
  bool deflated;  ///< else stored
  std::uint32_t crc32;
  std::uint64_t size;               ///< declared, when inflated
  std::span<const std::byte> data;  ///< as it is in the archive
};

/// Reads the directory of an archive held in memory. Libraries for zip trust much of it; here two
/// readers could never see two different archives: one end record at the very end, no other disk,
/// a directory that fills its place exactly, members that lie before it, do not overlap, are
/// called the same in both headers, and have safe, different names.
/// @throws Error kTruncated, kCorruptFile; kUnsupported for encryption, other methods than stored
///         and deflate, and data descriptors; kLimitExceeded over limits.members.
std::vector<ZipMember> read_zip_directory(std::span<const std::byte> bytes, std::string_view what,
                                          const FileLimits& limits);

/// What is wrong with a member's name ("is empty"), or nothing: it must be non-empty UTF-8 without
/// control characters, relative, and without "..".
std::string_view bad_member_name(std::string_view name);

}  // namespace upconv::UPCONV_ABI::internal
