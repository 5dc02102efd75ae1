// Files as bytes for the tests of .npy and .npz: well-formed ones, to be broken on purpose.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upconv/error.h"

namespace upconv::test {

/// An Error as plain data. `kind` is empty when nothing was thrown.
struct Caught {
  std::optional<ErrorKind> kind;
  std::string text;
};

template <typename Body>
Caught catch_error(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {};
}

/// Expects one line that starts with the file's name and says `says`.
inline void expect_error(const Caught& caught, ErrorKind kind, std::string_view file,
                         std::string_view says) {
  ASSERT_TRUE(caught.kind.has_value()) << "accepted; it should say: " << says;
  EXPECT_EQ(*caught.kind, kind) << caught.text;
  EXPECT_TRUE(caught.text.starts_with(std::string(file) + ": ")) << caught.text;
  EXPECT_NE(caught.text.find(says), std::string::npos)
      << "says:  " << caught.text << "\nnot:   " << says;
  EXPECT_EQ(caught.text.find_first_of("\n\r"), std::string::npos) << caught.text;
}

/// `value` as `size` little-endian bytes.
inline std::string little(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 255);
  return bytes;
}

/// The bytes of elements in this machine's order.
template <typename T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A .npy of that header text, taken as it is, and payload.
inline std::string npy_file(const std::string& header, const std::string& payload,
                            int version = 1) {
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
         little(header.size(), version == 1 ? 2 : 4) + header + payload;
}

/// "{'descr': ..., }\n" of three values in Python's notation.
inline std::string npy_dict(const std::string& descr, const std::string& fortran_order,
                            const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + fortran_order + ", 'shape': " + shape +
         ", }\n";
}

/// Three float32: 1, 2, 3.
inline std::string good_npy() {
  return npy_file(npy_dict("'<f4'", "False", "(3,)"), raw<float>({1, 2, 3}));
}

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

/// A directory that is removed with all in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "upconv-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no directory " << name;
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  /// Names of the files in it, to see that nothing was left behind.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      found.push_back(entry.path().filename().string());
    }
    return found;
  }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace upconv::test
