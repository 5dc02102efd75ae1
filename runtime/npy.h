// The header of a .npy file: what it declares, and how one is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "upconv/npz.h"

namespace upconv::UPCONV_ABI::internal {

/// What a .npy header says about the bytes that follow it.
struct NpyHeader {
  DType dtype;
  bool swapped;         ///< elements are in the other byte order than this machine's
  bool fortran_order;   ///< first axis fastest
  Dims shape;           ///< any product of extents x size_of(dtype) fits 63 bits
  std::size_t payload;  ///< offset of the first element
};

/// Parses a header strictly: nothing is evaluated, searched for or guessed.
/// @throws Error kTruncated, kCorruptFile, kUnsupported, kLimitExceeded.
NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view what,
                           const FileLimits& limits);

/// The element type that a descr such as "<f4" names.
struct NpyElement {
  DType dtype;
  bool swapped;
};

/// @throws Error kUnsupported with the dtype's name for what NumPy has and Upconv has not,
///         kCorruptFile for what is no descr at all.
NpyElement parse_npy_descr(std::string_view descr, std::string_view what);

/// Magic, version 1.0, and the header NumPy itself would write for a C-order array.
std::string npy_header(DType dtype, const Dims& shape);

/// A view and all that goes into its file: the header and the elements in C order, which are
/// copied only where the view has gaps.
class NpyImage {
 public:
  /// @throws Error kInvalidArgument for a view of elements without memory; kOutOfMemory.
  NpyImage(const ConstTensorView& view, std::string_view what);
  NpyImage(NpyImage&&) = default;  // not copied: the payload may be the elements of its own copy
  NpyImage& operator=(NpyImage&&) = default;

  std::span<const std::byte> header() const noexcept;
  std::span<const std::byte> payload() const noexcept { return payload_; }

 private:
  std::string header_;
  Tensor copy_;
  std::span<const std::byte> payload_;
};

/// @throws Error kLimitExceeded for a NaN or an infinity.
void check_finite(const Tensor& tensor, std::string_view what);

/// Most bytes a member or file that holds one array may have; saturates.
std::uint64_t most_npy_bytes(const FileLimits& limits);

}  // namespace upconv::UPCONV_ABI::internal
