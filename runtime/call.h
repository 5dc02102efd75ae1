// One call of a layer, as the kernels see it: strided views, windows and packed weights, no options.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "packing.h"
#include "phases.h"
#include "upconv/activation.h"
#include "upconv/executor.h"

namespace upconv::internal {

/// One batch axis: its extent and the strides, in elements, of the three views.
struct BatchAxis {
  Index extent = 1;
  Index x = 0, y = 0, residual = 0;
};

/// Everything about a call, validated. Spatial axes are d, h, w; those beyond the layer's rank have
/// one input and one tap. Channels are contiguous in all views.
struct Call {
  const Packed* packed = nullptr;
  Activation activation;  ///< not kCallable
  CallAxis axes[3];
  Index x_strides[3] = {}, y_strides[3] = {}, residual_strides[3] = {};
  BatchAxis batch[kMaxAxes];  ///< slowest first
  std::size_t batch_axes = 0;
  const std::byte* x = nullptr;
  const std::byte* residual = nullptr;  ///< null: none
  std::byte* y = nullptr;

  /// Product of the batch extents.
  Index batch_count() const;
};

/// Bytes of scratch that one thread needs; a few tens of KiB, whatever the extents and taps.
std::size_t scratch_bytes_per_thread(const PackedLayout& layout);

/// @throws Error kLimitExceeded when the taps of one output reach over more of x than the kernels'
///         32-bit steps.
void check_tap_reach(const Call& call, const std::string& label);

/// Computes the call on `threads` threads, with threads * scratch_bytes_per_thread() bytes of 64-byte
/// aligned scratch. The result is bitwise the same for every number of threads. Does not throw when
/// threads is 1; may throw what the executor throws.
void run(const Call& call, int threads, Executor* executor, std::span<std::byte> scratch);

}  // namespace upconv::internal
