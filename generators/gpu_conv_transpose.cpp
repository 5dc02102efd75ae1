// The generator of a GPU's kernel: inputs, algorithm, schedule.
#include "gpu_tile.h"

namespace {

class GpuConvTranspose : public Halide::Generator<GpuConvTranspose> {
  using Integers = Input<int32_t[3]>;  ///< d, h, w

 public:
  Input<Buffer<float, 1>> x{"x"};
  Input<Buffer<float, 1>> w{"w"};
  Input<Buffer<float, 1>> bias{"bias"};
  Input<Buffer<float, 1>> residual{"residual"};
  Input<int32_t> images{"images"};
  Input<int32_t> input_size{"input_size"}, output_size{"output_size"};
  Input<int32_t> residual_size{"residual_size"};  ///< elements; 0 for none
  Integers input{"input"}, output{"output"}, filter{"filter"}, stride{"stride"}, offset{"offset"};
  Integers first_q{"first_q"}, positions{"positions"};
  Integers tap_step{"tap_step"}, input_step{"input_step"}, inverse{"inverse"};
  Input<float> min{"min"}, max{"max"};
  Output<Buffer<float, 1>> y{"y"};

  void generate() {
    upconv::generators::GpuInputs in{.x = x,
                                     .w = w,
                                     .bias = bias,
                                     .residual = residual,
                                     .x_size = x.dim(0).extent(),
                                     .w_size = w.dim(0).extent(),
                                     .y_size = y.dim(0).extent(),
                                     .residual_size = residual_size,
                                     .images = images,
                                     .input_size = input_size,
                                     .output_size = output_size,
                                     .min = min,
                                     .max = max,
                                     .axes = {}};
    for (size_t a = 0; a < 3; ++a) {
      in.axes[a] = {input[a],   output[a],    filter[a],   stride[a],     offset[a],
                    first_q[a], positions[a], tap_step[a], input_step[a], inverse[a]};
    }
    for (auto* buffer : {&x, &w, &bias, &residual}) buffer->dim(0).set_min(0);
    const upconv::generators::GpuTile tile;
    upconv::generators::GpuPhases f(in, tile, y);
    upconv::schedules::schedule_gpu_tile(f, tile);
    y.dim(0).set_min(0);
    sums_ = f.sum.name();
    share_ = tile.thread_channels * tile.thread_pixels;
  }

  void schedule() {
    get_pipeline().add_custom_lowering_pass(new upconv::schedules::GpuLowering(sums_, share_));
  }

 private:
  std::string sums_;
  int share_ = 0;
};

}  // namespace

HALIDE_REGISTER_GENERATOR(GpuConvTranspose, gpu_conv_transpose)
