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

/// Runs of y that are filled alike: rows (n, d, h), or where each has gaps and they follow one
/// another in memory as few and long ones as that gives, in pieces.
class Runs {
 public:
  Runs(const Call& call, Index pixel_bytes)
      : call_(call),
        pixel_bytes_(pixel_bytes),
        size_(static_cast<Index>(size_of(call.dtype))),
        gaps_along_w_(reached_outputs(call.axes[2]) < call.axes[2].window.output),
        adjacent_(call.y_strides[2] * size_ == pixel_bytes),
        pixels_(call.axes[2].window.output) {
    const auto follow = [&](int axis) {
      return call.y_strides[axis] * size_ == pixels_ * pixel_bytes_;
    };
    while (gaps_along_w_ && adjacent_ && outer_ > 0 && follow(outer_ - 1)) {
      pixels_ *= call.axes[--outer_].window.output;
    }
    const bool joined = outer_ < 2;
    piece_ = std::clamp<Index>((joined ? kPieceBytes : kRowBytes) / pixel_bytes, 1, pixels_);
  }

  /// Pieces, those of a run one after the other.
  Index count() const {
    Index runs = call_.batch_count();
    for (int axis = 0; axis < outer_; ++axis) runs *= call_.axes[axis].window.output;
    return runs * pieces();
  }
  bool has_gaps(Index piece) const {
    if (gaps_along_w_) return true;
    Index run = piece / pieces();
    for (int axis = outer_ - 1; axis >= 0; --axis) {
      const Index outputs = call_.axes[axis].window.output;
      if (!is_reached(call_.axes[axis], run % outputs)) return true;
      run /= outputs;
    }
    return false;
  }
  std::byte* first_pixel(Index piece) const {
    Index run = piece / pieces(), at = piece % pieces() * piece_ * call_.y_strides[2];
    for (int axis = outer_ - 1; axis >= 0; --axis) {
      const Index outputs = call_.axes[axis].window.output;
      at += run % outputs * call_.y_strides[axis];
      run /= outputs;
    }
    return call_.y + (call_.image(run).y + at) * size_;
  }
  /// Copies a piece's first pixel to its others: twice as many each time, where they are
  /// neighbours.
  void spread(Index piece) const {
    std::byte* const to = first_pixel(piece);
    const Index pixels = pixels_of(piece), step = call_.y_strides[2] * size_;
    for (Index done = 1; done < pixels;) {
      const Index more = adjacent_ ? std::min(done, pixels - done) : 1;
      std::memcpy(to + done * step, to, bytes(more));
      done += more;
    }
  }
  /// Copies pixels that are all alike, at least as many as a piece has, to a piece.
  void copy(const std::byte* pixels, Index piece) const {
    if (adjacent_) {
      std::memcpy(first_pixel(piece), pixels, bytes(pixels_of(piece)));
    } else {
      std::memcpy(first_pixel(piece), pixels, bytes(1));
      spread(piece);
    }
  }

 private:
  /// Of rows that follow one another: the first piece stays in the nearest cache. A row by itself
  /// is cut where it does not fit that: finding a piece takes 30 ns.
  static constexpr Index kPieceBytes = 6000, kRowBytes = 24000;

  Index pieces() const { return ceil_div(pixels_, piece_); }
  Index pixels_of(Index piece) const {
    return std::min(piece_, pixels_ - piece % pieces() * piece_);
  }
  std::size_t bytes(Index pixels) const { return static_cast<std::size_t>(pixels * pixel_bytes_); }

  const Call& call_;
  Index pixel_bytes_, size_;
  bool gaps_along_w_;
  bool adjacent_;  ///< the pixels of a run
  int outer_ = 2;  ///< axes that say which run
  Index pixels_;   ///< of a run
  Index piece_ = 1;
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
  const Runs runs(call, output_size * static_cast<Index>(size_of(call.dtype)));
  Index first = 0;
  while (first < runs.count() && !runs.has_gaps(first)) ++first;
  if (first == runs.count()) return;

  // One pixel as all kernels compute it, its piece, and from there the others.
  const EpilogueKernel& epilogue = *find_epilogue(call.activation.kind(), call.dtype, isa);
  std::byte* full = runs.first_pixel(first);
  Buffer<1> in = flat(bias), residual = flat(bias), out = flat(full);
  Buffer<1> offset = flat(kNoOffsets, 1);
  epilogue.function(&in.raw, &residual.raw, &offset.raw, &offset.raw, &offset.raw,
                    static_cast<std::int32_t>(output_size), 0, epilogue.p0(call.activation),
                    epilogue.p1(call.activation), &out.raw);
  runs.spread(first);

  for_each_unit(runs.count() - first - 1, threads, executor, {}, 0, [&](std::span<std::byte>) {
    return [&](Index unit) {
      const Index piece = first + 1 + unit;
      if (runs.has_gaps(piece)) runs.copy(full, piece);
    };
  });
}

}  // namespace upconv::UPCONV_ABI::internal
