#include "file_calls.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstddef>

namespace upconv::test {

namespace {

FileFault* current = nullptr;

}  // namespace

/// What the wrapped calls see of the fault at hand.
class FileFaultAccess {
 public:
  /// Counts a call; the fault that it has.
  static Fault enter(const char* name) {
    if (current == nullptr) return Fault::kNone;
    current->calls_.emplace_back(name);
    const bool mine = static_cast<int>(current->calls_.size()) - 1 == current->at_;
    const Fault fault = mine ? current->fault_ : Fault::kNone;
    if (fault == Fault::kKillBefore) _exit(kKilled);
    if (fault == Fault::kError) errno = current->code_;
    if (fault == Fault::kInterrupted) errno = EINTR;
    return fault;
  }

  /// Runs a call that gives -1 for an error.
  template <typename Call>
  static auto run(const char* name, Call call) -> decltype(call()) {
    const Fault fault = enter(name);
    if (fault == Fault::kError) return -1;
    // Only what may be interrupted is.
    if (fault == Fault::kInterrupted && std::string(name) == "write") return -1;
    const auto result = call();
    if (fault == Fault::kKillAfter) _exit(kKilled);
    return result;
  }

  static bool writes_one_byte() {
    return current != nullptr && current->fault_ == Fault::kShort &&
           static_cast<int>(current->calls_.size()) == current->at_;
  }
};

FileFault::FileFault(Fault fault, int at, int code) : fault_(fault), at_(at), code_(code) {
  current = this;
}

FileFault::~FileFault() { current = nullptr; }

}  // namespace upconv::test

// The linker sends calls of f from this program's objects to __wrap_f; __real_f is f itself.
extern "C" {

int __real_open(const char* path, int flags, ...);
ssize_t __real_write(int fd, const void* bytes, std::size_t size);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_rename(const char* from, const char* to);

int __wrap_open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return upconv::test::FileFaultAccess::run("open", [&] { return __real_open(path, flags, mode); });
}

ssize_t __wrap_write(int fd, const void* bytes, std::size_t size) {
  if (upconv::test::FileFaultAccess::writes_one_byte()) size = std::min<std::size_t>(size, 1);
  return upconv::test::FileFaultAccess::run("write", [&] { return __real_write(fd, bytes, size); });
}

int __wrap_fsync(int fd) {
  return upconv::test::FileFaultAccess::run("fsync", [&] { return __real_fsync(fd); });
}

int __wrap_close(int fd) {
  // An error of close still closes.
  const int result = __real_close(fd);
  return upconv::test::FileFaultAccess::run("close", [&] { return result; });
}

int __wrap_rename(const char* from, const char* to) {
  return upconv::test::FileFaultAccess::run("rename", [&] { return __real_rename(from, to); });
}

}  // extern "C"
