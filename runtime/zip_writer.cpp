#include "zip_writer.h"

#include <zip.h>
#include <zlib.h>

#include <new>

namespace upconv::UPCONV_ABI::internal {

namespace {

[[noreturn]] void fail_zip(std::string_view what, zip_error_t* error) {
  const int code = zip_error_code_zip(error);
  const bool in_zlib = code == ZIP_ER_ZLIB && zip_error_code_system(error) == Z_MEM_ERROR;
  // Where it has no memory for an object that could hold the error, libzip 1.7 sets none.
  if (code == ZIP_ER_MEMORY || code == ZIP_ER_OK || in_zlib) throw std::bad_alloc();
  fail(ErrorKind::kIo, what, std::string("cannot be compressed: ") + zip_error_strerror(error));
}

/// An error that libzip fills in, for calls that have no object yet.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(&error_); }
  zip_error_t* get() { return &error_; }

 private:
  zip_error_t error_;
};

}  // namespace

void ZipWriter::Discard::operator()(zip* archive) const noexcept { zip_discard(archive); }

void ZipWriter::Release::operator()(zip_source* source) const noexcept { zip_source_free(source); }

ZipWriter::ZipWriter(std::string_view what) : what_(what) {
  ZipError error;
  bytes_.reset(zip_source_buffer_create(nullptr, 0, 0, error.get()));
  if (!bytes_) fail_zip(what_, error.get());
  zip_source_keep(bytes_.get());  // zip_close and zip_discard release one reference
  archive_.reset(zip_open_from_source(bytes_.get(), ZIP_TRUNCATE, error.get()));
  if (!archive_) {
    zip_source_free(bytes_.get());
    fail_zip(what_, error.get());
  }
}

void ZipWriter::add(const std::string& name, std::span<const std::byte> first,
                    std::span<const std::byte> second) {
  constexpr zip_uint32_t kLevel = 6;  // zlib's and NumPy's default; libzip's own is 9, slower
  constexpr zip_uint16_t kMidnight = 0;
  constexpr zip_uint16_t kFirstOf1980 = 1 << 5 | 1;  // month 1, day 1
  zip* archive = archive_.get();
  // libzip does not write to fragments; its type is not const because it may be asked to free them.
  const auto fragment = [](std::span<const std::byte> part) {
    return zip_buffer_fragment_t{
        reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(part.data())), part.size()};
  };
  const zip_buffer_fragment_t parts[] = {fragment(first), fragment(second)};
  const zip_uint64_t count = second.empty() ? 1 : 2;
  zip_source_t* source = zip_source_buffer_fragment(archive, parts, count, 0);
  if (source == nullptr) fail_zip(what_, zip_get_error(archive));
  const zip_int64_t added = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (added < 0) {
    zip_source_free(source);
    fail_zip(what_, zip_get_error(archive));
  }
  const auto index = static_cast<zip_uint64_t>(added);
  if (zip_set_file_compression(archive, index, ZIP_CM_DEFLATE, kLevel) != 0 ||
      zip_file_set_dostime(archive, index, kMidnight, kFirstOf1980, 0) != 0) {
    fail_zip(what_, zip_get_error(archive));
  }
}

Buffer ZipWriter::finish() {
  if (zip_close(archive_.get()) != 0) fail_zip(what_, zip_get_error(archive_.get()));
  // NOLINTNEXTLINE(bugprone-unused-return-value): zip_close has freed it.
  static_cast<void>(archive_.release());
  zip_source_t* source = bytes_.get();
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_source_stat(source, &status) != 0 || zip_source_open(source) != 0) {
    fail_zip(what_, zip_source_error(source));
  }
  Buffer buffer(status.size);
  const zip_int64_t got = zip_source_read(source, buffer.bytes().data(), status.size);
  zip_source_close(source);
  if (got < 0 || static_cast<zip_uint64_t>(got) != status.size) {
    fail_zip(what_, zip_source_error(source));
  }
  return buffer;
}

}  // namespace upconv::UPCONV_ABI::internal
