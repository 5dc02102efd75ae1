// Memory that the program provides: an arena for packed weights, one for what a call needs, and a
// call that is given everything and allocates nothing. build/bin/upconv_own_memory prints how much.
#include <upconv/upconv.h>

#include <cstddef>
#include <iostream>
#include <memory_resource>
#include <span>
#include <vector>

namespace {

constexpr std::size_t kScratchAlignment = 64;

/// Stands for the program's own allocator: counts what it hands out and what is in use.
class Arena final : public std::pmr::memory_resource {
 public:
  std::size_t handed_out = 0;
  std::size_t in_use = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    handed_out += bytes;
    in_use += bytes;
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    in_use -= bytes;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

int main() {
  using namespace upconv;
  Arena weights, calls;
  {
    const ConvolutionTranspose2D up({.input_size = 64,
                                     .output_size = 32,
                                     .filter_shape = 4,
                                     .strides = 2,
                                     .padding = "SAME",
                                     .memory = &weights});
    std::cout << "packed weights: " << weights.in_use << " bytes\n";
    const Tensor x = initializers::normal()({1, 8, 8, 64}, DType::kFloat32);

    // The result and the scratch come from the program's memory.
    const Tensor y = up(x, {.memory = &calls});
    std::cout << "one call: " << calls.handed_out << " bytes, of which " << calls.in_use
              << " are its result\n";

    // Given both, a call allocates nothing at all. How much scratch it takes depends on the
    // processor.
    const std::size_t bytes = up.scratch_bytes(x.shape());
    auto* const scratch = static_cast<std::byte*>(
        std::pmr::new_delete_resource()->allocate(bytes, kScratchAlignment));
    std::vector<float> result(static_cast<std::size_t>(y.size()));
    const std::size_t before = calls.handed_out;
    up(x, TensorView(result, y.shape()), {.scratch = std::span(scratch, bytes), .memory = &calls});
    std::pmr::new_delete_resource()->deallocate(scratch, bytes, kScratchAlignment);
    if (calls.handed_out != before) return 1;
  }
  std::cout << "in use at the end: " << weights.in_use + calls.in_use << " bytes\n";
  return weights.in_use + calls.in_use == 0 ? 0 : 1;
}
