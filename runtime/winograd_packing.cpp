// Weights at the points: G of generators/toom_cook.h along each axis, in double precision.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "finite.h"
#include "toom_cook.h"
#include "winograd_fold.h"
#include "winograd_layout.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// More taps of a phase have no transform.
constexpr Index kMostTaps = 4;

/// Numbers that are transformed at a time: they, and what they become along one axis after the
/// other, stay in the first-level cache.
constexpr Index kNumbersAtOnce = 2048;

/// points() rows: what a phase's taps, in order, are multiplied by. Tap j of a phase reads input u
/// - j * e, tap j of F(m, r) input u + j * e from the tile's first: the other way round.
struct Matrix {
  explicit Matrix(const AxisTransform& of) {
    const std::size_t taps = static_cast<std::size_t>(of.taps);
    for (const auto& row : toom_cook(of.outputs, of.taps).filter) {
      std::array<double, kMostTaps>& entries = rows.emplace_back();
      for (std::size_t j = 0; j < taps; ++j) entries[j] = row[taps - 1 - j].value();
    }
  }

  std::vector<std::array<double, kMostTaps>> rows;

  Index points() const { return static_cast<Index>(rows.size()); }
};

/// A phase and its transform; where the phase has fewer taps, the last are zero.
struct PhaseTransform {
  const Phase* phase;
  const Matrix* matrix;

  bool is_identity() const {
    return matrix->points() == 1 && phase->taps == 1 && matrix->rows[0][0] == 1;
  }
};

/// to[c] = the sum over taps of row[tap] * from[tap * step + c].
template <Index kTaps, typename To>
void combine(const std::array<double, kMostTaps>& row, const double* __restrict from, Index step,
             To* __restrict to, Index count) {
  for (Index c = 0; c < count; ++c) {
    double sum = row[0] * from[c];
    for (Index tap = 1; tap < kTaps; ++tap) {
      sum += row[static_cast<std::size_t>(tap)] * from[tap * step + c];
    }
    to[c] = static_cast<To>(sum);
  }
}

/// A transform along one axis of an array [outer][taps][inner]: to(row) is where a row of [outer]
/// [point][inner] goes.
template <typename To>
void multiply_axis(const PhaseTransform& of, const double* from, Index outer, Index inner, To to) {
  const Index taps = of.phase->taps, points = of.matrix->points();
  for (Index o = 0; o < outer; ++o, from += taps * inner) {
    for (Index point = 0; point < points; ++point) {
      const auto& row = of.matrix->rows[static_cast<std::size_t>(point)];
      auto* const sums = to(o * points + point);
      switch (taps) {
        case 1:
          combine<1>(row, from, inner, sums, inner);
          break;
        case 2:
          combine<2>(row, from, inner, sums, inner);
          break;
        case 3:
          combine<3>(row, from, inner, sums, inner);
          break;
        default:
          combine<4>(row, from, inner, sums, inner);
      }
    }
  }
}

#if defined(__x86_64__)
/// The same bits (no fused multiply-add), four at a time: the library itself is compiled for SSE2.
template <typename To>
__attribute__((flatten, target("avx2"))) void multiply_axis_avx2(const PhaseTransform& of,
                                                                 const double* from, Index outer,
                                                                 Index inner, To to) {
  multiply_axis(of, from, outer, inner, to);
}
#endif

/// multiply_axis, as the ISA that the weights are for allows.
template <typename To>
void multiply_axis_on(Isa isa, const PhaseTransform& of, const double* from, Index outer,
                      Index inner, To to) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2 || isa == Isa::kAvx512) {
    multiply_axis_avx2(of, from, outer, inner, to);
    return;
  }
#endif
  static_cast<void>(isa);
  multiply_axis(of, from, outer, inner, to);
}

/// Packs for one layer: a block of output channels of a phase at a time.
template <Element T>
class Packer {
 public:
  explicit Packer(const WinogradLayout& layout) : layout_(layout) {}

