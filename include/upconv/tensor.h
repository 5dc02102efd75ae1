// Tensors: shapes, views of memory that somebody else owns, and one owning array type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "upconv/dtype.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// Extents, strides and counts are 64-bit and in elements, never in bytes.
using Index = std::int64_t;

/// Most axes a tensor may have (NumPy's own limit).
inline constexpr std::size_t kMaxAxes = 64;

/// A short list of extents or strides in row-major axis order (slowest axis first), without heap.
class Dims {
 public:
  Dims() noexcept : size_(0) {}
  /// @throws Error kLimitExceeded over kMaxAxes entries.
  Dims(std::initializer_list<Index> values);
  explicit Dims(std::span<const Index> values);
  Dims(const Dims& other) noexcept;
  Dims& operator=(const Dims& other) noexcept;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  Index& operator[](std::size_t axis) noexcept { return values_[axis]; }
  const Index& operator[](std::size_t axis) const noexcept { return values_[axis]; }
  const Index* begin() const noexcept { return values_; }
  const Index* end() const noexcept { return values_ + size_; }
  const Index& back() const noexcept { return values_[size_ - 1]; }
  void push_back(Index value);
  /// [0]: the shape of an empty tensor.
  static Dims empty_axis() noexcept;

  friend bool operator==(const Dims& a, const Dims& b) noexcept;

 private:
  Index values_[kMaxAxes];  // only the first size_ are meaningful
  std::size_t size_;
};

/// "[1, 16, 16, 3]".
std::string to_string(const Dims& dims);

/// Product of the extents; 1 for no axes.
/// @throws Error kInvalidArgument for a negative extent, kLimitExceeded when the product does not
///         fit 63 bits.
Index element_count(const Dims& shape);

/// Strides of a C-order (row-major, gap-free) array of that shape.
/// @throws as element_count.
Dims c_order_strides(const Dims& shape);

/// Read-only view: pointer, dtype, shape and strides. Owns nothing; the memory must outlive it.
class ConstTensorView {
 public:
  ConstTensorView() noexcept = default;

  /// Any strides, in elements; negative ones and zero (broadcast) are allowed on inputs.
  ConstTensorView(const void* data, DType dtype, const Dims& shape, const Dims& strides);
  /// C order.
  ConstTensorView(const void* data, DType dtype, const Dims& shape);

  template <Element T>
  ConstTensorView(const T* data, const Dims& shape) : ConstTensorView(data, kDTypeOf<T>, shape) {}
  template <Element T>
  ConstTensorView(const T* data, const Dims& shape, const Dims& strides)
      : ConstTensorView(data, kDTypeOf<T>, shape, strides) {}
  /// A whole vector in C order. @throws Error kShapeMismatch when the sizes differ.
  template <Element T>
  ConstTensorView(const std::vector<T>& values, const Dims& shape)
      : ConstTensorView(checked(values.data(), values.size(), shape), kDTypeOf<T>, shape) {}

  template <Element T>
  ConstTensorView(std::span<const T> values, const Dims& shape)
      : ConstTensorView(checked(values.data(), values.size(), shape), kDTypeOf<T>, shape) {}

  const void* data() const noexcept { return data_; }
  /// The first element. @throws Error kShapeMismatch when T is not the view's dtype.
  template <Element T>
  const T* data_as() const {
    require_dtype(kDTypeOf<T>);
    return static_cast<const T*>(data_);
  }
  DType dtype() const noexcept { return dtype_; }
  const Dims& shape() const noexcept { return shape_; }
  const Dims& strides() const noexcept { return strides_; }

 protected:
  static const void* checked(const void* data, std::size_t count, const Dims& shape);
  void require_dtype(DType wanted) const;

  const void* data_ = nullptr;
  DType dtype_ = DType::kFloat32;
  Dims shape_;
  Dims strides_;
};

/// Writable view. Two different indices must not name the same element (no zero strides over
/// extents above 1, no overlap); the layer checks this before it writes.
class TensorView : public ConstTensorView {
 public:
  TensorView() noexcept = default;
  TensorView(void* data, DType dtype, const Dims& shape, const Dims& strides)
      : ConstTensorView(data, dtype, shape, strides) {}
  TensorView(void* data, DType dtype, const Dims& shape) : ConstTensorView(data, dtype, shape) {}
  template <Element T>
  requires(!std::is_const_v<T>) TensorView(T* data, const Dims& shape)
      : ConstTensorView(data, shape) {}
  template <Element T>
  requires(!std::is_const_v<T>) TensorView(T* data, const Dims& shape, const Dims& strides)
      : ConstTensorView(data, shape, strides) {}
  template <Element T>
  TensorView(std::vector<T>& values, const Dims& shape) : ConstTensorView(values, shape) {}

  void* data() const noexcept { return const_cast<void*>(data_); }
  template <Element T>
  T* data_as() const {
    return const_cast<T*>(ConstTensorView::data_as<T>());
  }
};

/// An owning array in C order, 64-byte aligned. Copies are deep, moves are cheap and leave an empty
/// tensor of shape [0].
class Tensor {
 public:
  /// Float32 of shape [0].
  Tensor() noexcept;
  /// Uninitialised elements.
  /// @param memory where the elements are; null: the C library's heap. It must outlive the tensor,
  ///        and what it throws passes through. Moves take it along, copies do not.
  /// @throws Error kOutOfMemory, or as element_count.
  Tensor(DType dtype, const Dims& shape, std::pmr::memory_resource* memory = nullptr);
  static Tensor zeros(DType dtype, const Dims& shape);
  /// Copies `values` in C order. @throws Error kShapeMismatch when the sizes differ.
  template <Element T>
  static Tensor from(std::span<const T> values, const Dims& shape) {
    return copy_of(ConstTensorView(values, shape));
  }
  template <Element T>
  static Tensor from(std::initializer_list<T> values, const Dims& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }
  /// A C-order copy of any view.
  static Tensor copy_of(const ConstTensorView& view, std::pmr::memory_resource* memory = nullptr);
  /// A C-order copy of any view with each element rounded to `dtype`.
  static Tensor cast(const ConstTensorView& view, DType dtype,
                     std::pmr::memory_resource* memory = nullptr);

  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor& other);
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor() = default;

  DType dtype() const noexcept { return dtype_; }
  const Dims& shape() const noexcept { return shape_; }
  /// Number of elements.
  Index size() const noexcept { return size_; }
  void* data() noexcept { return data_.get(); }
  const void* data() const noexcept { return data_.get(); }

  /// The elements in C order. @throws Error kShapeMismatch when T is not dtype().
  template <Element T>
  std::span<T> values() {
    return {view().data_as<T>(), static_cast<std::size_t>(size_)};
  }
  template <Element T>
  std::span<const T> values() const {
    return {view().data_as<T>(), static_cast<std::size_t>(size_)};
  }

  TensorView view() noexcept { return {data_.get(), dtype_, shape_}; }
  ConstTensorView view() const noexcept { return {data_.get(), dtype_, shape_}; }
  operator ConstTensorView() const noexcept { return view(); }

 private:
  struct Free {
    Free() noexcept : Free(nullptr, 0) {}
    Free(std::pmr::memory_resource* from, std::size_t size) noexcept : memory(from), bytes(size) {}
    void operator()(void* elements) const noexcept;
    std::pmr::memory_resource* memory;  // null: the C library's heap
    std::size_t bytes;
  };
  DType dtype_ = DType::kFloat32;
  Dims shape_;
  Index size_ = 0;
  std::unique_ptr<void, Free> data_;
};

}  // namespace upconv::UPCONV_ABI
