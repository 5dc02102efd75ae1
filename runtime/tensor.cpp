#include "upconv/tensor.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "files.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

constexpr std::size_t kAlignment = 64;  // one cache line, and the widest vector of any ISA

/// Visits every element of `view` in C order, innermost axis as one strided run.
template <typename From, typename To>
void copy_elements(const ConstTensorView& view, To* out) {
  const Dims& shape = view.shape();
  const From* first = static_cast<const From*>(view.data());
  const std::size_t rank = shape.size();
  if (rank == 0) {
    *out = static_cast<To>(*first);
    return;
  }
  const Index count = element_count(shape);
  if (count == 0) return;
  const Index run = shape.back();
  Dims strides = view.strides(), at(shape);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    at[axis] = 0;
    // Nothing is a step away: such a stride may be any number, too large for arithmetic.
    if (shape[axis] == 1) strides[axis] = 0;
  }
  const Index step = strides.back();
  Index offset = 0;
  if (view.strides() == c_order_strides(shape)) {
    std::copy(first, first + count, out);
    return;
  }
  for (Index done = 0; done < count; done += run) {
    for (Index i = 0; i < run; ++i) *out++ = static_cast<To>(first[offset + i * step]);
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      offset += strides[axis];
      if (++at[axis] < shape[axis]) break;
      offset -= shape[axis] * strides[axis];
      at[axis] = 0;
    }
  }
}

}  // namespace

DType parse_dtype(std::string_view name) {
  if (name == "float32") return DType::kFloat32;
  if (name == "float64") return DType::kFloat64;
  throw Error(ErrorKind::kInvalidArgument,
              "dtype is \"" + internal::printable(name) + "\"; it must be float32 or float64");
}

Dims::Dims(std::initializer_list<Index> values)
    : Dims(std::span<const Index>(values.begin(), values.size())) {}

Dims::Dims(std::span<const Index> values) : size_(0) {
  for (const Index value : values) push_back(value);
}

Dims Dims::empty_axis() noexcept {
  Dims dims;
  dims.values_[0] = 0;
  dims.size_ = 1;
  return dims;
}

Dims::Dims(const Dims& other) noexcept : size_(other.size_) {
  std::copy(other.begin(), other.end(), values_);
}

Dims& Dims::operator=(const Dims& other) noexcept {
  size_ = other.size_;
  if (this != &other) std::copy(other.begin(), other.end(), values_);
  return *this;
}

void Dims::push_back(Index value) {
  if (size_ == kMaxAxes) {
    throw Error(ErrorKind::kLimitExceeded,
                "tensor has more than " + std::to_string(kMaxAxes) + " axes; that is the limit");
  }
  values_[size_++] = value;
}

bool operator==(const Dims& a, const Dims& b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::string to_string(const Dims& dims) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (axis) text += ", ";
    text += std::to_string(dims[axis]);
  }
  return text + "]";
}

Index element_count(const Dims& shape) {
  Index count = 1;
  bool overflow = false;
  bool empty = false;
  for (const Index extent : shape) {
    if (extent < 0) {
      throw Error(ErrorKind::kInvalidArgument,
                  "shape is " + to_string(shape) + "; extents must be at least 0");
    }
    empty = empty || extent == 0;
    overflow = __builtin_mul_overflow(count, extent, &count) || overflow;
  }
  if (empty) return 0;
  if (overflow) {
    throw Error(ErrorKind::kLimitExceeded,
                "shape is " + to_string(shape) + "; the number of elements must fit 63 bits");
  }
  return count;
}

Dims c_order_strides(const Dims& shape) {
  element_count(shape);
  Dims strides(shape);
  Index step = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    // Of an empty array the other extents may be too large to multiply; it has nothing to step to.
    Index next = 0;
    if (!__builtin_mul_overflow(step, std::max<Index>(shape[axis], 1), &next)) step = next;
  }
  return strides;
}

ConstTensorView::ConstTensorView(const void* data, DType dtype, const Dims& shape,
                                 const Dims& strides)
    : data_(data), dtype_(dtype), shape_(shape), strides_(strides) {
  if (strides.size() != shape.size()) {
    throw Error(ErrorKind::kInvalidArgument, "view has strides " + to_string(strides) +
                                                 " for shape " + to_string(shape) +
                                                 "; it needs one stride per axis");
  }
}

ConstTensorView::ConstTensorView(const void* data, DType dtype, const Dims& shape)
    : data_(data), dtype_(dtype), shape_(shape), strides_(c_order_strides(shape)) {}

