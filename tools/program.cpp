#include "program.h"

#include <exception>
#include <iostream>
#include <new>

#include "upconv/error.h"

namespace upconv::tools {

namespace {

int exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
    case ErrorKind::kShapeMismatch:
    case ErrorKind::kUnsupported:
    case ErrorKind::kLimitExceeded:
      return kUsage;
    case ErrorKind::kCorruptFile:
    case ErrorKind::kTruncated:
    case ErrorKind::kIo:
    case ErrorKind::kOutOfMemory:
      return kFailed;
  }
  return kFailed;
}

}  // namespace

int report(const std::string& program, const std::string& text, int status) {
  std::string line = program + ": error: ";
  for (const char c : text) line += (c >= 0 && c < ' ') || c == '\x7f' ? ' ' : c;
  std::cerr << line << '\n';
  return status;
}

int run_program(const std::string& program, const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    return report(program, error.what(), exit_status(error.kind()));
  } catch (const std::bad_alloc&) {
    return report(program, "there is not enough memory", kFailed);
  } catch (const std::exception& error) {
    return report(program, error.what(), kFailed);
  }
}

}  // namespace upconv::tools
