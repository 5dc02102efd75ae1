#include "zip_inflate.h"

#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>

namespace upconv::UPCONV_ABI::internal {

namespace {

/// zlib's raw inflater, over 64-bit sizes: its own counters have 32 bits.
class Inflater {
 public:
  Inflater(std::span<const std::byte> in, std::span<std::byte> out) : in_(in), out_(out) {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  /// Runs to the end of the stream or as far as it goes; returns zlib's last word.
  int run() {
    int result = Z_OK;
    while (result == Z_OK) {
      const uInt in_step = refill(in_);
      const uInt out_step = refill(out_);
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in_.data()));
      stream_.avail_in = in_step;
      // One byte beyond the end shows a stream that holds more than was declared.
      Bytef beyond = 0;
      const bool full = out_.empty();
      stream_.next_out = full ? &beyond : reinterpret_cast<Bytef*>(out_.data());
      stream_.avail_out = full ? 1 : out_step;
      result = inflate(&stream_, Z_NO_FLUSH);
      in_ = in_.subspan(in_step - stream_.avail_in);
      if (!full) out_ = out_.subspan(out_step - stream_.avail_out);
      too_long_ = full && stream_.avail_out == 0;
      if (too_long_) break;
    }
    return result;
  }

  bool too_long() const { return too_long_; }
  std::size_t unread() const { return in_.size(); }
  std::size_t unwritten() const { return out_.size(); }
  const char* message() const { return stream_.msg ? stream_.msg : "it ends early"; }

 private:
  template <typename Byte>
  static uInt refill(std::span<Byte> span) {
    return static_cast<uInt>(std::min<std::size_t>(span.size(), std::numeric_limits<uInt>::max()));
  }

  std::span<const std::byte> in_;
  std::span<std::byte> out_;
  z_stream stream_{};
  bool too_long_ = false;
};

}  // namespace

Buffer inflate_member(const ZipMember& member, std::string_view what) {
  Buffer buffer(member.size);
  Inflater inflater(member.data, buffer.bytes());
  const int result = inflater.run();
  if (result == Z_MEM_ERROR) throw std::bad_alloc();
  const std::string declared = std::to_string(member.size);
  if (inflater.too_long()) {
    fail(ErrorKind::kCorruptFile, what,
         "inflates to more than " + declared + " bytes; that is its declared size");
  }
  if (result != Z_STREAM_END) {
    fail(ErrorKind::kCorruptFile, what,
         "deflate stream is broken after " + std::to_string(member.size - inflater.unwritten()) +
             " of " + declared + " bytes; " + inflater.message());
  }
  if (inflater.unwritten() != 0) {
    fail(ErrorKind::kCorruptFile, what,
         "inflates to " + std::to_string(member.size - inflater.unwritten()) +
             " bytes; its declared size is " + declared);
  }
  if (inflater.unread() != 0) {
    fail(ErrorKind::kCorruptFile, what,
         "deflate stream has " + std::to_string(inflater.unread()) +
             " bytes after its end; there must be none");
  }
  return buffer;
}

void check_crc32(const ZipMember& member, std::span<const std::byte> bytes, std::string_view what) {
  const auto crc = static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  if (crc == member.crc32) return;
  const auto hex = [](std::uint32_t value) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%08x", static_cast<unsigned>(value));
    return std::string(text);
  };
  fail(ErrorKind::kCorruptFile, what,
       "CRC-32 is " + hex(crc) + "; the archive declares " + hex(member.crc32));
}

}  // namespace upconv::UPCONV_ABI::internal
