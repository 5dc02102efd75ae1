#include "row_epilogue.h"

#include <algorithm>
#include <cstdlib>

#include "kernel_buffer.h"

namespace upconv::UPCONV_ABI::internal {

RowEpilogue::RowEpilogue(const EpilogueKernel& kernel, const Activation& activation, Index pixels,
                         Index channels, Index step_y, Index step_r, bool residual)
    : kernel_(kernel),
      p0_(kernel.p0(activation)),
      p1_(kernel.p1(activation)),
      step_y_(step_y),
      step_r_(step_r),
      size_(static_cast<Index>(size_of(kernel.dtype))) {
  // Rows without gaps are one long pixel; else as many pixels at a time as offsets reach.
  const bool dense = step_y == channels && (!residual || step_r == channels);
  pixels_ = dense ? 1 : pixels;
  run_ = dense ? pixels * channels : channels;
  const Index furthest = std::max({std::abs(step_y), std::abs(step_r), Index{1}});
  most_ = std::clamp<Index>(kLargestOffset / furthest, 1, kTablePixels);
  for (Index p = 0; p < std::min(pixels_, most_); ++p) {
    pixel_y_[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(p * step_y);
    pixel_r_[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(p * step_r);
  }
}

void RowEpilogue::run(std::byte* y, const std::byte* residual) const {
  for (Index first = 0; first < pixels_; first += most_) {
    const Index count = std::min(most_, pixels_ - first);
    std::byte* to = y + first * step_y_ * size_;
    const std::byte* added = residual != nullptr ? residual + first * step_r_ * size_ : to;
    Buffer<1> y_buffer = flat(to), r_buffer = flat(added);
    Buffer<1> py = flat(pixel_y_.data(), count), pr = flat(pixel_r_.data(), count);
    kernel_.function(&y_buffer.raw, &r_buffer.raw, &py.raw, &pr.raw, &py.raw,
                     static_cast<std::int32_t>(run_), residual != nullptr ? 1 : 0, p0_, p1_,
                     &y_buffer.raw);
  }
}

}  // namespace upconv::UPCONV_ABI::internal
