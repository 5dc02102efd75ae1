#include "guard_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

namespace upconv::test {

namespace {

constexpr std::byte kSlack{0x5A};

std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

char current_case[1024];

void print_case_and_end(int signal) {
  // Only what a signal handler may call.
  constexpr std::string_view kWords = "\nsignal in this case: ";
  for (const std::string_view text : {kWords, std::string_view(current_case)}) {
    if (write(STDERR_FILENO, text.data(), text.size()) < 0) break;
  }
  std::signal(signal, SIG_DFL);
  raise(signal);
}

}  // namespace

GuardPages::GuardPages(std::size_t size, Edge edge, unsigned char fill)
    : accessible_(std::max((size + page_size() - 1) / page_size(), std::size_t{1}) * page_size()),
      size_(size) {
  void* memory =
      mmap(nullptr, accessible_ + 2 * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  pages_ = static_cast<std::byte*>(memory) + page_size();
  if (mprotect(pages_, accessible_, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
  data_ = edge == Edge::kBegin ? pages_ : pages_ + (accessible_ - size_);
  std::fill_n(pages_, accessible_, kSlack);
  std::memset(data_, fill, size_);
}

GuardPages::~GuardPages() { munmap(pages_ - page_size(), accessible_ + 2 * page_size()); }

void GuardPages::forbid_writes() {
  if (mprotect(pages_, accessible_, PROT_READ) != 0) fail("mprotect");
}

bool GuardPages::slack_is_whole() const {
  const auto is_slack = [](std::byte byte) { return byte == kSlack; };
  return std::all_of(pages_, data_, is_slack) &&
         std::all_of(data_ + size_, pages_ + accessible_, is_slack);
}

void name_case_for_signals(std::string_view text) {
  static const bool installed = [] {
    for (const int signal : {SIGSEGV, SIGBUS}) std::signal(signal, print_case_and_end);
    return true;
  }();
  static_cast<void>(installed);
  const std::size_t size = std::min(text.size(), sizeof current_case - 2);
  std::copy_n(text.data(), size, current_case);
  current_case[size] = '\n';
  current_case[size + 1] = '\0';
}

}  // namespace upconv::test
