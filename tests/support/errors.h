// The Error that some code throws, as plain data.
#pragma once

#include <optional>
#include <string>

#include "upconv/error.h"

namespace upconv::test {

/// `kind` is empty when nothing was thrown.
struct Caught {
  std::optional<ErrorKind> kind;
  std::string text = "no error";
};

/// The Error that `body` throws; anything else that it throws passes.
template <typename Body>
Caught error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {};
}

}  // namespace upconv::test
