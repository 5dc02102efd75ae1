// The members of a zip archive, each read in the central directory and in its local header.
#include "zip_directory.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "zip_bytes.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kCentralBytes = 46;
constexpr std::uint32_t kSee64 = 0xffffffff;  // the value is in the Zip64 extra field

constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflate = 8;

// General purpose flags. Those of compression levels may differ between the headers.
constexpr std::uint16_t kEncrypted = 1 | 1 << 6 | 1 << 13;
constexpr std::uint16_t kDescriptor = 1 << 3;
constexpr std::uint16_t kPatch = 1 << 5;
constexpr std::uint16_t kUtf8 = 1 << 11;
constexpr std::uint16_t kFlagsThatMatter = kEncrypted | kDescriptor | kPatch | kUtf8;

/// The fields that both headers of a member have.
struct Fields {
  std::uint16_t flags;
  std::uint16_t method;
  std::uint32_t crc32;
  std::uint64_t compressed;
  std::uint64_t size;
  std::string_view name;
  std::string_view extra;
};

std::string method_name(std::uint16_t method) {
  constexpr std::pair<std::uint16_t, const char*> kNames[] = {
      {9, "deflate64"}, {12, "bzip2"}, {14, "lzma"}, {93, "zstd"}, {95, "xz"}, {99, "AES"}};
  for (const auto& [number, name] : kNames) {
    if (number == method) return std::to_string(method) + " (" + name + ")";
  }
  return std::to_string(method);
}

class DirectoryReader {
 public:
  DirectoryReader(const ZipBytes& archive, const ZipEnd& end) : archive_(archive), end_(end) {}

  std::vector<ZipMember> read() {
    std::uint64_t at = end_.offset;
    for (std::uint64_t entry = 0; entry < end_.entries; ++entry) at = read_member(at);
    if (at != end_.limit) {
      archive_.corrupt("central directory has " + std::to_string(end_.limit - at) +
                       " bytes after its " + std::to_string(end_.entries) +
                       " entries; the end record counts no more");
    }
    check_overlaps();
    return std::move(members_);
  }

 private:
  /// The bytes of a member with its local header.
  struct Extent {
    std::uint64_t begin;
    std::uint64_t end;
    std::size_t member;
  };

  /// Reads the central directory's entry at `at`; returns where the next one is.
  std::uint64_t read_member(std::uint64_t at) {
    if (end_.limit - at < kCentralBytes || archive_.u32(at) != kCentralSignature) {
      archive_.corrupt("central directory has " + std::to_string(members_.size()) +
                       " entries; the end record counts " + std::to_string(end_.entries));
    }
    Fields central = fields_at(at + 8);
    const std::uint64_t names = at + kCentralBytes;
    const std::uint64_t name_bytes = archive_.u16(at + 28);
    const std::uint64_t extra_bytes = archive_.u16(at + 30);
    const std::uint64_t next = names + name_bytes + extra_bytes + archive_.u16(at + 32);
    if (next > end_.limit) archive_.corrupt("central directory ends inside an entry");
    central.name = archive_.text().substr(names, name_bytes);
    central.extra = archive_.text().substr(names + name_bytes, extra_bytes);
    member_ = printable(central.name, 80);

    std::uint64_t disk = archive_.u16(at + 34);
    std::uint64_t offset = archive_.u32(at + 42);
    std::optional<std::string_view> extra = zip64_extra(central.extra);
    widen(central.size, kSee64, 8, extra);
    widen(central.compressed, kSee64, 8, extra);
    widen(offset, kSee64, 8, extra);
    widen(disk, 0xffff, 4, extra);
    if (disk != 0) archive_.several_disks();

    const bool unix_attributes = archive_.u16(at + 4) >> 8 == 3;
    check_kind(central, archive_.u32(at + 38), unix_attributes);
    check_name(central.name);
    add_member(central, offset);
    return next;
  }

  /// Reads the local header at `offset`, which must say the same.
  void add_member(const Fields& central, std::uint64_t offset) {
    if (offset > end_.offset || end_.offset - offset < kLocalBytes ||
        archive_.u32(offset) != kLocalSignature) {
      corrupt("has no local header at offset " + std::to_string(offset) +
              "; the central directory says so");
    }
    Fields local = fields_at(offset + 6);
    const std::uint64_t names = offset + kLocalBytes;
    const std::uint64_t name_bytes = archive_.u16(offset + 26);
    const std::uint64_t extra_bytes = archive_.u16(offset + 28);
    const std::uint64_t data = names + name_bytes + extra_bytes;
    if (data > end_.offset || central.compressed > end_.offset - data) {
      corrupt("has " + std::to_string(central.compressed) + " bytes at offset " +
              std::to_string(data) + "; it must end before the central directory, at " +
              std::to_string(end_.offset));
    }
    local.name = archive_.text().substr(names, name_bytes);
    local.extra = archive_.text().substr(names + name_bytes, extra_bytes);
    // NumPy writes every local header with Zip64 sizes, for it cannot know them beforehand.
    std::optional<std::string_view> extra = zip64_extra(local.extra);
    widen(local.size, kSee64, 8, extra);
    widen(local.compressed, kSee64, 8, extra);
    check_agreement(local, central);

    extents_.push_back({offset, data + central.compressed, members_.size()});
    members_.push_back({std::string(central.name), central.method == kDeflate, central.crc32,
                        central.size, archive_.bytes(data, central.compressed)});
  }

