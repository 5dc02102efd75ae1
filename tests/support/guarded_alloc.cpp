#include "guarded_alloc.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

#include "guard_pages.h"

namespace upconv::test {

namespace {

/// Blocks in use, by address. Never destroyed: tensors of static storage are freed after it would
/// be.
struct Blocks {
  std::mutex lock;
  std::map<void*, std::unique_ptr<GuardPages>> used;
  std::size_t count = 0;
};

Blocks& blocks() {
  static auto* const all = new Blocks;
  return *all;
}

}  // namespace

std::size_t guarded_allocations() {
  const std::lock_guard guard(blocks().lock);
  return blocks().count;
}

}  // namespace upconv::test

// The linker sends calls of f from this program's objects to __wrap_f; __real_f is f itself.
extern "C" {

void __real_free(void* memory);

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  using namespace upconv::test;
  if (size % alignment != 0) return nullptr;  // it would not end at a page
  auto block = std::make_unique<GuardPages>(size, GuardPages::Edge::kEnd, 0xFF);
  void* const memory = block->bytes().data();
  const std::lock_guard guard(blocks().lock);
  blocks().used.emplace(memory, std::move(block));
  ++blocks().count;
  return memory;
}

void __wrap_free(void* memory) {
  using namespace upconv::test;
  if (memory == nullptr) return;
  {
    const std::lock_guard guard(blocks().lock);
    if (blocks().used.erase(memory) > 0) return;
  }
  __real_free(memory);
}

}  // extern "C"
