// The orders in which libraries keep a kernel's axes.
#pragma once

#include <string>

#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

enum class KernelOrder {
  kOurs,              ///< [filter..., input, output]
  kOutputInputLast,   ///< [filter..., output, input]
  kInputOutputFirst,  ///< [input, output, filter...]
  kOutputInputFirst,  ///< [output, input, filter...]
};

/// The axes of our kernel, by number, in that order: entry a is which of them stands at a.
Dims axes_in(KernelOrder order, std::size_t rank);

/// `[product of all but the last axis, last axis]`: a kernel as TFP 0.25 holds it.
Dims flat_shape(const Dims& shape);

/// "; it would fit as ..." when a shape is that of a kernel (`kernel_shape`, ours) in an order that
/// others use; else nothing.
std::string other_order(const Dims& shape, const Dims& kernel_shape);

}  // namespace upconv::UPCONV_ABI::internal
