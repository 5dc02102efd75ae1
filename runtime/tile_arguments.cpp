#include "tile_arguments.h"

#include "kernel_buffer.h"

namespace upconv::UPCONV_ABI::internal {

void run_tile_kernel(const TileKernel& kernel, const TileArguments& a, const std::int32_t* pixel_x,
                     const std::int32_t* pixel_init, const std::int32_t* pixel_y, Index count) {
  Buffer<1> x = flat(a.x), init = flat(a.init), y = flat(a.y);
  const auto block_step = [&](std::int32_t step) {
    return step == TileArguments::kAdjacent ? kernel.lanes * kernel.vectors : step;
  };
  Buffer<1> px = flat(pixel_x, count), pi = flat(pixel_init, count), py = flat(pixel_y, count);
  if (kernel.listed != nullptr) {
    const Index rows = a.taps[0] * a.taps[1] * a.taps[2] * a.input_size;
    Buffer<1> w = flat(a.w), rx = flat(a.row_x, rows), rw = flat(a.row_w, rows);
    kernel.listed(&x.raw, &w.raw, &init.raw, &px.raw, &pi.raw, &py.raw, &rx.raw, &rw.raw,
                  static_cast<std::int32_t>(a.blocks), static_cast<std::int32_t>(a.block_w),
                  block_step(a.block_init), block_step(a.block_y), a.min, a.max, &y.raw);
    return;
  }
  Buffer<6> w(a.w,
              {Index{kernel.lanes} * kernel.vectors, a.input_size, a.taps[2], a.taps[1], a.taps[0],
               a.blocks},
              {1, a.w_step, a.tap_w[2], a.tap_w[1], a.tap_w[0], a.block_w});
  kernel.function(&x.raw, &w.raw, &init.raw, &px.raw, &pi.raw, &py.raw,
                  static_cast<std::int32_t>(a.input_size), static_cast<std::int32_t>(a.taps[0]),
                  static_cast<std::int32_t>(a.taps[1]), static_cast<std::int32_t>(a.taps[2]),
                  a.tap_x[0], a.tap_x[1], a.tap_x[2], block_step(a.block_init),
                  block_step(a.block_y), a.far, a.min, a.max, &y.raw);
}

}  // namespace upconv::UPCONV_ABI::internal
