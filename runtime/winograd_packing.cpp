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

/// A phase and its transform.
struct PhaseTransform {
  const WinogradPhase* phase;
  AxisTransform transform;
};

/// More taps of a phase have no transform.
constexpr Index kMostTaps = 4;

/// points() rows: what a phase's taps, in order, are multiplied by. Tap j of a phase reads input u
/// - j * e, tap j of F(m, r) input u + j * e from the tile's first: the other way round.
struct Matrix {
  explicit Matrix(const PhaseTransform& of);

  Index points = 1, taps = 1;
  std::vector<std::array<double, kMostTaps>> rows;

  bool is_identity() const { return points == 1 && taps == 1 && rows[0][0] == 1; }
};

Matrix::Matrix(const PhaseTransform& of)
    : points(of.transform.points()), taps(of.phase->phase.taps) {
  const std::size_t all = static_cast<std::size_t>(of.transform.taps);
  for (const auto& row : toom_cook(of.transform.outputs, of.transform.taps).filter) {
    std::array<double, kMostTaps>& entries = rows.emplace_back();
    for (std::size_t j = 0; j < static_cast<std::size_t>(taps); ++j) {
      entries[j] = row[all - 1 - j].value();
    }
  }
}

/// to[c] = the sum over taps of row[tap] * from[tap * step + c], in double precision.
template <Index kTaps, typename From, typename To>
void combine(const std::array<double, kMostTaps>& row, const From* __restrict from, Index step,
             To* __restrict to, Index count) {
  for (Index c = 0; c < count; ++c) {
    double sum = row[0] * static_cast<double>(from[c]);
    for (Index tap = 1; tap < kTaps; ++tap) {
      sum += row[static_cast<std::size_t>(tap)] * static_cast<double>(from[tap * step + c]);
    }
    to[c] = static_cast<To>(sum);
  }
}

/// A transform along one axis of an array [outer][taps][inner]: to(row) is where a row of [outer]
/// [point][inner] goes.
template <typename From, typename To>
void multiply_axis(const Matrix& matrix, const From* from, Index outer, Index inner, To to) {
  for (Index o = 0; o < outer; ++o, from += matrix.taps * inner) {
    for (Index point = 0; point < matrix.points; ++point) {
      const auto& row = matrix.rows[static_cast<std::size_t>(point)];
      auto* const sums = to(o * matrix.points + point);
      switch (matrix.taps) {
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
template <typename From, typename To>
__attribute__((flatten, target("avx2"))) void multiply_axis_avx2(const Matrix& matrix,
                                                                 const From* from, Index outer,
                                                                 Index inner, To to) {
  multiply_axis(matrix, from, outer, inner, to);
}
#endif

/// multiply_axis, as the ISA that the weights are for allows.
template <typename From, typename To>
void multiply_axis_on(Isa isa, const Matrix& matrix, const From* from, Index outer, Index inner,
                      To to) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2 || isa == Isa::kAvx512) {
    multiply_axis_avx2(matrix, from, outer, inner, to);
    return;
  }
#endif
  static_cast<void>(isa);
  multiply_axis(matrix, from, outer, inner, to);
}

/// What packing a phase needs beside the weights; kept from phase to phase.
template <Element T>
struct Room {
  std::vector<T> taps;          ///< of one input channel: [d][h][w][channel]
  std::vector<double> sums[2];  ///< between two axes
};

/// The weights of one phase for one block of output channels, all input channels.
template <Element T>
void pack_phase(const WinogradLayout& layout, const PhaseTransform (&of)[3], const T* kernel,
                Index channels, Index block, Room<T>& room, T* packed) {
  const Phase phase[3] = {of[0].phase->phase, of[1].phase->phase, of[2].phase->phase};
  std::vector<Matrix> matrices;  // those that do something, the slowest axis first
  Index extents[3] = {1, 1, 1}, most = channels;
  for (const PhaseTransform& axis : of) {
    Matrix matrix(axis);
    most *= std::max(matrix.points, matrix.taps);
    if (matrix.is_identity()) continue;
    extents[matrices.size()] = matrix.taps;
    matrices.push_back(std::move(matrix));
  }
  room.taps.resize(static_cast<std::size_t>(most));
  for (auto& sums : room.sums) sums.resize(static_cast<std::size_t>(most));

  const auto gather = [&](Index ci) {
    T* to = room.taps.data();
    const auto tap = [&](int axis, Index j) {
      return phase[axis].first_tap + j * layout.axes[axis].tap_step();
    };
    for (Index jd = 0; jd < phase[0].taps; ++jd) {
      for (Index jh = 0; jh < phase[1].taps; ++jh) {
        for (Index jw = 0; jw < phase[2].taps; ++jw, to += channels) {
          const Index at =
              (tap(0, jd) * layout.axes[1].filter() + tap(1, jh)) * layout.axes[2].filter() +
              tap(2, jw);
          const T* from = kernel + (at * layout.input_size + ci) * layout.output_size;
          std::copy(from, from + channels, to);
        }
      }
    }
  };
  for (Index ci = 0; ci < layout.input_size; ++ci) {
    gather(ci);
    const auto row_of = [&](Index point) {
      return packed + (point * layout.input_size + ci) * block;
    };
    if (matrices.empty()) std::copy(room.taps.data(), room.taps.data() + channels, row_of(0));
    Index outer = 1;
    for (std::size_t axis = 0; axis < matrices.size(); ++axis) {
      const Matrix& matrix = matrices[axis];
      Index inner = channels;
      for (std::size_t a = axis + 1; a < matrices.size(); ++a) inner *= extents[a];
      const auto into = [&](auto to) {
        if (axis == 0) {
          multiply_axis_on(layout.isa, matrix, room.taps.data(), outer, inner, to);
        } else {
          multiply_axis_on(layout.isa, matrix, room.sums[(axis - 1) % 2].data(), outer, inner, to);
        }
      };
      if (axis + 1 == matrices.size()) {
        into(row_of);
      } else {
        into([&](Index row) { return room.sums[axis % 2].data() + row * inner; });
      }
      outer *= matrix.points;
    }
    if (channels == block) continue;
    for (Index point = 0; point < outer; ++point) {
      std::fill(row_of(point) + channels, row_of(point) + block, T{0});
    }
  }
}

/// Calls visit(phases) for every phase of the layer, in packed order.
template <typename Visit>
void for_each_phase(const WinogradLayout& layout, Visit visit) {
  const WinogradAxis(&axes)[3] = layout.by_axis;
  for (const WinogradPhase& d : axes[0].phases) {
    for (const WinogradPhase& h : axes[1].phases) {
      for (const WinogradPhase& w : axes[2].phases) {
        visit({{&d, axes[0].transforms[d.kind]},
               {&h, axes[1].transforms[h.kind]},
               {&w, axes[2].transforms[w.kind]}});
      }
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
  Room<T> room;
  for (const Part& part : layout.parts) {
    const Index block = part.block_channels();
    for (Index first = 0; first < part.blocks * block; first += block) {
      const Index channels = std::min(block, part.channels - first);
      for_each_phase(layout, [&](const PhaseTransform(&of)[3]) {
        pack_phase<T>(layout, of, values.data() + part.first_channel + first, channels, block, room,
                      to);
        to += Index{of[0].transform.points()} * of[1].transform.points() *
              of[2].transform.points() * layout.input_size * block;
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
