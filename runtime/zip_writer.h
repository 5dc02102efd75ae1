// Writing a zip archive, in memory, by libzip.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"

struct zip;
struct zip_source;

namespace upconv::UPCONV_ABI::internal {

/// Builds one archive. The same members give the same bytes: each is dated 1980-01-01, the first
/// day that zip knows.
class ZipWriter {
 public:
  /// `what` names the archive in messages and must stay alive, as every part below.
  explicit ZipWriter(std::string_view what);

  /// Adds a deflated member made of two parts, which must stay alive until finish() returns.
  void add(const std::string& name, std::span<const std::byte> first,
           std::span<const std::byte> second);

  /// Compresses, and hands the archive over. Nothing can be added afterwards.
  Buffer finish();

 private:
  struct Discard {
    void operator()(zip* archive) const noexcept;
  };
  struct Release {
    void operator()(zip_source* source) const noexcept;
  };

  std::string_view what_;
  std::unique_ptr<zip_source, Release> bytes_;
  std::unique_ptr<zip, Discard> archive_;
};

}  // namespace upconv::UPCONV_ABI::internal
