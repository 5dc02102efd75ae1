// The calls by which the library writes a file, made to fail or to be the last of the process. The
// program that links file_calls.cpp is linked with --wrap= for each of them (tests/CMakeLists.txt).
#pragma once

#include <string>
#include <vector>

namespace upconv::test {

/// What happens at one of the calls.
enum class Fault {
  kNone,
  kError,        ///< it fails, with `code`
  kShort,        ///< a write takes one byte only
  kInterrupted,  ///< it fails with EINTR, once
  kKillBefore,   ///< the process ends instead
  kKillAfter,    ///< the process ends right behind it
};

/// While it lives, calls are counted and named, and call number `at`, from 0, has the fault.
class FileFault {
 public:
  explicit FileFault(Fault fault = Fault::kNone, int at = 0, int code = 0);
  FileFault(const FileFault&) = delete;
  FileFault& operator=(const FileFault&) = delete;
  ~FileFault();

  /// "open", "write", "fsync", "close", "rename", in their order.
  const std::vector<std::string>& calls() const { return calls_; }

 private:
  friend class FileFaultAccess;
  std::vector<std::string> calls_;
  Fault fault_;
  int at_;
  int code_;
};

/// The exit status of a process that was ended.
inline constexpr int kKilled = 99;

}  // namespace upconv::test
