// Values of command-line options: numbers in text, and the wording of what is wrong with one.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "upconv/error.h"

namespace upconv::tools {

/// @throws Error kInvalidArgument: `--threads is "abc"; it must be <rule>`.
[[noreturn]] inline void refuse(const std::string& option, const std::string& text,
                                const std::string& rule) {
  throw Error(ErrorKind::kInvalidArgument, option + " is \"" + text + "\"; it must be " + rule);
}

/// True when all of the text is one number that T holds.
template <typename T>
bool parse(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end;
}

}  // namespace upconv::tools