  /// The weights of one phase for `channels` output channels from `kernel` on, all input channels:
  /// packed[point][input][block]. The channels of a block that are not there are zero.
  /// @return the end of what is packed
  T* pack(const PhaseTransform (&of)[3], const T* kernel, Index channels, Index block, T* packed) {
    // Transforms that do something, the slowest axis first.
    std::array<const PhaseTransform*, 3> transforms;
    std::size_t count = 0;
    Index most = block, points = 1, taps = 1;
    for (const PhaseTransform& axis : of) {
      points *= axis.matrix->points();
      taps *= axis.phase->taps;
      most *= std::max(axis.matrix->points(), axis.phase->taps);
      if (!axis.is_identity()) transforms[count++] = &axis;
    }
    const Index inputs = layout_.input_size;
    const Index at_once = std::clamp<Index>(kNumbersAtOnce / most, 1, inputs);
    for (std::vector<double>& numbers : room_) {
      numbers.resize(static_cast<std::size_t>(at_once * most));
    }
    for (Index ci = 0; ci < inputs; ci += at_once) {
      const Index width = std::min(at_once, inputs - ci) * block;
      gather(of, kernel + ci * layout_.output_size, width, channels, block);
      const auto row_of = [&](Index point) { return packed + (point * inputs + ci) * block; };
      if (count == 0) std::copy(room_[0].data(), room_[0].data() + width, row_of(0));
      Index outer = 1, inner = taps * width;
      for (std::size_t n = 0; n < count; ++n) {
        const PhaseTransform& axis = *transforms[n];
        const double* const from = room_[n % 2].data();
        inner /= axis.phase->taps;
        if (n + 1 == count) {
          multiply_axis_on(layout_.isa, axis, from, outer, inner, row_of);
        } else {
          double* const to = room_[(n + 1) % 2].data();
          multiply_axis_on(layout_.isa, axis, from, outer, inner,
                           [&](Index row) { return to + row * inner; });
        }
        outer *= axis.matrix->points();
      }
    }
    return packed + points * inputs * block;
  }

 private:
  /// The taps of some input channels, as [d][h][w][input, block]: `width` numbers each.
  void gather(const PhaseTransform (&of)[3], const T* kernel, Index width, Index channels,
              Index block) {
    double* to = room_[0].data();
    const auto tap = [&](int axis, Index j) {
      return of[axis].phase->first_tap + j * layout_.axes[axis].tap_step();
    };
    for (Index jd = 0; jd < of[0].phase->taps; ++jd) {
      for (Index jh = 0; jh < of[1].phase->taps; ++jh) {
        for (Index jw = 0; jw < of[2].phase->taps; ++jw) {
          const Index at =
              (tap(0, jd) * layout_.axes[1].filter() + tap(1, jh)) * layout_.axes[2].filter() +
              tap(2, jw);
          const T* from = kernel + at * layout_.input_size * layout_.output_size;
          for (Index done = 0; done < width; done += block, from += layout_.output_size) {
            to = std::copy(from, from + channels, to);
            to = std::fill_n(to, block - channels, 0.0);
          }
        }
      }
    }
  }

  const WinogradLayout& layout_;
  std::vector<double> room_[2];  ///< before and behind the transform of an axis, in turn
};

/// The matrices of an axis' transforms, by kind.
std::vector<Matrix> matrices_of(const WinogradAxis& axis) {
  return {axis.transforms, axis.transforms + axis.kinds};
}

/// Calls visit(phases) for every phase of the layer, in packed order.
template <typename Visit>
void for_each_phase(const WinogradLayout& layout, const std::vector<Matrix> (&matrices)[3],
                    Visit visit) {
  const auto of = [&](int axis, const WinogradPhase& phase) {
    return PhaseTransform{&phase.phase, &matrices[axis][static_cast<std::size_t>(phase.kind)]};
  };
  const WinogradAxis(&axes)[3] = layout.by_axis;
  for (const WinogradPhase& d : axes[0].phases) {
    for (const WinogradPhase& h : axes[1].phases) {
      for (const WinogradPhase& w : axes[2].phases) visit({of(0, d), of(1, h), of(2, w)});
    }
  }
}

template <Element T>
std::optional<Tensor> pack(const WinogradLayout& layout, const Tensor& kernel) {
  if (!all_finite(kernel)) return std::nullopt;
  const auto values = kernel.values<T>();
  Index count = 0;
  for (const Part& part : layout.parts) {
    count += part.blocks * layout.rows() * part.block_channels();
  }
  Tensor packed(layout.dtype, {count}, layout.memory);
  T* to = packed.values<T>().data();
  const std::vector<Matrix> matrices[3] = {matrices_of(layout.by_axis[0]),
                                           matrices_of(layout.by_axis[1]),
                                           matrices_of(layout.by_axis[2])};
  Packer<T> packer(layout);
  for (const Part& part : layout.parts) {
    const Index block = part.block_channels();
    for (Index first = 0; first < part.blocks * block; first += block) {
      const Index channels = std::min(block, part.channels - first);
      const T* const weights = values.data() + part.first_channel + first;
      for_each_phase(layout, matrices, [&](const PhaseTransform(&of)[3]) {
        to = packer.pack(of, weights, channels, block, to);
      });
    }
  }
  return packed;
}

std::optional<Tensor> pack_kernel(const WinogradLayout& layout, const Tensor& kernel) {
  return layout.dtype == DType::kFloat32 ? pack<float>(layout, kernel)
                                         : pack<double>(layout, kernel);
}

}  // namespace

std::optional<Tensor> pack_winograd(const WinogradLayout& layout, const Tensor& kernel) {
  if (layout.factor() > 1) {
    const Tensor folded = fold_kernel(layout, kernel);
    return pack_kernel(layout, folded);
  }
  return pack_kernel(layout, kernel);
}

}  // namespace upconv::UPCONV_ABI::internal
