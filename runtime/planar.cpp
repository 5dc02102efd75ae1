#include "planar.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace upconv::UPCONV_ABI::internal {

namespace {

// GCC vectors of 16 bytes, which every processor here has: the library's C++ is compiled for the
// least of them.
template <Element T>
struct Vector {
  static constexpr Index kLanes = 16 / sizeof(T);
  using Type [[gnu::vector_size(16)]] = T;
  static Type load(const T* from) {
    Type value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static void store(T* to, const Type& value) { std::memcpy(to, &value, sizeof value); }
};

/// Transposes a square of vectors.
void transpose(Vector<float>::Type (&v)[4]) {
  using V = Vector<float>::Type;
  const V a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
  const V b = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  const V c = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
  const V d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  v[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}
void transpose(Vector<double>::Type (&v)[2]) {
  using V = Vector<double>::Type;
  const V a = __builtin_shufflevector(v[0], v[1], 0, 2);
  v[1] = __builtin_shufflevector(v[0], v[1], 1, 3);
  v[0] = a;
}

/// The first i at which a vector of any row to[j * to_step] lies in no two cache lines; 0 where
/// these differ.
template <Element T>
Index first_aligned(const T* to, Index to_step) {
  constexpr Index kLanes = Vector<T>::kLanes;
  if (to_step % kLanes != 0) return 0;
  const auto past = static_cast<Index>(reinterpret_cast<std::uintptr_t>(to) / sizeof(T)) % kLanes;
  return (kLanes - past) % kLanes;
}

/// to[j * to_step + i] = from[i * from_step + j] for 0 <= i < rows, 0 <= j < columns.
template <Element T>
void transpose_all(const T* from, Index from_step, Index rows, Index columns, T* to,
                   Index to_step) {
  constexpr Index kLanes = Vector<T>::kLanes;
  const auto one_by_one = [&](Index i, Index i_end, Index j) {
    for (; i < i_end; ++i) to[j * to_step + i] = from[i * from_step + j];
  };
  if (rows < kLanes) {
    for (Index j = 0; j < columns; ++j) one_by_one(0, rows, j);
    return;
  }
  const Index whole_columns = columns / kLanes * kLanes;
  // The first squares and the last share elements with others: a store across two lines takes as
  // long as several.
  const Index aligned = first_aligned(to, to_step);
  for (Index next = 0; next < rows;) {
    const Index i = std::min(next, rows - kLanes);
    for (Index j = 0; j < whole_columns; j += kLanes) {
      typename Vector<T>::Type square[kLanes];
      for (Index k = 0; k < kLanes; ++k) {
        square[k] = Vector<T>::load(from + (i + k) * from_step + j);
      }
      transpose(square);
      for (Index k = 0; k < kLanes; ++k) {
        Vector<T>::store(to + (j + k) * to_step + i, square[k]);
      }
    }
    for (Index j = whole_columns; j < columns; ++j) one_by_one(i, i + kLanes, j);
    next = next == 0 && aligned != 0 ? aligned : next + kLanes;
  }
}

/// Columns of so many channels, one after the other. (With the number known, the compiler shuffles
/// vectors.)
template <Index kChannels, Element T>
void interleave(const T* planar, Index planar_step, Index width, T* y) {
  for (Index w = 0; w < width; ++w) {
    for (Index c = 0; c < kChannels; ++c) y[w * kChannels + c] = planar[c * planar_step + w];
  }
}

}  // namespace

template <Element T>
void to_planar(const T* x, Index x_step, Index width, Index channels, T* planar,
               Index planar_step) {
  transpose_all(x, x_step, width, channels, planar, planar_step);
}

template <Element T>
void from_planar(const T* planar, Index planar_step, Index width, Index channels, T* y,
                 Index y_step) {
  // Columns of a few channels are cheaper to write one by one than in squares.
  if (channels < Vector<T>::kLanes) {
    if (y_step == channels && channels <= 3) {
      constexpr auto kInterleave = std::array{interleave<1, T>, interleave<2, T>, interleave<3, T>};
      kInterleave[static_cast<std::size_t>(channels - 1)](planar, planar_step, width, y);
      return;
    }
    for (Index w = 0; w < width; ++w) {
      for (Index c = 0; c < channels; ++c) y[w * y_step + c] = planar[c * planar_step + w];
    }
    return;
  }
  transpose_all(planar, planar_step, channels, width, y, y_step);
}

template void to_planar(const float*, Index, Index, Index, float*, Index);
template void to_planar(const double*, Index, Index, Index, double*, Index);
template void from_planar(const float*, Index, Index, Index, float*, Index);
template void from_planar(const double*, Index, Index, Index, double*, Index);

}  // namespace upconv::UPCONV_ABI::internal