const void* ConstTensorView::checked(const void* data, std::size_t count, const Dims& shape) {
  if (static_cast<std::uint64_t>(element_count(shape)) != count) {
    throw Error(ErrorKind::kShapeMismatch, "array has " + std::to_string(count) +
                                               " elements; shape " + to_string(shape) + " needs " +
                                               std::to_string(element_count(shape)));
  }
  return data;
}

void ConstTensorView::require_dtype(DType wanted) const {
  if (wanted != dtype_) {
    throw Error(ErrorKind::kShapeMismatch, "tensor is " + std::string(to_string(dtype_)) +
                                               "; it was read as " +
                                               std::string(to_string(wanted)));
  }
}

namespace {

/// A huge page of x86-64 and of most AArch64 kernels. Memory of so many bytes begins at one and is
/// asked for in them: its first use then costs a fault for 2 MB in the place of 4 KB, and kernels
/// walk it with fewer TLB misses.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// Where the system leaves the choice to programs. Without huge pages all works the same: an error
/// says nothing.
void prefer_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
#endif
}

/// std::free's memory, or null.
void* allocate(std::size_t bytes) {
  if (bytes < kHugePage) return std::aligned_alloc(kAlignment, bytes);
  // (aligned_alloc would want a multiple of the alignment.)
  void* memory = nullptr;
  if (posix_memalign(&memory, kHugePage, bytes) != 0) return nullptr;
  // The last one is not asked for where it is used in part: that would be memory for nothing.
  prefer_huge_pages(memory, bytes / kHugePage * kHugePage);
  return memory;
}

}  // namespace

void Tensor::Free::operator()(void* elements) const noexcept {
  if (memory == nullptr) {
    std::free(elements);
  } else {
    memory->deallocate(elements, bytes, kAlignment);
  }
}

Tensor::Tensor() noexcept : shape_(Dims::empty_axis()) {}

Tensor::Tensor(DType dtype, const Dims& shape, std::pmr::memory_resource* memory)
    : dtype_(dtype), shape_(shape), size_(element_count(shape)) {
  Index bytes = 0;
  if (__builtin_mul_overflow(size_, static_cast<Index>(size_of(dtype)), &bytes) ||
      bytes > PTRDIFF_MAX - static_cast<Index>(kAlignment)) {
    throw Error(ErrorKind::kLimitExceeded,
                "tensor of shape " + to_string(shape) + " is over the address space");
  }
  // Whole cache lines, at least one.
  const std::size_t rounded =
      std::max<std::size_t>((static_cast<std::size_t>(bytes) + kAlignment - 1) / kAlignment, 1) *
      kAlignment;
  data_.get_deleter() = Free(memory, rounded);
  if (memory != nullptr) {
    data_.reset(memory->allocate(rounded, kAlignment));
    return;
  }
  data_.reset(allocate(rounded));
  if (!data_) {
    throw Error(ErrorKind::kOutOfMemory, "tensor of shape " + to_string(shape) + " needs " +
                                             std::to_string(rounded) +
                                             " bytes; there is not that much memory");
  }
}

Tensor Tensor::zeros(DType dtype, const Dims& shape) {
  Tensor tensor(dtype, shape);
  std::memset(tensor.data(), 0, static_cast<std::size_t>(tensor.size_) * size_of(dtype));
  return tensor;
}

Tensor Tensor::copy_of(const ConstTensorView& view, std::pmr::memory_resource* memory) {
  return cast(view, view.dtype(), memory);
}

Tensor Tensor::cast(const ConstTensorView& view, DType dtype, std::pmr::memory_resource* memory) {
  Tensor out(dtype, view.shape(), memory);
  if (out.size_ == 0) return out;
  const bool from32 = view.dtype() == DType::kFloat32;
  const bool to32 = dtype == DType::kFloat32;
  void* to = out.data();
  if (from32 && to32) copy_elements<float>(view, static_cast<float*>(to));
  if (from32 && !to32) copy_elements<float>(view, static_cast<double*>(to));
  if (!from32 && to32) copy_elements<double>(view, static_cast<float*>(to));
  if (!from32 && !to32) copy_elements<double>(view, static_cast<double*>(to));
  return out;
}

Tensor::Tensor(const Tensor& other) : Tensor(copy_of(other.view())) {}

Tensor& Tensor::operator=(const Tensor& other) { return *this = Tensor(other); }

Tensor::Tensor(Tensor&& other) noexcept : Tensor() { *this = std::move(other); }

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  if (this == &other) return *this;
  dtype_ = other.dtype_;
  shape_ = other.shape_;
  size_ = other.size_;
  data_ = std::move(other.data_);
  other.shape_ = Dims::empty_axis();
  other.size_ = 0;
  return *this;
}

}  // namespace upconv::UPCONV_ABI
