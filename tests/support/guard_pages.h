// Memory between pages that no code may touch: one byte too far, read or written, is a signal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace upconv::test {

/// Exactly `size` bytes that begin right behind an inaccessible page or end right before one. The
/// rest of the last page holds a pattern that shows writes.
class GuardPages {
 public:
  enum class Edge {
    kBegin,  ///< the first byte is the first of a page
    kEnd,    ///< the last byte is the last of a page
  };

  /// @param fill every byte.
  /// @throws std::system_error when the system refuses the pages.
  GuardPages(std::size_t size, Edge edge, unsigned char fill);
  GuardPages(const GuardPages&) = delete;
  GuardPages& operator=(const GuardPages&) = delete;
  ~GuardPages();

  std::span<std::byte> bytes() const { return {data_, size_}; }
  /// From now on a write is a signal, too.
  void forbid_writes();
  /// Whether nothing was written between the bytes and the inaccessible page on their other side.
  bool slack_is_whole() const;

 private:
  std::byte* pages_ = nullptr;  ///< the first accessible page
  std::size_t accessible_ = 0;  ///< bytes of accessible pages
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// What a signal because of such a page prints before the process ends: the case at hand.
void name_case_for_signals(std::string_view text);

}  // namespace upconv::test
