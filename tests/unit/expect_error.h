// What a test says about an error: its kind, and words its message must hold.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "errors.h"

namespace upconv {

/// Runs `body`, which must throw an Error of that kind whose message is one line and holds `words`.
template <typename Body>
void expect_error(ErrorKind kind, std::initializer_list<std::string_view> words, Body&& body) {
  const auto [got, message] = test::error_of(body);
  EXPECT_EQ(got, kind) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const std::string_view word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
  }
}

}  // namespace upconv
