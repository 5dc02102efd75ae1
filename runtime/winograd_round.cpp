// What a round does: inputs to points, products, outputs.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "tile_arguments.h"
#include "winograd_memory.h"
#include "winograd_pass.h"
#include "winograd_run.h"

namespace upconv::UPCONV_ABI::internal {

void WinogradRunner::gather(const Class& of, const Tile& tile, std::byte* to) const {
  const std::size_t bytes = static_cast<std::size_t>(layout_.input_size * size_);
  Index extents[3];
  for (int axis = 0; axis < 3; ++axis) extents[axis] = of.grid[axis]->transform.points();
  for_each_position(extents, [&](const Index(&at)[3]) {
    Index from = tile.x;
    bool exists = true;
    for (int axis = 0; axis < 3; ++axis) {
      const Index further = at[axis] * call_.axes[axis].phases->input_step();
      const Index input = tile.input[axis] + further;
      exists = exists && input >= 0 && input < call_.axes[axis].input;
      from += further * call_.x_strides[axis];
    }
    if (exists) {
      std::memcpy(to, call_.x + from * size_, bytes);
    } else {
      std::memset(to, 0, bytes);
    }
    to += layout_.pitch * size_;
  });
}

void WinogradRunner::transform_inputs(const Class& of, Index tiles, const Memory& memory) const {
  Index extents[3];
  // x itself: its tiles lie anywhere.
  TileArray in_x{.data = const_cast<std::byte*>(call_.x)};
  for (int axis = 0; axis < 3; ++axis) {
    extents[axis] = in_x.extents[axis] = of.grid[axis]->transform.points();
    in_x.steps[axis] = call_.axes[axis].phases->input_step() * call_.x_strides[axis];
  }
  const TileArray gathered = tiles_in(memory.apart, extents, layout_.pitch);
  const TileArray points = points_in(memory.points, extents, tiles, layout_.pitch);
  // Tiles from where they are to the points.
  const auto transform = [&](const TileArray& from, Places& in, const Places& out, Index count) {
    run_passes(of.passes->input, from, in, points, out, count, extents, memory.between,
               layout_.pitch, size_,
               [&](const WinogradInputKernel& kernel, bool, const TransformCall& call) {
                 kernel.function(call.in, call.pixel_in, call.pixel_out,
                                 static_cast<std::int32_t>(layout_.input_size), call.in_u,
                                 call.in_v, call.out_u, call.out_v, call.out);
               });
  };
  Places in_whole, out_whole, in_gathered, out_gathered;
  const Index most = of.passes->input.count == 1 ? tiles : layout_.transform_tiles;
  Index whole = 0, others = 0;
  const auto transform_whole = [&] {
    if (whole > 0) transform(in_x, in_whole, out_whole, whole);
    whole = 0;
  };
  const auto transform_gathered = [&] {
    if (others > 0) transform(gathered, in_gathered, out_gathered, others);
    others = 0;
  };
  for (Index n = 0; n < tiles; ++n) {
    const Tile& tile = memory.tiles[n];
    if (tile.whole) {
      const std::size_t at = static_cast<std::size_t>(whole++);
      in_whole[at] = tile.x;
      out_whole[at] = n * points.tile;
      if (whole == most) transform_whole();
    } else {
      const std::size_t at = static_cast<std::size_t>(others);
      in_gathered[at] = others * gathered.tile;
      out_gathered[at] = n * points.tile;
      gather(of, tile, gathered.data + others * gathered.tile * size_);
      if (++others == layout_.transform_tiles) transform_gathered();
    }
  }
  transform_whole();
  transform_gathered();
}

void WinogradRunner::multiply(const Class& of, const Products& products, Index tiles,
                              const Memory& memory) const {
  const Part& part = *products.part;
  const Index block = part.block_channels();
  const Index channels = (products.end - products.begin) * block;
  const Index points_h = layout_.by_axis[1].points, points_w = layout_.by_axis[2].points;
  Index points[3];
  for (int axis = 0; axis < 3; ++axis) points[axis] = of.grid[axis]->transform.points();
  const Index before = products.phase[0]->points_before * points_h * points_w +
                       points[0] * (products.phase[1]->points_before * points_w +
                                    points[1] * products.phase[2]->points_before);

  TileArguments arguments;
  arguments.input_size = layout_.input_size;
  std::fill(std::begin(arguments.taps), std::end(arguments.taps), 1);
  arguments.w_step = block;
  arguments.blocks = products.end - products.begin;
  arguments.block_w = layout_.rows() * block;
  arguments.init = memory.zeros;

  // The lowest tile's spare pixels repeat the last one.
  const TileKernel& tall = part.tiles[0];
  const Index whole = tiles / tall.pixels * tall.pixels, rest = tiles - whole;
  const TileKernel& low = tile_for(part.tiles, std::max<Index>(rest, 1));
  for (Index p = 0; p < whole + low.pixels; ++p) {
    const Index tile = std::min(p, tiles - 1);
    memory.pixel_x[p] = static_cast<std::int32_t>(tile * layout_.pitch);
    memory.pixel_y[p] = static_cast<std::int32_t>(tile * channels);
  }
  const auto* weights = static_cast<const std::byte*>(weights_.data()) +
                        (static_cast<Index>(part.offset) + products.begin * arguments.block_w +
                         before * layout_.input_size * block) *
                            size_;
  for (Index point = 0; point < points[0] * points[1] * points[2]; ++point) {
    arguments.x = memory.points + point * tiles * layout_.pitch * size_;
    arguments.w = weights + point * layout_.input_size * block * size_;
    arguments.y = memory.products + point * tiles * channels * size_;
    if (whole > 0) {
      run_tile_kernel(tall, arguments, memory.pixel_x, kNoOffsets, memory.pixel_y, whole);
    }
    if (rest > 0) {
      run_tile_kernel(low, arguments, memory.pixel_x + whole, kNoOffsets, memory.pixel_y + whole,
                      low.pixels);
    }
  }
}

void WinogradRunner::transform_outputs(const Class& of, const Products& products, Index tiles,
                                       const Memory& memory) const {
  const Part& part = *products.part;
  const Index block = part.block_channels();
  const Index channels = (products.end - products.begin) * block;
  const Index first_channel = part.first_channel + products.begin * block;
  const Index real_channels =
      std::min(channels, part.first_channel + part.channels - first_channel);

  Index points[3], outputs[3], step[3], origin[3];
  TileArray in_y{.data = call_.y + first_channel * size_};
  for (int axis = 0; axis < 3; ++axis) {
    const CallAxis& of_call = call_.axes[axis];
    const Phase& phase = products.phase[axis]->phase;
    points[axis] = of.grid[axis]->transform.points();
    outputs[axis] = of.grid[axis]->transform.outputs;
    step[axis] = of_call.phases->input_step() * of_call.phases->stride();
    origin[axis] = phase.origin * of_call.phases->stride() + phase.residue - of_call.window.offset;
    in_y.extents[axis] = outputs[axis];
    // With one output per tile there is no step, and the product may not fit.
    in_y.steps[axis] = outputs[axis] > 1 ? step[axis] * call_.y_strides[axis] : 0;
  }
  const bool folded = layout_.factor() > 1;
  const bool reachable = !folded && real_channels == channels && within_reach(outputs, in_y.steps);
  const TileArray apart = tiles_in(memory.apart, outputs, channels);
  const TileArray sums = points_in(memory.products, points, tiles, channels);
  const std::byte* bias = static_cast<const std::byte*>(bias_.data()) + first_channel * size_;
  // Tiles from the sums to where they go.
  const auto transform = [&](Places& in, const TileArray& to, const Places& out, Index count) {
    run_passes(of.passes->output, sums, in, to, out, count, outputs, memory.between, channels,
               size_,
               [&](const WinogradOutputKernel& kernel, bool last, const TransformCall& call) {
                 constexpr double kNone = std::numeric_limits<double>::infinity();
                 Buffer<1> bias_buffer = flat(last ? bias : memory.zeros);
                 kernel.function(call.in, call.pixel_in, call.pixel_out,
                                 static_cast<std::int32_t>(channels), call.in_u, call.in_v,
                                 call.out_u, call.out_v, &bias_buffer.raw, last ? min_ : -kNone,
                                 last ? max_ : kNone, call.out);
               });
  };
  const Outputs all{.tile_outputs = {outputs[0], outputs[1], outputs[2]},
                    .step = {step[0], step[1], step[2]},
                    .origin = {origin[0], origin[1], origin[2]},
                    .first_channel = first_channel,
                    .channels = real_channels};
  Places in_whole, out_whole, in_others, out_others;
  std::array<std::int32_t, static_cast<std::size_t>(kTablePixels)> whole_tiles, other_tiles;
  const Index most = of.passes->output.count == 1 ? tiles : layout_.transform_tiles;
  Index whole = 0, others = 0;
  const auto write_whole = [&] {
    if (whole == 0) return;
    transform(in_whole, in_y, out_whole, whole);
    if (epilogue_ != nullptr) {
      finish(*epilogue_, all, memory.tiles, whole_tiles.data(), whole, nullptr, 0);
    }
    whole = 0;
  };
  const auto write_others = [&] {
    if (others == 0) return;
    transform(in_others, apart, out_others, others);
    if (folded) {
      deal(all, memory.tiles, other_tiles.data(), others, apart.data, channels);
    } else {
      finish(epilogue_ != nullptr ? *epilogue_ : *copy_, all, memory.tiles, other_tiles.data(),
             others, apart.data, channels);
    }
    others = 0;
  };
  const Index y_origin = offset_of(origin, call_.y_strides);
  Index room[3];  // for the first output of a tile, such that the last is inside the window
  for (int axis = 0; axis < 3; ++axis) {
    room[axis] = call_.axes[axis].window.output - (outputs[axis] - 1) * step[axis];
  }
  for (Index n = 0; n < tiles; ++n) {
    const Tile& tile = memory.tiles[n];
    bool inside = reachable;
    for (int axis = 0; axis < 3; ++axis) {
      const Index o = tile.o[axis] + origin[axis];
      inside = inside && o >= 0 && o < room[axis];
    }
    if (inside) {
      const std::size_t at = static_cast<std::size_t>(whole++);
      whole_tiles[at] = static_cast<std::int32_t>(n);
      in_whole[at] = n * sums.tile;
      out_whole[at] = tile.y + y_origin;
      if (whole == most) write_whole();
    } else {
      const std::size_t at = static_cast<std::size_t>(others);
      other_tiles[at] = static_cast<std::int32_t>(n);
      in_others[at] = n * sums.tile;
      out_others[at] = others * apart.tile;
      if (++others == layout_.transform_tiles) write_others();
    }
  }
  write_whole();
  write_others();
}

void WinogradRunner::finish(const EpilogueKernel& epilogue, const Outputs& outputs,
                            const Tile* tiles, const std::int32_t* which, Index tile_count,
                            const std::byte* in, Index in_pitch) const {
  const double p0 = epilogue.p0(call_.activation), p1 = epilogue.p1(call_.activation);
  std::byte* y = call_.y + outputs.first_channel * size_;
  const bool residual = call_.residual != nullptr;
  const std::byte* r = residual ? call_.residual + outputs.first_channel * size_ : y;
  const std::byte* from = in != nullptr ? in : y;
  Places pixel_in, pixel_y, pixel_r;
  Index count = 0;
  const auto launch = [&](const auto& self, Index first, Index pixels) -> void {
    const Origin oi(pixel_in.data() + first, pixels), oy(pixel_y.data() + first, pixels);
    const Origin orr(pixel_r.data() + first, pixels);
    if (std::max({oi.span, oy.span, orr.span}) > kLargestOffset) {  // one pixel has no span
      self(self, first, pixels / 2);
      self(self, first + pixels / 2, pixels - pixels / 2);
      return;
    }
    Offsets offsets_in, offsets_y, offsets_r;
    oi.fill(pixel_in.data() + first, pixels, offsets_in.data(), 0);
    oy.fill(pixel_y.data() + first, pixels, offsets_y.data(), 0);
    orr.fill(pixel_r.data() + first, pixels, offsets_r.data(), 0);
    Buffer<1> in_buffer = flat(from + oi.lowest * size_);
    Buffer<1> out_buffer = flat(y + oy.lowest * size_);
    Buffer<1> residual_buffer = flat(r + orr.lowest * size_);
    Buffer<1> pi = flat(offsets_in.data(), pixels), py = flat(offsets_y.data(), pixels);
    Buffer<1> pr = flat(offsets_r.data(), pixels);
    epilogue.function(&in_buffer.raw, &residual_buffer.raw, &pi.raw, &pr.raw, &py.raw,
                      static_cast<std::int32_t>(outputs.channels), residual ? 1 : 0, p0, p1,
                      &out_buffer.raw);
  };
  const auto flush = [&] {
    if (count > 0) launch(launch, 0, count);
    count = 0;
  };
  Index pixel = 0;
  const Index y_origin = offset_of(outputs.origin, call_.y_strides);
  const Index r_origin = offset_of(outputs.origin, call_.residual_strides);
  for (Index n = 0; n < tile_count; ++n) {
    const Tile& tile = tiles[which[n]];
    for_each_position(outputs.tile_outputs, [&](const Index(&at)[3]) {
      const Index in_at = pixel++ * in_pitch;
      Index y_at = tile.y + y_origin, r_at = tile.residual + r_origin;
      for (int axis = 0; axis < 3; ++axis) {
        const Index further = at[axis] * outputs.step[axis];
        const Index o = tile.o[axis] + outputs.origin[axis] + further;
        if (o < 0 || o >= call_.axes[axis].window.output) return;
        y_at += further * call_.y_strides[axis];
        r_at += further * call_.residual_strides[axis];
      }
      if (count == kTablePixels) flush();
      const std::size_t to = static_cast<std::size_t>(count++);
      pixel_in[to] = in != nullptr ? in_at : y_at;
      pixel_y[to] = y_at;
      pixel_r[to] = residual ? r_at : 0;
    });
  }
  flush();
}

}  // namespace upconv::UPCONV_ABI::internal
