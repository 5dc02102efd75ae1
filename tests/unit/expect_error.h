// What a test says about an error: its kind, and words its message must hold.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "upconv/error.h"

namespace upconv {

/// Runs `body`, which must throw an Error of that kind whose message is one line and holds `words`.
template <typename Body>
void expect_error(ErrorKind kind, std::initializer_list<std::string_view> words, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), kind) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string_view word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
    }
    return;
  }
  ADD_FAILURE() << "no Error was thrown";
}

}  // namespace upconv
