// Weights at the points: G of generators/toom_cook.h along each axis, in double precision.
#include <algorithm>
#include <cmath>
#include <vector>

#include "toom_cook.h"
#include "winograd_layout.h"

namespace upconv::internal {

namespace {

using Matrix = std::vector<std::vector<double>>;

/// A phase and its transform.
struct PhaseTransform {
  const WinogradPhase* phase;
  AxisTransform transform;
};

/// points() rows: what a phase's taps, in order, are multiplied by. Tap j of a phase reads input u
/// - j * e, tap j of F(m, r) input u + j * e from the tile's first: the other way round.
Matrix filter_matrix(const PhaseTransform& of) {
  const std::size_t taps = static_cast<std::size_t>(of.phase->phase.taps);
  const std::size_t all = static_cast<std::size_t>(of.transform.taps);
  Matrix matrix;
  for (const auto& row : generators::toom_cook(of.transform.outputs, of.transform.taps).filter) {
    std::vector<double> entries;
    for (std::size_t j = 0; j < taps; ++j) entries.push_back(row[all - 1 - j].value());
    matrix.push_back(std::move(entries));
  }
  return matrix;
}

/// A small array [d][h][w][channel] of doubles.
struct Cube {
  Index extents[3] = {1, 1, 1};
  Index channels = 1;
  std::vector<double> values;

  void reshape(const Index (&to)[3]) {
    std::copy(std::begin(to), std::end(to), std::begin(extents));
    values.assign(static_cast<std::size_t>(to[0] * to[1] * to[2] * channels), 0);
  }
};

/// to = matrix times `from` along an axis.
void multiply_axis(const Matrix& matrix, const Cube& from, int axis, Cube& to) {
  Index extents[3] = {from.extents[0], from.extents[1], from.extents[2]};
  extents[axis] = static_cast<Index>(matrix.size());
  to.reshape(extents);
  Index inner = from.channels, outer = 1;
  for (int a = axis + 1; a < 3; ++a) inner *= from.extents[a];
  for (int a = 0; a < axis; ++a) outer *= from.extents[a];
  const Index taps = from.extents[axis], points = extents[axis];
  for (Index o = 0; o < outer; ++o) {
    for (Index i = 0; i < points; ++i) {
      double* sum = to.values.data() + (o * points + i) * inner;
      for (Index k = 0; k < taps; ++k) {
        const double factor = matrix[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)];
        if (factor == 0) continue;
        const double* values = from.values.data() + (o * taps + k) * inner;
        for (Index c = 0; c < inner; ++c) sum[c] += factor * values[c];
      }
    }
  }
}

/// The weights of one phase for one block of output channels, all input channels.
template <Element T>
void pack_phase(const WinogradLayout& layout, const PhaseTransform (&of)[3], const T* kernel,
                Index channels, Index block, T* packed) {
  const Matrix matrix[3] = {filter_matrix(of[0]), filter_matrix(of[1]), filter_matrix(of[2])};
  const Phase phase[3] = {of[0].phase->phase, of[1].phase->phase, of[2].phase->phase};
  const Index taps[3] = {phase[0].taps, phase[1].taps, phase[2].taps};
  Cube cube, next;
  cube.channels = next.channels = channels;
  for (Index ci = 0; ci < layout.input_size; ++ci) {
    cube.reshape(taps);
    double* to = cube.values.data();
    const auto tap = [&](int axis, Index j) {
      return phase[axis].first_tap + j * layout.axes[axis].tap_step();
    };
    for (Index jd = 0; jd < taps[0]; ++jd) {
      for (Index jh = 0; jh < taps[1]; ++jh) {
        for (Index jw = 0; jw < taps[2]; ++jw, to += channels) {
          const Index at =
              (tap(0, jd) * layout.axes[1].filter() + tap(1, jh)) * layout.axes[2].filter() +
              tap(2, jw);
          const T* from = kernel + (at * layout.input_size + ci) * layout.output_size;
          std::copy(from, from + channels, to);
        }
      }
    }
    for (int axis = 0; axis < 3; ++axis) {
      multiply_axis(matrix[axis], cube, axis, next);
      std::swap(cube, next);
    }
    const Index points = cube.extents[0] * cube.extents[1] * cube.extents[2];
    for (Index point = 0; point < points; ++point) {
      const double* from = cube.values.data() + point * channels;
      T* row = packed + (point * layout.input_size + ci) * block;
      for (Index c = 0; c < channels; ++c) row[c] = static_cast<T>(from[c]);
      std::fill(row + channels, row + block, T{0});
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
  const auto values = kernel.values<T>();
  if (!std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); })) {
    return std::nullopt;
  }
  Index count = 0;
  for (const Part& part : layout.parts) {
    count += part.blocks * layout.rows() * part.block_channels();
  }
  Tensor packed(layout.dtype, {count}, layout.memory);
  T* to = packed.values<T>().data();
  for (const Part& part : layout.parts) {
    const Index block = part.block_channels();
    for (Index first = 0; first < part.blocks * block; first += block) {
      const Index channels = std::min(block, part.channels - first);
      for_each_phase(layout, [&](const PhaseTransform(&of)[3]) {
        pack_phase<T>(layout, of, values.data() + part.first_channel + first, channels, block, to);
        to += Index{of[0].transform.points()} * of[1].transform.points() *
              of[2].transform.points() * layout.input_size * block;
      });
    }
  }
  return packed;
}

}  // namespace

std::optional<Tensor> pack_winograd(const WinogradLayout& layout, const Tensor& kernel) {
  return layout.dtype == DType::kFloat32 ? pack<float>(layout, kernel)
                                         : pack<double>(layout, kernel);
}

}  // namespace upconv::internal
