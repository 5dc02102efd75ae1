#include <vector>

#include "narrow_plan.h"

namespace upconv::compiler {

using internal::Phase;

std::vector<int> kernel_elements(const LayerPlan& plan, const NarrowGroup& group, std::size_t at) {
  const generators::PieceSums& piece = group.pieces[at];
  std::vector<int> elements;
  const auto tap_of = [&](std::size_t axis, int phase, int j) {
    const Phase& of = *(plan.narrow->axes[axis].phases.begin() + group.first[axis] + phase);
    return of.first_tap + (group.first_taps[at][axis] + j) * plan.axes[axis].phases.tap_step();
  };
  for (int j_d = 0; j_d < piece.taps[0]; ++j_d) {
    for (int j_h = 0; j_h < piece.taps[1]; ++j_h) {
      for (int j_w = 0; j_w < piece.taps[2]; ++j_w) {
        for (int d = 0; d < piece.phases[0]; ++d) {
          for (int h = 0; h < piece.phases[1]; ++h) {
            for (int w = 0; w < piece.phases[2]; ++w) {
              const Index tap = (tap_of(0, d, j_d) * plan.axes[1].axis.filter + tap_of(1, h, j_h)) *
                                    plan.axes[2].axis.filter +
                                tap_of(2, w, j_w);
              for (int c = 0; c < group.channels; ++c) {
                elements.push_back(static_cast<int>(tap * plan.input_size() * plan.output_size() +
                                                    group.first_channel + c));
              }
            }
          }
        }
      }
    }
  }
  return elements;
}

namespace {

template <Element T>
Halide::Buffer<void> pack(const LayerPlan& plan) {
  const NarrowPlan& narrow = *plan.narrow;
  Halide::Buffer<T> packed(static_cast<int>(plan.packed_elements));
  T* to = packed.data();
  const T* const kernel = plan.spec.kernel->values<T>().data();
  for (const NarrowGroup& group : narrow.groups) {
    for (std::size_t n = 0; n < group.pieces.size(); ++n) {
      const std::vector<int> elements = kernel_elements(plan, group, n);
      const generators::PieceSums& piece = group.pieces[n];
      const Index taps = Index{piece.taps[0]} * piece.taps[1] * piece.taps[2];
      const std::size_t rows = elements.size() / static_cast<std::size_t>(taps);
      for (std::size_t tap = 0; tap < elements.size(); tap += rows) {
        for (Index ci = 0; ci < plan.input_size(); ++ci) {
          for (std::size_t row = 0; row < rows; ++row) {
            *to++ = kernel[elements[tap + row] + ci * plan.output_size()];
          }
        }
      }
    }
  }
  for (Index c = 0; c < plan.output_size(); ++c) {
    *to++ = plan.spec.bias ? plan.spec.bias->values<T>()[static_cast<std::size_t>(c)] : T{0};
  }
  return packed;
}

}  // namespace

Halide::Buffer<void> pack_narrow(const LayerPlan& plan) {
  return plan.spec.dtype() == DType::kFloat32 ? pack<float>(plan) : pack<double>(plan);
}

}  // namespace upconv::compiler