  void check_agreement(const Fields& local, const Fields& central) const {
    const auto check = [&](const char* field, std::uint64_t here, std::uint64_t there) {
      if (here == there) return;
      corrupt("has " + std::string(field) + " " + std::to_string(here) +
              " in its local header; the central directory has " + std::to_string(there));
    };
    if (local.name != central.name) {
      corrupt("is called \"" + printable(local.name, 80) +
              "\" in its local header; the names must be the same");
    }
    check("flags", local.flags & kFlagsThatMatter, central.flags & kFlagsThatMatter);
    check("method", local.method, central.method);
    check("CRC-32", local.crc32, central.crc32);
    check("compressed size", local.compressed, central.compressed);
    check("size", local.size, central.size);
  }

  void check_name(std::string_view name) {
    if (const std::string_view bad = bad_member_name(name); !bad.empty()) {
      corrupt("has a name that " + std::string(bad) + "; it must be a relative path");
    }
    if (!names_.insert(name).second) corrupt("is there twice; names must differ");
  }

  /// Refuses what is not a plain, readable file.
  void check_kind(const Fields& fields, std::uint32_t attributes, bool unix_attributes) const {
    constexpr std::uint32_t kDosDirectory = 0x10;
    constexpr std::uint32_t kUnixType = 0170000;
    constexpr std::uint32_t kUnixRegular = 0100000;
    if (fields.flags & kEncrypted) unsupported("is encrypted; it must not be");
    if (fields.method != kStored && fields.method != kDeflate) {
      unsupported("has compression method " + method_name(fields.method) +
                  "; it must be stored (0) or deflate (8)");
    }
    if (fields.flags & kPatch) unsupported("is patch data; it must be a file");
    if (fields.flags & kDescriptor) {
      unsupported(
          "has its sizes in a data descriptor, as in an archive written to a pipe; they "
          "must be in its header");
    }
    const std::uint32_t type = unix_attributes ? attributes >> 16 & kUnixType : 0;
    if (fields.name.ends_with('/') || (attributes & kDosDirectory) ||
        (type != 0 && type != kUnixRegular)) {
      corrupt("is a directory, a link or a device; it must be a file");
    }
    if (fields.method == kStored && fields.compressed != fields.size) {
      corrupt("is stored in " + std::to_string(fields.compressed) + " bytes; its size is " +
              std::to_string(fields.size));
    }
  }

  void check_overlaps() {
    std::sort(extents_.begin(), extents_.end(),
              [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < extents_.size(); ++i) {
      if (extents_[i].begin >= extents_[i - 1].end) continue;
      member_ = printable(members_[extents_[i].member].name, 80);
      corrupt("overlaps member \"" + printable(members_[extents_[i - 1].member].name, 80) +
              "\"; every byte must belong to one only");
    }
  }

  /// The Zip64 block among the extra fields, whose blocks must fill them exactly.
  std::optional<std::string_view> zip64_extra(std::string_view extra) const {
    constexpr std::size_t kBlockHeader = 4;
    constexpr std::uint64_t kZip64Id = 1;
    std::optional<std::string_view> found;
    while (!extra.empty()) {
      const bool whole = extra.size() >= kBlockHeader;
      const std::uint64_t size = whole ? little_endian(extra.substr(2), 2) : 0;
      if (!whole || size > extra.size() - kBlockHeader) {
        corrupt("has a cut extra field; its blocks must fill it");
      }
      if (little_endian(extra, 2) == kZip64Id) {
        if (found) corrupt("has two Zip64 extra fields; one is the most");
        found = extra.substr(kBlockHeader, size);
      }
      extra.remove_prefix(kBlockHeader + size);
    }
    return found;
  }

  /// Replaces a value that is `see64` by the next one of the Zip64 extra field.
  void widen(std::uint64_t& value, std::uint64_t see64, std::size_t bytes,
             std::optional<std::string_view>& extra) const {
    if (value != see64) return;
    if (!extra || extra->size() < bytes) {
      corrupt("has a Zip64 extra field that is " + std::string(extra ? "cut" : "missing") +
              "; its size or offset must be there");
    }
    value = little_endian(*extra, bytes);
    extra->remove_prefix(bytes);
  }

  /// The run of fields that both headers have, without name and extra field.
  Fields fields_at(std::uint64_t at) const {
    return {archive_.u16(at),
            archive_.u16(at + 2),
            archive_.u32(at + 8),
            archive_.u32(at + 12),
            archive_.u32(at + 16),
            {},
            {}};
  }

  [[noreturn]] void corrupt(const std::string& text) const {
    archive_.corrupt("member \"" + member_ + "\" " + text);
  }
  [[noreturn]] void unsupported(const std::string& text) const {
    archive_.reject(ErrorKind::kUnsupported, "member \"" + member_ + "\" " + text);
  }

  const ZipBytes& archive_;
  const ZipEnd& end_;
  std::string member_;  ///< the one being read, for messages
  std::vector<ZipMember> members_;
  std::vector<Extent> extents_;
  std::unordered_set<std::string_view> names_;
};

}  // namespace

std::vector<ZipMember> read_zip_directory(std::span<const std::byte> bytes, std::string_view what,
                                          const FileLimits& limits) {
  const ZipBytes archive(bytes, what);
  const ZipEnd end = read_zip_end(archive);
  if (end.entries > limits.members) {
    archive.reject(ErrorKind::kLimitExceeded, "archive has " + std::to_string(end.entries) +
                                                  " members; the limit is " +
                                                  std::to_string(limits.members));
  }
  if (end.entries == 0) archive.corrupt("archive has 0 members; it must have at least one");
  return DirectoryReader(archive, end).read();
}

}  // namespace upconv::UPCONV_ABI::internal
