#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

namespace upconv::UPCONV_ABI::internal {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostPerCall = std::size_t{1} << 30;  // Linux moves at most 2 GiB a call

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const noexcept { return fd_; }
  bool valid() const noexcept { return fd_ >= 0; }
  /// Closes now, for the error code: on network file systems it is the last chance to get one.
  int close() noexcept { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

/// Removes the temporary file unless it has been renamed.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!renamed_) ::unlink(path_.c_str());
  }

  const fs::path& path() const noexcept { return path_; }
  void mark_renamed() noexcept { renamed_ = true; }

 private:
  fs::path path_;
  bool renamed_ = false;
};

[[noreturn]] void fail_io(const fs::path& path, std::string_view verb, int code) {
  if (code == ENOMEM) throw std::bad_alloc();  // reported as kOutOfMemory by the caller
  fail(ErrorKind::kIo, printable(path),
       "cannot " + std::string(verb) + ": " + std::generic_category().message(code));
}

/// Fills `bytes` as far as the file goes; returns how far that was.
std::size_t read_all(const fs::path& path, int fd, std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::read(fd, bytes.data() + done, std::min(bytes.size() - done, kMostPerCall));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(path, "read", errno);
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void write_all(const fs::path& path, int fd, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put =
        ::write(fd, bytes.data() + done, std::min(bytes.size() - done, kMostPerCall));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_io(path, "write", errno);
    done += static_cast<std::size_t>(put);
  }
}

/// A new file in `directory`. The mode is left to the umask, as for any new file; mkstemp would
/// make the result private. The name does not grow with the target's, which may be NAME_MAX long.
std::pair<fs::path, int> create_temporary(const fs::path& directory) {
  static std::atomic<unsigned> next{0};
  while (true) {
    fs::path path = directory / (".upconv-" + std::to_string(::getpid()) + "-" +
                                 std::to_string(next.fetch_add(1)) + ".tmp");
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    // Moved: were memory to run out here, nobody would remove the file.
    if (fd >= 0 || errno != EEXIST) return {std::move(path), fd};
  }
}

/// The file that is to be replaced: `path`, or what it links to.
fs::path resolve_target(const fs::path& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return path;
    fail_io(path, "write", errno);
  }
  // Renaming over a device such as /dev/null would replace the device.
  if (!S_ISREG(status.st_mode)) {
    fail(ErrorKind::kIo, printable(path),
         S_ISDIR(status.st_mode) ? "is a directory; the output must be a file"
                                 : "is not a regular file; the output is written by rename");
  }
  std::error_code error;
  fs::path target = fs::canonical(path, error);
  if (error) fail_io(path, "write", error.value());
  return target;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char character : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7f) {
      out += character;
    } else {
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return text.size() > most ? out + "..." : out;
}

std::string printable(const fs::path& path) {
  // The whole path, and its UTF-8 untouched: only what would break the line is escaped.
  std::string out;
  for (const char character : path.native()) {
    const auto byte = static_cast<unsigned char>(character);
    out += byte < 0x20 || byte == 0x7f ? printable(std::string_view(&character, 1))
                                       : std::string(1, character);
  }
  return out;
}

void fail(ErrorKind kind, std::string_view what, std::string_view text) {
  throw Error(kind, std::string(what) + ": " + std::string(text));
}

Buffer read_file(const fs::path& path, std::uint64_t most) {
  // O_NONBLOCK: opening a FIFO that nobody writes to must not hang; it has no effect on files.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) fail_io(path, "open", errno);
  struct stat status;
  if (::fstat(file.get(), &status) != 0) fail_io(path, "read", errno);
  if (!S_ISREG(status.st_mode)) {
    fail(ErrorKind::kIo, printable(path),
         S_ISDIR(status.st_mode) ? "is a directory; it must be a file"
                                 : "is not a regular file; pipes and devices cannot be read");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > most) {
    fail(ErrorKind::kLimitExceeded, printable(path),
         "size is " + std::to_string(size) + " bytes; the limit is " + std::to_string(most));
  }
  Buffer buffer(static_cast<std::size_t>(size));
  const std::size_t got = read_all(path, file.get(), buffer.bytes());
  std::byte beyond;
  if (got < size || read_all(path, file.get(), {&beyond, 1}) != 0) {
    fail(ErrorKind::kIo, printable(path),
         "size was " + std::to_string(size) +
             " bytes when it was opened; it changed while it was read");
  }
  return buffer;
}

void write_file(const fs::path& path, std::span<const std::span<const std::byte>> parts) {
  const fs::path target = resolve_target(path);
  const fs::path directory = target.has_parent_path() ? target.parent_path() : fs::path(".");
  auto [name, fd] = create_temporary(directory);
  if (fd < 0) fail_io(path, "write", errno);
  Descriptor file(fd);
  Temporary temporary(std::move(name));
  for (const std::span<const std::byte> part : parts) write_all(path, file.get(), part);
  // Without this a power cut after the rename can leave an empty file under the final name. Some
  // file systems have no fsync and say EINVAL.
  if (::fsync(file.get()) != 0 && errno != EINVAL) fail_io(path, "write", errno);
  if (file.close() != 0) fail_io(path, "write", errno);
  if (::rename(temporary.path().c_str(), target.c_str()) != 0) fail_io(path, "rename", errno);
  temporary.mark_renamed();
  // The new name itself reaches the disk with its directory. The file is whole whether this works
  // or not, so there is no error to report.
  const Descriptor parent(::open(directory.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (parent.valid()) ::fsync(parent.get());
}

}  // namespace upconv::UPCONV_ABI::internal
