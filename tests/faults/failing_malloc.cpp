#include "failing_malloc.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <limits>

// The C library's own, under the names by which replacements may call them.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
}

namespace upconv::test {

namespace {

constexpr long kNever = std::numeric_limits<long>::max();

std::atomic<long> made{0};
std::atomic<long> in_use{0};
std::atomic<long> fails_at{kNever};
std::atomic<bool> fails_on{false};
std::atomic<bool> has_failed{false};

/// Counts an allocation; true when it is one that fails.
bool fails() {
  const long mine = made.fetch_add(1);
  const long first = fails_at.load();
  if (mine != first && (!fails_on.load() || mine < first)) return false;
  has_failed = true;
  errno = ENOMEM;
  return true;
}

void* counted(void* memory) {
  if (memory != nullptr) ++in_use;
  return memory;
}

}  // namespace

FailingMalloc::FailingMalloc(long first, bool and_later) {
  has_failed = false;
  fails_on = and_later;
  fails_at = made.load() + first;
}

FailingMalloc::~FailingMalloc() {
  fails_on = false;
  fails_at = kNever;
}

bool FailingMalloc::failed() { return has_failed; }

long blocks_in_use() { return in_use; }

long allocations() { return made; }

}  // namespace upconv::test

// The C library's headers have other names for the parameters.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
extern "C" {

void* malloc(std::size_t size) {
  return upconv::test::fails() ? nullptr : upconv::test::counted(__libc_malloc(size));
}

void* calloc(std::size_t count, std::size_t size) {
  return upconv::test::fails() ? nullptr : upconv::test::counted(__libc_calloc(count, size));
}

void* realloc(void* memory, std::size_t size) {
  if (upconv::test::fails()) return nullptr;
  void* const moved = __libc_realloc(memory, size);
  if (memory == nullptr) upconv::test::counted(moved);
  return moved;
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return upconv::test::fails() ? nullptr : upconv::test::counted(__libc_memalign(alignment, size));
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = aligned_alloc(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

void free(void* memory) {
  if (memory == nullptr) return;
  --upconv::test::in_use;
  __libc_free(memory);
}

}  // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
