#include "gaps.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "kernel_buffer.h"
#include "kernel_table.h"
#include "units.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// A smaller y stays in a near cache while all its phases pass.
constexpr Index kLeastBytes = 1 << 17;

/// Some tap reaches output `o`.
bool is_reached(const CallAxis& axis, Index o) {
  const Index z = o + axis.window.offset, stride = axis.phases->stride();
  const Index q = floor_div(z, stride), step = axis.phases->input_step();
  const Phase phase = axis.phases->phase(z - q * stride);
  // Tap j reads input q - origin - j * step.
  const Index first = std::max<Index>(0, floor_div(q - phase.origin - axis.input, step) + 1);
  const Index last = std::min(phase.taps - 1, floor_div(q - phase.origin, step));
  return first <= last;
}

Index output_bytes(const Call& call, Index output_size) {
  Index bytes = output_size * static_cast<Index>(size_of(call.dtype)) * call.batch_count();
  for (const CallAxis& axis : call.axes) bytes *= axis.window.output;
  return bytes;
}

/// Rows (n, d, h) of y.
class Rows {
 public:
  Rows(const Call& call, Index pixel_bytes)
      : call_(call),
        pixel_bytes_(static_cast<std::size_t>(pixel_bytes)),
        size_(static_cast<Index>(size_of(call.dtype))),
        gaps_along_w_(reached_outputs(call.axes[2]) < call.axes[2].window.output),
        adjacent_(call.y_strides[2] * size_ == pixel_bytes) {}

  Index count() const {
    return call_.batch_count() * call_.axes[0].window.output * call_.axes[1].window.output;
  }
  bool has_gaps(Index row) const {
    const Index h = row % call_.axes[1].window.output;
    const Index d = row / call_.axes[1].window.output % call_.axes[0].window.output;
    return gaps_along_w_ || !is_reached(call_.axes[0], d) || !is_reached(call_.axes[1], h);
  }
  std::byte* first_pixel(Index row) const {
    const Index h = row % call_.axes[1].window.output;
    row /= call_.axes[1].window.output;
    const Index d = row % call_.axes[0].window.output;
    const Index at = call_.image(row / call_.axes[0].window.output).y + d * call_.y_strides[0] +
                     h * call_.y_strides[1];
    return call_.y + at * size_;
  }
  /// Copies the first pixel of a row to all others.
  void spread(std::byte* row) const {
    for (Index w = 1; w < call_.axes[2].window.output; ++w) {
      std::memcpy(row + w * call_.y_strides[2] * size_, row, pixel_bytes_);
    }
  }
  /// Copies a row of equal pixels to another.
  void copy(const std::byte* full, std::byte* row) const {
    if (adjacent_) {
      const auto pixels = static_cast<std::size_t>(call_.axes[2].window.output);
      std::memcpy(row, full, pixels * pixel_bytes_);
    } else {
      std::memcpy(row, full, pixel_bytes_);
      spread(row);
    }
  }

 private:
  const Call& call_;
  std::size_t pixel_bytes_;
  Index size_;
  bool gaps_along_w_;
  bool adjacent_;  ///< the pixels of a row
};

}  // namespace

bool gaps_pay(double bytes, double reached) {
  return bytes >= static_cast<double>(kLeastBytes) && reached <= kMostReached;
}

bool gaps_pay(const Call& call, Index output_size) {
  if (call.residual != nullptr) return false;
  double share = 1;
  for (const CallAxis& axis : call.axes) {
    share *= static_cast<double>(reached_outputs(axis)) / static_cast<double>(axis.window.output);
  }
  return gaps_pay(static_cast<double>(output_bytes(call, output_size)), share);
}

void fill_gaps(const Call& call, Index output_size, Isa isa, const std::byte* bias, int threads,
               Executor* executor) {
  const Rows rows(call, output_size * static_cast<Index>(size_of(call.dtype)));
  Index first = 0;
  while (first < rows.count() && !rows.has_gaps(first)) ++first;
  if (first == rows.count()) return;

  // One pixel as all kernels compute it, its row, and from there the others.
  const EpilogueKernel& epilogue = *find_epilogue(call.activation.kind(), call.dtype, isa);
  std::byte* full = rows.first_pixel(first);
  Buffer<1> in = flat(bias), residual = flat(bias), out = flat(full);
  Buffer<1> offset = flat(kNoOffsets, 1);
  epilogue.function(&in.raw, &residual.raw, &offset.raw, &offset.raw, &offset.raw,
                    static_cast<std::int32_t>(output_size), 0, epilogue.p0(call.activation),
                    epilogue.p1(call.activation), &out.raw);
  rows.spread(full);

  for_each_unit(rows.count() - first - 1, threads, executor, {}, 0, [&](std::span<std::byte>) {
    return [&](Index unit) {
      const Index row = first + 1 + unit;
      if (rows.has_gaps(row)) rows.copy(full, rows.first_pixel(row));
    };
  });
}

}  // namespace upconv::UPCONV_ABI::internal
