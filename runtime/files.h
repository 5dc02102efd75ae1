// Whole files in and out, and the wording of what is wrong with one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "upconv/error.h"

namespace upconv::UPCONV_ABI::internal {

/// `text` on one line: control and non-ASCII bytes as \xNN, cut with "..." after `most` bytes.
/// Names and values out of hostile files go through this before they reach a message.
std::string printable(std::string_view text, std::size_t most = 200);

/// A path as it is named in messages.
std::string printable(const std::filesystem::path& path);

/// Throws Error(kind, "<what>: <text>").
[[noreturn]] void fail(ErrorKind kind, std::string_view what, std::string_view text);

/// Runs `body`; a failed allocation becomes Error kOutOfMemory that names `what`.
template <typename Body>
auto report_out_of_memory(std::string_view what, Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::kOutOfMemory, what, "needs more memory than there is");
  } catch (const Error& error) {
    const bool named = std::string_view(error.what()).starts_with(what);
    if (error.kind() != ErrorKind::kOutOfMemory || named) throw;
    fail(error.kind(), what, error.what());  // a Tensor's, which knows no file
  }
}

/// A block of bytes that is not cleared first: it is about to be read into.
class Buffer {
 public:
  explicit Buffer(std::size_t size)
      : data_(std::make_unique_for_overwrite<std::byte[]>(size)), size_(size) {}

  std::span<std::byte> bytes() noexcept { return {data_.get(), size_}; }
  std::span<const std::byte> bytes() const noexcept { return {data_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_;
};

/// Reads a regular file in one piece, so that what is checked and what is used are the same bytes.
/// @throws Error kIo; kLimitExceeded, before anything is allocated, over `most` bytes.
Buffer read_file(const std::filesystem::path& path, std::uint64_t most);

/// Writes the parts one after the other into a temporary file beside `path` and renames it: `path`
/// holds all of it or what it held before, and nothing else is left behind. A symbolic link is
/// followed; whatever is not a regular file (a directory, a device) is refused.
/// @throws Error kIo.
void write_file(const std::filesystem::path& path,
                std::span<const std::span<const std::byte>> parts);
inline void write_file(const std::filesystem::path& path,
                       std::initializer_list<std::span<const std::byte>> parts) {
  write_file(path, std::span(parts.begin(), parts.size()));
}

}  // namespace upconv::UPCONV_ABI::internal
