// One array in a .npy file: the payload, into and out of a tensor.
#include "npy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "files.h"

namespace upconv::UPCONV_ABI {

namespace internal {

namespace {

/// Strides of an array whose first axis is the fastest. Nothing overflows: the header's parser has
/// bounded the product of the extents.
Dims fortran_order_strides(const Dims& shape) {
  Dims strides(shape);
  Index step = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = step;
    step *= std::max<Index>(shape[axis], 1);
  }
  return strides;
}

template <typename Word>
void swap_bytes(std::span<std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if constexpr (sizeof word == 4) {
      word = __builtin_bswap32(word);
    } else {
      word = __builtin_bswap64(word);
    }
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
}

/// Checks that the payload is exactly what the header declares, so that the tensor is allocated
/// only for bytes that are there.
void check_payload(const NpyHeader& header, std::uint64_t have, std::string_view what,
                   const FileLimits& limits) {
  const auto needed =
      static_cast<std::uint64_t>(element_count(header.shape)) * size_of(header.dtype);
  if (needed > limits.array_bytes) {
    fail(ErrorKind::kLimitExceeded, what,
         "shape is " + to_string(header.shape) + ", " + std::to_string(needed) +
             " bytes; the limit is " + std::to_string(limits.array_bytes));
  }
  if (have == needed) return;
  const std::string text = "payload is " + std::to_string(have) + " bytes; shape " +
                           to_string(header.shape) + " of " + std::string(to_string(header.dtype)) +
                           " needs ";
  if (have < needed) fail(ErrorKind::kTruncated, what, text + std::to_string(needed));
  fail(ErrorKind::kCorruptFile, what, text + "only " + std::to_string(needed));
}

template <Element T>
void check_finite(std::span<const T> elements, std::string_view what) {
  const auto bad = std::find_if_not(elements.begin(), elements.end(),
                                    [](T value) { return std::isfinite(value); });
  if (bad == elements.end()) return;
  fail(ErrorKind::kLimitExceeded, what,
       "element " + std::to_string(bad - elements.begin()) + " in the file's order is " +
           std::to_string(*bad) + "; it must be finite, as the limits ask");
}

bool is_c_order(const ConstTensorView& view) {
  const Dims wanted = c_order_strides(view.shape());
  for (std::size_t axis = 0; axis < wanted.size(); ++axis) {
    if (view.shape()[axis] > 1 && view.strides()[axis] != wanted[axis]) return false;
  }
  return true;
}

std::span<const std::byte> bytes_of(const void* data, const ConstTensorView& view) {
  return {static_cast<const std::byte*>(data),
          static_cast<std::size_t>(element_count(view.shape())) * size_of(view.dtype())};
}

}  // namespace

void check_finite(const Tensor& tensor, std::string_view what) {
  if (tensor.dtype() == DType::kFloat32) {
    check_finite(tensor.values<float>(), what);
  } else {
    check_finite(tensor.values<double>(), what);
  }
}

NpyImage::NpyImage(const ConstTensorView& view, std::string_view what)
    : header_(npy_header(view.dtype(), view.shape())) {
  const bool empty = element_count(view.shape()) == 0;
  if (!empty && view.data() == nullptr) {
    fail(ErrorKind::kInvalidArgument, what,
         "array is null with shape " + to_string(view.shape()) + "; only an empty one may be");
  }
  if (empty || is_c_order(view)) {
    payload_ = bytes_of(view.data(), view);
  } else {
    copy_ = Tensor::copy_of(view);
    payload_ = bytes_of(copy_.data(), view);
  }
}

std::span<const std::byte> NpyImage::header() const noexcept {
  return std::as_bytes(std::span(header_));
}

std::uint64_t most_npy_bytes(const FileLimits& limits) {
  constexpr std::uint64_t kBeforeHeader = 12;
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(limits.array_bytes, limits.header_bytes, &sum) ||
      __builtin_add_overflow(sum, kBeforeHeader, &sum)) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  return sum;
}

}  // namespace internal

Tensor read_npy(std::span<const std::byte> bytes, std::string_view what, const FileLimits& limits) {
  using namespace internal;
  const NpyHeader header = parse_npy_header(bytes, what, limits);
  const std::span<const std::byte> payload = bytes.subspan(header.payload);
  check_payload(header, payload.size(), what, limits);
  return report_out_of_memory(what, [&] {
    Tensor tensor(header.dtype, header.shape);
    if (payload.empty()) return tensor;
    const std::span<std::byte> elements(static_cast<std::byte*>(tensor.data()), payload.size());
    // Copied, never cast: the payload may lie at any address.
    std::memcpy(elements.data(), payload.data(), payload.size());
    if (header.swapped && header.dtype == DType::kFloat32) swap_bytes<std::uint32_t>(elements);
    if (header.swapped && header.dtype == DType::kFloat64) swap_bytes<std::uint64_t>(elements);
    if (limits.finite) check_finite(tensor, what);
    if (!header.fortran_order || header.shape.size() < 2) return tensor;
    return Tensor::copy_of(ConstTensorView(tensor.data(), header.dtype, header.shape,
                                           fortran_order_strides(header.shape)));
  });
}

Tensor read_npy(const std::filesystem::path& path, const FileLimits& limits) {
  using namespace internal;
  const std::string what = printable(path);
  return report_out_of_memory(what, [&] {
    const Buffer file = read_file(path, most_npy_bytes(limits));
    return read_npy(file.bytes(), what, limits);
  });
}

void write_npy(const std::filesystem::path& path, const ConstTensorView& array) {
  using namespace internal;
  const std::string what = printable(path);
  report_out_of_memory(what, [&] {
    const NpyImage image(array, what);
    write_file(path, {image.header(), image.payload()});
  });
}

}  // namespace upconv::UPCONV_ABI
