// The JSON of a .safetensors header, read strictly and without recursion: strings, integers, and
// objects and lists of a fixed shape. There is no general parser to attack.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// A place in a header, and what may stand there. Every method skips white space first.
/// All @throws Error kCorruptFile, kLimitExceeded for a number over 63 bits.
class JsonReader {
 public:
  JsonReader(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  /// Takes a character if it is next.
  bool take(char wanted);
  /// @param thing says what must be there: "a ':' after a key".
  void expect(char wanted, std::string_view thing);
  /// A string, its escapes resolved. @param thing as "a tensor's name".
  std::string string(std::string_view thing);
  /// [1, 2, 3]: integers from 0, without fractions and exponents.
  std::vector<Index> integers(std::string_view thing);
  /// Nothing but white space may be left.
  void expect_end();
  /// "'x' at byte 12" or "nothing at byte 12".
  std::string here() const;

 private:
  void skip_spaces();
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  Index integer(std::string_view thing);
  void escape(std::string& out, std::string_view thing);
  char32_t code_unit(std::string_view thing);
  [[noreturn]] void corrupt(const std::string& text) const;

  std::string_view text_;
  std::string_view what_;
  std::size_t at_ = 0;
};

}  // namespace upconv::UPCONV_ABI::internal
