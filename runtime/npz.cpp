// Named arrays in a .npz file: a zip archive whose members are .npy files.
#include "upconv/npz.h"

#include <limits>
#include <string>
#include <unordered_set>

#include "files.h"
#include "npy.h"
#include "zip_directory.h"
#include "zip_inflate.h"
#include "zip_writer.h"

namespace upconv::UPCONV_ABI {

namespace {

using namespace internal;

constexpr std::string_view kSuffix = ".npy";

/// "w.npz: member "kernel.npy"", the beginning of every message about that member.
std::string member_of(std::string_view what, const std::string& name) {
  return std::string(what) + ": member \"" + printable(name, 80) + "\"";
}

/// Refuses by declared sizes, before anything is inflated.
void check_sizes(const std::vector<ZipMember>& members, std::string_view what,
                 const FileLimits& limits) {
  std::uint64_t left = limits.total_bytes;
  for (const ZipMember& member : members) {
    const auto over = [&](const std::string& text, std::uint64_t limit) {
      fail(ErrorKind::kLimitExceeded, member_of(what, member.name),
           text + "; the limit is " + std::to_string(limit));
    };
    const std::string size = "size is " + std::to_string(member.size) + " bytes";
    if (member.size > most_npy_bytes(limits)) over(size, most_npy_bytes(limits));
    if (member.size > left) over(size + ", too many with those before it", limits.total_bytes);
    left -= member.size;
    std::uint64_t most_inflated = 0;
    const bool any =
        __builtin_mul_overflow(member.data.size(), limits.compression_ratio, &most_inflated);
    if (member.deflated && !any && member.size > most_inflated) {
      over(size + ", over " + std::to_string(limits.compression_ratio) + " times the " +
               std::to_string(member.data.size()) + " that it takes deflated",
           most_inflated);
    }
  }
}

void check_are_arrays(const std::vector<ZipMember>& members, std::string_view what) {
  for (const ZipMember& member : members) {
    if (member.name.ends_with(kSuffix) && member.name.size() > kSuffix.size()) continue;
    fail(ErrorKind::kCorruptFile, member_of(what, member.name),
         "is not an array; names in a .npz must be an array's name and .npy");
  }
}

NamedTensor read_member(const ZipMember& member, std::string_view what, const FileLimits& limits) {
  const std::string name = member_of(what, member.name);
  const std::string array = member.name.substr(0, member.name.size() - kSuffix.size());
  return report_out_of_memory(name, [&]() -> NamedTensor {
    const auto read = [&](std::span<const std::byte> bytes) -> NamedTensor {
      check_crc32(member, bytes, name);
      return {array, read_npy(bytes, name, limits)};
    };
    if (!member.deflated) return read(member.data);
    const Buffer inflated = inflate_member(member, name);
    return read(inflated.bytes());
  });
}

/// Most bytes a .npz within the limits may have: what deflate and headers can add to its arrays.
std::uint64_t most_npz_bytes(const FileLimits& limits) {
  constexpr std::uint64_t kHeaders = std::uint64_t{1} << 24;
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(limits.total_bytes, limits.total_bytes / 1024 + kHeaders, &sum)) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  return sum;
}

void check_name(const std::string& name, std::string_view what,
                std::unordered_set<std::string_view>& seen) {
  const auto refuse = [&](const std::string& rule) {
    fail(ErrorKind::kInvalidArgument, what,
         "array name is \"" + printable(name, 80) + "\"; " + rule);
  };
  if (name.empty()) refuse("it must not be empty");
  if (name.size() > 0xffff - kSuffix.size()) refuse("it must be shorter than 65532 bytes");
  if (const std::string_view bad = bad_member_name(name); !bad.empty()) {
    refuse("it " + std::string(bad) + ", so that no .npz may hold it");
  }
  if (!seen.insert(name).second) refuse("it is there twice, and names must differ");
}

}  // namespace

std::vector<NamedTensor> read_npz(std::span<const std::byte> bytes, std::string_view what,
                                  const FileLimits& limits) {
  return report_out_of_memory(what, [&] {
    const std::vector<ZipMember> members = read_zip_directory(bytes, what, limits);
    check_are_arrays(members, what);
    check_sizes(members, what, limits);
    std::vector<NamedTensor> arrays;
    arrays.reserve(members.size());
    for (const ZipMember& member : members) arrays.push_back(read_member(member, what, limits));
    return arrays;
  });
}

std::vector<NamedTensor> read_npz(const std::filesystem::path& path, const FileLimits& limits) {
  const std::string what = printable(path);
  return report_out_of_memory(what, [&] {
    const Buffer file = read_file(path, most_npz_bytes(limits));
    return read_npz(file.bytes(), what, limits);
  });
}

void write_npz(const std::filesystem::path& path, std::span<const NamedView> arrays) {
  const std::string what = printable(path);
  report_out_of_memory(what, [&] {
    if (arrays.empty()) {
      fail(ErrorKind::kInvalidArgument, what, "number of arrays is 0; it must be at least 1");
    }
    std::unordered_set<std::string_view> seen;
    for (const NamedView& array : arrays) check_name(array.name, what, seen);
    std::vector<NpyImage> images;
    images.reserve(arrays.size());  // the writer keeps spans into them
    ZipWriter writer(what);
    for (const NamedView& array : arrays) {
      const NpyImage& image = images.emplace_back(array.view, what);
      writer.add(array.name + std::string(kSuffix), image.header(), image.payload());
    }
    write_file(path, {writer.finish().bytes()});
  });
}

}  // namespace upconv::UPCONV_ABI
