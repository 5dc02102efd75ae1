// phase_layer.h as a generator, for autoschedulers: what they make of it is compared with our own
// schedules (docs/tuning.md). No kernel of the library comes from here.
#include <array>
#include <sstream>
#include <string>
#include <vector>

#include "Halide.h"
#include "phase_layer.h"

namespace {

using Halide::Expr;
using upconv::generators::fix_bounds;

class ConvTransposeLayer : public Halide::Generator<ConvTransposeLayer> {
  using Sizes = std::array<int, 3>;
  static Sizes sizes(const std::string& text) {
    Sizes list{};
    std::istringstream in(text);
    char x = 'x';
    if (!(in >> list[0] >> x >> list[1] >> x >> list[2]) || x != 'x') {
      throw Halide::RuntimeError("sizes are \"" + text + "\"; they must be three, as in 4x4x4");
    }
    return list;
  }

 public:
  GeneratorParam<int> batch{"batch", 1};
  GeneratorParam<int> input_size{"input_size", 1};
  GeneratorParam<int> output_size{"output_size", 1};
  // Per axis, d first, as in 4x4x4.
  GeneratorParam<std::string> extents{"extents", "1x1x1"};
  GeneratorParam<std::string> filters{"filters", "1x1x1"};
  GeneratorParam<std::string> strides{"strides", "1x1x1"};
  GeneratorParam<std::string> offsets{"offsets", "0x0x0"};
  GeneratorParam<std::string> lengths{"lengths", "1x1x1"};
  GeneratorParam<bool> relu{"relu", false};

  Input<Buffer<float, 5>> x{"x"};  ///< (ci, w, h, d, n)
  Input<Buffer<float, 5>> w{"w"};  ///< (co, ci, t_w, t_h, t_d)
  Input<Buffer<float, 1>> bias{"bias"};
  Output<Buffer<float, 5>> y{"y"};  ///< (co, w, h, d, n)

  void generate() {
    const upconv::generators::PhaseLayerSizes of{.input_size = input_size,
                                                 .extents = sizes(extents),
                                                 .filters = sizes(filters),
                                                 .strides = sizes(strides),
                                                 .offsets = sizes(offsets),
                                                 .lengths = sizes(lengths)};
    const bool clips = relu;
    y = upconv::generators::phase_layer(
        x, w, bias, of, [&](const Expr& sum) { return clips ? Halide::max(sum, 0.0f) : sum; });
    const auto [depth, height, width] = of.extents;
    fix_bounds(x, {input_size, width, height, depth, batch});
    fix_bounds(w, {output_size, input_size, of.filters[2], of.filters[1], of.filters[0]});
    fix_bounds(bias, {output_size});
    fix_bounds(y, {output_size, of.lengths[2], of.lengths[1], of.lengths[0], batch});
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(ConvTransposeLayer, conv_transpose_layer)
