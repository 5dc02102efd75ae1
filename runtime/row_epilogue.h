// Activation and residual over rows of y that are computed otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "chunk.h"
#include "kernel_table.h"

namespace upconv::UPCONV_ABI::internal {

/// For rows of as many pixels, with the same steps.
class RowEpilogue {
 public:
  /// @param step_y, step_r from pixel to pixel in y and the residual, in elements
  RowEpilogue(const EpilogueKernel& kernel, const Activation& activation, Index pixels,
              Index channels, Index step_y, Index step_r, bool residual);

  /// @param y, residual the row's first pixel; residual null where there is none
  void run(std::byte* y, const std::byte* residual) const;

 private:
  const EpilogueKernel& kernel_;
  double p0_, p1_;
  Index pixels_, run_;  ///< calls' pixels, and the elements of each
  Index step_y_, step_r_;
  Index size_;
  Index most_;  ///< pixels of a call
  std::array<std::int32_t, kTablePixels> pixel_y_, pixel_r_;
};

}  // namespace upconv::UPCONV_ABI::internal
