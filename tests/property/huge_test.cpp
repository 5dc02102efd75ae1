// Tensors of more than 2^31 elements simply work. Their addresses are real, their pages are not:
// nearly all of them are the same two MiB of memory, and windows at both ends and at element 2^31
// have memory of their own.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::size_t kWindow = std::size_t{2} << 20;
constexpr Index kOver = (Index{1} << 31) + 96;

/// `count` floats, all `fill`, of which those in a window stand for themselves.
class RepeatedPages {
 public:
  RepeatedPages(Index count, float fill)
      : bytes_((static_cast<std::size_t>(count) * sizeof(float) + kWindow - 1) / kWindow *
               kWindow) {
    const int file = memfd_create("upconv_huge", 0);
    void* memory =
        mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    usable_ = file >= 0 && ftruncate(file, kWindow) == 0 && memory != MAP_FAILED;
    if (!usable_) return;
    memory_ = static_cast<std::byte*>(memory);
    constexpr int kAccess = PROT_READ | PROT_WRITE;
    for (std::size_t at = 0; at < bytes_ && usable_; at += kWindow) {
      usable_ = mmap(memory_ + at, kWindow, kAccess, MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED;
    }
    close(file);
    std::fill_n(data(), kWindow / sizeof(float), fill);
    for (const Index element : {Index{0}, Index{1} << 31, count - 1}) {
      std::byte* const window = memory_ + at_of(element);
      usable_ = usable_ && mmap(window, kWindow, kAccess, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                                -1, 0) != MAP_FAILED;
      if (!usable_) return;
      std::fill_n(reinterpret_cast<float*>(window), kWindow / sizeof(float), fill);
    }
  }
  RepeatedPages(const RepeatedPages&) = delete;
  RepeatedPages& operator=(const RepeatedPages&) = delete;
  ~RepeatedPages() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
  }

  bool usable() const { return usable_; }
  float* data() const { return reinterpret_cast<float*>(memory_); }
  /// Whether all floats of [begin, end) that are in the same window as `element` are `value`.
  bool window_is(Index element, Index end, float value) const {
    const Index first = static_cast<Index>(at_of(element) / sizeof(float));
    const Index last = std::min(end, first + static_cast<Index>(kWindow / sizeof(float)));
    return std::all_of(data() + first, data() + last, [=](float have) { return have == value; });
  }

 private:
  static std::size_t at_of(Index element) {
    return static_cast<std::size_t>(element) * sizeof(float) / kWindow * kWindow;
  }

  std::size_t bytes_;
  std::byte* memory_ = nullptr;
  bool usable_ = false;
};

class Huge : public testing::TestWithParam<Isa> {
 protected:
  /// Each output is the sum of the pixel's inputs.
  static ConvolutionTranspose sums(Index input_size, Index output_size) {
    return ConvolutionTranspose({.input_size = input_size,
                                 .output_size = output_size,
                                 .filter_shape = 1,
                                 .rank = 1,
                                 .init_kernel_fn = initializers::ones(),
                                 .arithmetic = Arithmetic::kDirect,
                                 .isa = GetParam()});
  }

  /// One pixel of ones, everywhere, into an output of more than 2^31 elements.
  static void expect_output(Index channels) {
    const Index pixels = kOver / channels + 1, count = pixels * channels;
    const RepeatedPages y(count, -1);
    if (!y.usable()) GTEST_SKIP() << "8 GiB of addresses are not to be had";
    const ConvolutionTranspose layer = sums(1, channels);
    const float one = 1;
    layer(ConstTensorView(&one, {pixels, 1}, {0, 1}), TensorView(y.data(), {pixels, channels}));
    for (const Index element : {Index{0}, Index{1} << 31, count - 1}) {
      EXPECT_TRUE(y.window_is(element, count, 1)) << "around element " << element;
    }
  }
};

TEST_P(Huge, OutputOfManyChannels) { expect_output(32); }

TEST_P(Huge, OutputOfFewChannels) {
  ASSERT_EQ(sums(1, 3).kernel_choice({kOver / 3 + 1, 1}).strategy, "narrow");
  expect_output(3);
}

TEST_P(Huge, Input) {
  for (const Index outputs : {1, 24}) {
    constexpr Index kChannels = 64;
    const Index pixels = kOver / kChannels + 1, count = pixels * kChannels;
    const RepeatedPages x(count, 1);
    if (!x.usable()) GTEST_SKIP() << "8 GiB of addresses are not to be had";
    std::fill_n(x.data(), kChannels, 2.0F);
    std::fill_n(x.data() + count - kChannels, kChannels, 3.0F);
    const Tensor y = sums(kChannels, outputs)(ConstTensorView(x.data(), {pixels, kChannels}));
    const auto values = y.values<float>();
    for (Index c = 0; c < outputs; ++c) {
      EXPECT_EQ(values[static_cast<std::size_t>(c)], 2 * kChannels);
      EXPECT_EQ(values[static_cast<std::size_t>(outputs + c)], kChannels);
      EXPECT_EQ(values[static_cast<std::size_t>(y.size() - 1 - c)], 3 * kChannels);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Huge, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
