// A lowered pipeline whose allocations are in memory that the caller has.
#pragma once

#include <string>

#include "Halide.h"
#include "upconv/shape.h"

namespace upconv::compiler {

/// A statement without allocations on the heap.
struct WithoutHeap {
  Halide::Internal::Stmt body = {};
  Index bytes = 0;  ///< that `base` must have
};

/// Bytes that begin at multiples of this, as vectors of every target may ask for.
inline constexpr Index kHeapAlignment = 128;

/// What the heap would hold is from `base` on, a pointer aligned to kHeapAlignment.
/// @throws Error kUnsupported for an allocation whose size is not constant
WithoutHeap without_heap(const Halide::Internal::Stmt& body, const std::string& base);

}  // namespace upconv::compiler
