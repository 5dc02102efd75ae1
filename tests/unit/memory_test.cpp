// Memory of the caller's: where tensors, calls and packed weights are.
#include <gtest/gtest.h>

#include <cstring>
#include <memory_resource>
#include <optional>
#include <utility>

#include "upconv/upconv.h"

namespace upconv {
namespace {

/// Counts bytes; may refuse.
class Counting final : public std::pmr::memory_resource {
 public:
  std::size_t in_use = 0;
  std::size_t allocations = 0;
  bool refuses = false;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (refuses) throw std::bad_alloc();
    EXPECT_EQ(alignment, 64U);
    in_use += bytes;
    ++allocations;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    in_use -= bytes;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

TEST(Memory, OfATensorGoesWithMovesAndNotWithCopies) {
  Counting memory;
  {
    Tensor tensor(DType::kFloat32, {20}, &memory);
    EXPECT_EQ(memory.in_use, 128U);  // whole cache lines
    std::memset(tensor.data(), 0, 80);
    const Tensor copy = tensor;
    EXPECT_EQ(memory.allocations, 1U);
    const Tensor moved = std::move(tensor);
    EXPECT_EQ(memory.in_use, 128U);
    tensor = Tensor::copy_of(copy, &memory);
    EXPECT_EQ(memory.in_use, 256U);
    tensor = Tensor(DType::kFloat32, {1});  // the heap's, in its place
    EXPECT_EQ(memory.in_use, 128U);
    EXPECT_EQ(Tensor::cast(copy, DType::kFloat64, &memory).size(), 20);
    EXPECT_EQ(memory.in_use, 128U);
  }
  EXPECT_EQ(memory.in_use, 0U);
}

TEST(Memory, OfTheCallersIsWhatCallsAndLayersUse) {
  for (const Index outputs : {1, 20}) {  // narrow and wide
    Counting weights, calls;
    {
      ConvolutionTranspose layer({.input_size = 3,
                                  .output_size = outputs,
                                  .filter_shape = 4,
                                  .strides = 2,
                                  .activation_fn = "tanh",
                                  .memory = &weights});
      EXPECT_EQ(weights.allocations > 0, true);
      EXPECT_GE(weights.in_use, layer.packed_bytes());
      const Tensor x = initializers::normal()({2, 5, 3, 6}, DType::kFloat32);
      // A view whose channels are not contiguous is copied, too.
      const ConstTensorView turned(x.data(), x.dtype(), {2, 5, 6, 3}, {90, 18, 1, 6});
      const Tensor plain = layer(turned);
      EXPECT_EQ(calls.allocations, 0U);
      const Tensor y = layer(turned, {.memory = &calls});
      EXPECT_EQ(calls.allocations, 3U) << "the result, scratch and the copy";
      EXPECT_LT(calls.in_use, static_cast<std::size_t>(y.size()) * 4 + 64);
      EXPECT_EQ(std::memcmp(y.data(), plain.data(), static_cast<std::size_t>(y.size()) * 4), 0);

      const std::size_t packed = weights.in_use;
      layer.kernel().assign(Tensor::zeros(DType::kFloat32, layer.kernel().shape()));
      layer.bias().assign(Tensor::zeros(DType::kFloat32, {outputs}));
      EXPECT_EQ(weights.in_use, packed);
      for (const Isa isa : runnable_isas()) layer(turned, {.isa = isa});
      EXPECT_EQ(layer.packed_bytes() > 0, true);
    }
    EXPECT_EQ(weights.in_use, 0U);
    EXPECT_EQ(calls.in_use, 0U);
  }
}

TEST(Memory, WhatItThrowsPassesThroughAndNothingIsWritten) {
  Counting memory;
  ConvolutionTransposeOptions options{
      .input_size = 3, .output_size = 4, .filter_shape = 2, .memory = &memory};
  std::optional<ConvolutionTranspose> layer(options);
  memory.refuses = true;
  EXPECT_THROW(layer->kernel().assign(layer->kernel()), std::bad_alloc);
  const Tensor x = Tensor::zeros(DType::kFloat32, {2, 2, 3});
  EXPECT_THROW((*layer)(x, {.memory = &memory}), std::bad_alloc);
  EXPECT_EQ((*layer)(x).size(), 3 * 3 * 4);
  EXPECT_THROW(ConvolutionTranspose{options}, std::bad_alloc);
  layer.reset();
  EXPECT_EQ(memory.in_use, 0U);
}

}  // namespace
}  // namespace upconv
