// The bytes of a zip archive: little-endian numbers at an offset, and errors that name the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "files.h"

namespace upconv::UPCONV_ABI::internal {

/// The number in the first `bytes` bytes of `text`, which the caller has found to be there.
inline std::uint64_t little_endian(std::string_view text, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(text[i]);
  return value;
}

/// An archive in memory. Offsets are checked by the callers, who know what would be cut.
class ZipBytes {
 public:
  ZipBytes(std::span<const std::byte> archive, std::string_view what)
      : text_(reinterpret_cast<const char*>(archive.data()), archive.size()), what_(what) {}

  std::uint16_t u16(std::uint64_t at) const {
    return static_cast<std::uint16_t>(little_endian(text_.substr(at), 2));
  }
  std::uint32_t u32(std::uint64_t at) const {
    return static_cast<std::uint32_t>(little_endian(text_.substr(at), 4));
  }
  std::uint64_t u64(std::uint64_t at) const { return little_endian(text_.substr(at), 8); }
  std::string_view text() const { return text_; }
  std::span<const std::byte> bytes(std::uint64_t at, std::uint64_t size) const {
    return std::as_bytes(std::span(text_)).subspan(at, size);
  }

  [[noreturn]] void reject(ErrorKind kind, const std::string& text) const {
    fail(kind, what_, text);
  }
  [[noreturn]] void corrupt(const std::string& text) const {
    fail(ErrorKind::kCorruptFile, what_, text);
  }
  [[noreturn]] void several_disks() const {
    fail(ErrorKind::kUnsupported, what_, "archive spans several disks; it must be one file");
  }

 private:
  std::string_view text_;
  std::string_view what_;
};

/// Where the central directory is, and how many entries it is said to have.
struct ZipEnd {
  std::uint64_t entries;
  std::uint64_t offset;
  std::uint64_t size;
  std::uint64_t limit;  ///< offset of the first end record: the directory ends there
};

/// Reads the records at the end of the archive, Zip64 or not. The directory is known to lie inside
/// the archive afterwards; its entries are not looked at.
/// @throws Error kTruncated, kCorruptFile, kUnsupported for an archive of several disks.
ZipEnd read_zip_end(const ZipBytes& archive);

}  // namespace upconv::UPCONV_ABI::internal
