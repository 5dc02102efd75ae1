// Zip archives as bytes: well-formed ones with the offsets at which to break them.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "npy_bytes.h"

namespace upconv::test {

/// Raw deflate, as in a zip.
inline std::string deflated(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// One member of a Zip.
struct Member {
  std::string name;
  std::string bytes;
  bool deflate = false;
  bool zip64 = false;       ///< sizes in the local header's Zip64 field, as NumPy writes them
  std::string stored = {};  ///< what is in the archive, where it is not what follows from the rest
};

/// An archive, with the offsets at which to break it.
struct Zip {
  std::string bytes;
  std::vector<std::size_t> local;    ///< local headers
  std::vector<std::size_t> central;  ///< entries of the central directory
  std::size_t end64 = 0;             ///< Zip64 end record, if asked for
  std::size_t end = 0;               ///< end record

  explicit Zip(const std::vector<Member>& members, bool with_end64 = false,
               const std::string& comment = "") {
    std::string directory;
    std::vector<std::size_t> entries;
    for (const Member& member : members) {
      const std::string data = !member.stored.empty() ? member.stored
                               : member.deflate       ? deflated(member.bytes)
                                                      : member.bytes;
      const auto crc = crc32(0, reinterpret_cast<const Bytef*>(member.bytes.data()),
                             static_cast<uInt>(member.bytes.size()));
      const std::string common = little(20, 2) + little(0, 2) + little(member.deflate ? 8 : 0, 2) +
                                 little(0, 2) + little(0x21, 2) + little(crc, 4);
      const std::string sizes = little(data.size(), 4) + little(member.bytes.size(), 4);
      const std::string wide =
          little(1, 2) + little(16, 2) + little(member.bytes.size(), 8) + little(data.size(), 8);
      local.push_back(bytes.size());
      bytes += "PK\3\4" + common + (member.zip64 ? std::string(8, '\xff') : sizes) +
               little(member.name.size(), 2) + little(member.zip64 ? wide.size() : 0, 2) +
               member.name + (member.zip64 ? wide : "") + data;
      entries.push_back(directory.size());
      directory += "PK\1\2" + little(20 | 3 << 8, 2) + common + sizes +
                   little(member.name.size(), 2) + little(0, 2) + little(0, 2) + little(0, 2) +
                   little(0, 2) + little(0600u << 16, 4) + little(local.back(), 4) + member.name;
    }
    for (const std::size_t entry : entries) central.push_back(bytes.size() + entry);
    const std::size_t at = bytes.size();
    bytes += directory;
    if (with_end64) {
      end64 = bytes.size();
      bytes += "PK\6\6" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) +
               little(members.size(), 8) + little(members.size(), 8) + little(directory.size(), 8) +
               little(at, 8);
      bytes += "PK\6\7" + little(0, 4) + little(end64, 8) + little(1, 4);
    }
    end = bytes.size();
    bytes += "PK\5\6" + little(0, 4) + little(with_end64 ? 0xffff : members.size(), 2) +
             little(with_end64 ? 0xffff : members.size(), 2) +
             little(with_end64 ? 0xffffffff : directory.size(), 4) +
             little(with_end64 ? 0xffffffff : at, 4) + little(comment.size(), 2) + comment;
  }

  Zip& put(std::size_t at, std::uint64_t value, int size) {
    bytes.replace(at, static_cast<std::size_t>(size), little(value, size));
    return *this;
  }
};

}  // namespace upconv::test
