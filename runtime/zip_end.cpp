// The end of a zip archive: its one or three records, which say where the directory is.
#include <algorithm>
#include <string>

#include "zip_bytes.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocator64Bytes = 20;
constexpr std::uint16_t kSee64Short = 0xffff;  // the value is in the Zip64 end record
constexpr std::uint32_t kSee64 = 0xffffffff;

void check_start(const ZipBytes& archive) {
  const std::string_view text = archive.text();
  if (text.empty()) {
    archive.reject(ErrorKind::kTruncated, "size is 0 bytes; a .npz file is a zip archive");
  }
  if (text.starts_with("PK\3\4") || text.starts_with("PK\5\6")) return;
  if (std::string_view("PK\3\4").starts_with(text)) return;  // cut: the end will be missing
  archive.corrupt("first bytes are " + printable(text.substr(0, 6)) +
                  "; a .npz file is a zip archive and starts with PK\\x03\\x04");
}

/// The last record whose comment reaches exactly to the end of the file.
std::size_t find_end(const ZipBytes& archive) {
  constexpr std::size_t kMostComment = 0xffff;
  const std::size_t size = archive.text().size();
  if (size >= kEndBytes) {
    const std::size_t last = size - kEndBytes;
    const std::size_t first = last - std::min(last, kMostComment);
    for (std::size_t at = last + 1; at-- > first;) {
      if (archive.u32(at) == kEndSignature && archive.u16(at + 20) == last - at) return at;
    }
  }
  archive.reject(ErrorKind::kTruncated,
                 "end record of the zip archive is missing; the file is cut or has bytes after it");
}

ZipEnd read_end64(const ZipBytes& archive, std::size_t locator, const ZipEnd& end) {
  const std::uint64_t at = archive.u64(locator + 8);
  if (archive.u32(locator + 4) != 0 || archive.u32(locator + 16) > 1) archive.several_disks();
  if (locator < kEnd64Bytes || at > locator - kEnd64Bytes || archive.u32(at) != kEnd64Signature ||
      archive.u64(at + 4) != locator - at - 12) {
    archive.corrupt("Zip64 end record is at offset " + std::to_string(at) +
                    "; it must end where its locator starts, at " + std::to_string(locator));
  }
  const std::uint64_t entries_here = archive.u64(at + 24);
  const ZipEnd end64{archive.u64(at + 32), archive.u64(at + 48), archive.u64(at + 40), at};
  if (archive.u32(at + 16) != 0 || archive.u32(at + 20) != 0 || entries_here != end64.entries) {
    archive.several_disks();
  }
  const auto agree = [](std::uint64_t value, std::uint64_t see64, std::uint64_t value64) {
    return value == see64 || value == value64;
  };
  if (!agree(end.entries, kSee64Short, end64.entries) || !agree(end.size, kSee64, end64.size) ||
      !agree(end.offset, kSee64, end64.offset)) {
    archive.corrupt("end record differs from the Zip64 end record; they must agree");
  }
  return end64;
}

ZipEnd read_records(const ZipBytes& archive) {
  const std::size_t at = find_end(archive);
  const ZipEnd end{archive.u16(at + 10), archive.u32(at + 16), archive.u32(at + 12), at};
  for (const std::size_t disk : {archive.u16(at + 4), archive.u16(at + 6)}) {
    if (disk != 0 && disk != kSee64Short) archive.several_disks();
  }
  if (archive.u16(at + 8) != end.entries) archive.several_disks();
  if (at >= kLocator64Bytes && archive.u32(at - kLocator64Bytes) == kLocator64Signature) {
    return read_end64(archive, at - kLocator64Bytes, end);
  }
  if (end.entries == kSee64Short || end.offset == kSee64 || end.size == kSee64 ||
      archive.u16(at + 4) != 0 || archive.u16(at + 6) != 0) {
    archive.corrupt("end record refers to a Zip64 end record; there is none");
  }
  return end;
}

}  // namespace

ZipEnd read_zip_end(const ZipBytes& archive) {
  check_start(archive);
  const ZipEnd end = read_records(archive);
  if (end.offset > end.limit || end.size != end.limit - end.offset) {
    archive.corrupt("central directory is " + std::to_string(end.size) + " bytes at offset " +
                    std::to_string(end.offset) + "; it must end at the end record, at " +
                    std::to_string(end.limit));
  }
  return end;
}

}  // namespace upconv::UPCONV_ABI::internal
