#include "winograd_run.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernel_buffer.h"
#include "pixel_list.h"
#include "tile_arguments.h"

namespace upconv::internal {

namespace {

constexpr std::size_t kMostTransformTiles = 16;
/// Rounds of fewer tiles read the weights too often for what they do with them.
constexpr Index kFewTiles = 48;

/// An array of tiles: [d][h][w][channel] of each, and the distances in elements.
struct TileArray {
  std::byte* data = nullptr;
  Index extents[3] = {1, 1, 1};
  Index steps[3] = {};
  Index tile = 0;  ///< from tile to tile; 0 where tiles lie anywhere
};

/// Tiles one after the other, their elements `pitch` apart.
TileArray tiles_in(std::byte* data, const Index (&extents)[3], Index pitch) {
  TileArray array{.data = data};
  Index step = pitch;
  for (int axis = 2; axis >= 0; --axis) {
    array.extents[axis] = extents[axis];
    array.steps[axis] = step;
    step *= extents[axis];
  }
  array.tile = step;
  return array;
}

/// Points one after the other, of each all tiles `pitch` apart.
TileArray points_in(std::byte* data, const Index (&extents)[3], Index tiles, Index pitch) {
  TileArray array = tiles_in(data, extents, tiles * pitch);
  array.tile = pitch;
  return array;
}

/// Calls visit(index) for all positions in a tile but along the axes of a pass, where it is 0.
template <typename Kernel, typename Visit>
void for_each_other(const TransformPass<Kernel>& pass, const Index (&extents)[3], Visit visit) {
  Index end[3], at[3];
  for (int axis = 0; axis < 3; ++axis) {
    end[axis] = axis == pass.axis_u || axis == pass.axis_v ? 1 : extents[axis];
  }
  for (at[0] = 0; at[0] < end[0]; ++at[0]) {
    for (at[1] = 0; at[1] < end[1]; ++at[1]) {
      for (at[2] = 0; at[2] < end[2]; ++at[2]) visit(std::as_const(at));
    }
  }
}

Index offset_of(const Index (&at)[3], const Index (&steps)[3]) {
  return at[0] * steps[0] + at[1] * steps[1] + at[2] * steps[2];
}

/// A pass' steps along its axes: 0 where it has none.
struct PassSteps {
  std::int32_t u = 0, v = 0;
  Index lowest = 0;  ///< of all its elements from the first, at most 0

  template <typename Kernel>
  PassSteps(const TransformPass<Kernel>& pass, const TileArray& array) {
    const auto along = [&](int axis) -> std::int32_t {
      if (axis < 0) return 0;
      lowest += std::min<Index>(0, (array.extents[axis] - 1) * array.steps[axis]);
      return static_cast<std::int32_t>(array.steps[axis]);
    };
    u = along(pass.axis_u);
    v = along(pass.axis_v);
  }
};

/// Collects the pixels of a pass and calls run(in, pixel_in, out, pixel_out, steps ...) for them.
template <typename Kernel, typename Call>
auto pass_list(const TransformPass<Kernel>& pass, const TileArray& from, const TileArray& to,
               Index size, Call call) {
  const PassSteps in(pass, from), out(pass, to);
  auto run = [=](const Pixels<2>& pixels) {
    // The lowest element of all is what the offsets count from.
    std::array<std::int32_t, kTablePixels> pixel_in, pixel_out;
    for (std::size_t p = 0; p < static_cast<std::size_t>(pixels.count); ++p) {
      pixel_in[p] = static_cast<std::int32_t>(pixels.offsets[0][p] - in.lowest);
      pixel_out[p] = static_cast<std::int32_t>(pixels.offsets[1][p] - out.lowest);
    }
    Buffer<1> in_buffer = flat(from.data + (pixels.base[0] + in.lowest) * size);
    Buffer<1> out_buffer = flat(to.data + (pixels.base[1] + out.lowest) * size);
    Buffer<1> pi = flat(pixel_in.data(), pixels.count), po = flat(pixel_out.data(), pixels.count);
    call(&in_buffer.raw, &pi.raw, &po.raw, in.u, in.v, out.u, out.v, &out_buffer.raw);
  };
  return PixelList<2, decltype(run)>(run);
}

/// True where all elements of a tile are within the reach of a kernel's 32-bit offsets.
bool within_reach(const Index (&extents)[3], const Index (&steps)[3]) {
  Index reach = 0;
  for (int axis = 0; axis < 3; ++axis) {
    Index span = 0;
    if (__builtin_mul_overflow(extents[axis] - 1, std::abs(steps[axis]), &span) ||
        __builtin_add_overflow(reach, span, &reach)) {
      return false;
    }
  }
  return reach <= kLargestOffset;
}

Index aligned(Index elements) { return ceil_div(elements, 16) * 16; }

}  // namespace

/// One thread's scratch.
struct WinogradRunner::Memory {
  Memory(const WinogradLayout& layout, std::byte* memory) : at(memory) {
    const Index size = static_cast<Index>(size_of(layout.dtype));
    const auto take = [&](Index elements) {
      std::byte* taken = at;
      at += aligned(elements) * size;
      return taken;
    };
    points = take(layout.most_points * layout.round_tiles * layout.pitch);
    products = take(layout.most_points * layout.round_tiles * layout.group_channels);
    const Index tile = layout.most_points * std::max(layout.pitch, layout.group_channels);
    for (std::byte*& buffer : between) buffer = take(layout.transform_tiles * tile);
    apart = take(layout.transform_tiles * tile);
    zeros = take(layout.group_channels);
    pixel_x = reinterpret_cast<std::int32_t*>(at);
    pixel_y = pixel_x + kTablePixels;
    at += 2 * kTablePixels * static_cast<Index>(sizeof(std::int32_t));
  }

  std::byte* points;      ///< [point][tile][pitch]
  std::byte* products;    ///< [point][tile][channel]
  std::byte* between[2];  ///< tiles from one pass to the next
  std::byte* apart;       ///< tiles gathered from x, or not to be written to y as they are
  std::byte* zeros;       ///< for the sums to start with
  std::int32_t *pixel_x, *pixel_y;
  std::byte* at;  ///< the end
};

std::size_t winograd_scratch_bytes(const WinogradLayout& layout) {
  // Sizes are differences, wherever the memory is.
  alignas(64) std::byte none[1];
  return static_cast<std::size_t>(WinogradRunner::scratch_end(layout, none) - none);
}

std::byte* WinogradRunner::scratch_end(const WinogradLayout& layout, std::byte* memory) {
  return Memory(layout, memory).at;
}

/// A tile's place.
struct WinogradRunner::Tile {
  Index u[3];                  ///< of its first output
  Index x, y, residual;        ///< first elements of its image
  Index input[3];              ///< first input along each axis, may be outside x
  bool whole;                  ///< all inputs exist, in reach of a kernel
};

WinogradRunner::WinogradRunner(const WinogradLayout& layout, const Tensor& weights,
                               const Tensor& bias, const Call& call, int threads)
    : layout_(layout),
      weights_(weights),
      bias_(bias),
      call_(call),
      size_(static_cast<Index>(size_of(layout.dtype))) {
  const bool clamp = call.activation.is_clamp() && call.residual == nullptr;
  min_ = clamp ? call.activation.min() : -std::numeric_limits<double>::infinity();
  max_ = clamp ? call.activation.max() : std::numeric_limits<double>::infinity();
  if (!clamp) epilogue_ = find_epilogue(call.activation.kind(), layout_.dtype, layout_.isa);
  copy_ = find_epilogue(ActivationKind::kClamp, layout_.dtype, layout_.isa);

  for (int axis = 0; axis < 3; ++axis) {
    grids_[axis] = winograd_grids(layout.transforms[axis], call.axes[axis]);
  }
  for (const Grid& d : grids_[0]) {
    for (const Grid& h : grids_[1]) {
      for (const Grid& w : grids_[2]) add_class({&d, &h, &w});
    }
  }
  for (std::size_t at = 0; at < classes_.size(); ++at) add_units(at, threads);
}

void WinogradRunner::add_class(const std::array<const Grid*, 3>& grids) {
  Class added{.grid = {grids[0], grids[1], grids[2]},
              .tiles = call_.batch_count(),
              .passes = {},
              .products = {}};
  for (const Grid* grid : grids) added.tiles *= grid->tiles;
  added.passes =
      layout_.passes({grids[0]->transform, grids[1]->transform, grids[2]->transform});
  for (const WinogradPhase* d : grids[0]->phases) {
    for (const WinogradPhase* h : grids[1]->phases) {
      for (const WinogradPhase* w : grids[2]->phases) {
        for (const Part& part : layout_.parts) {
          const Index block = part.block_channels();
          // The padded block goes alone: its outputs need another way into y.
          const Index whole = part.channels / block;
          const Index step = std::max<Index>(1, layout_.group_channels / block);
          for (Index begin = 0; begin < part.blocks;) {
            const Index end = begin < whole ? std::min(begin + step, whole) : begin + 1;
            added.products.push_back({{d, h, w}, &part, begin, end});
            begin = end;
          }
        }
      }
    }
  }
  classes_.push_back(std::move(added));
}

void WinogradRunner::add_units(std::size_t at, int threads) {
  const Class& of = classes_[at];
  // Several units per thread, so that none waits long for the last: rounds of fewer tiles, and
  // where these would be too few, a part of the products each.
  const Index wanted = threads == 1 ? 1 : 4 * Index{threads};
  const Index rounds = std::max(ceil_div(of.tiles, layout_.round_tiles),
                                std::min(wanted, of.tiles / kFewTiles));
  const Index highest = layout_.parts.front().tiles[0].pixels;
  const Index tiles = std::min(ceil_div(ceil_div(of.tiles, rounds), highest) * highest,
                               layout_.round_tiles);
  const Index count = static_cast<Index>(of.products.size());
  const Index splits = std::clamp<Index>(wanted / rounds, 1, count);
  for (Index first = 0; first < of.tiles; first += tiles) {
    for (Index split = 0; split < splits; ++split) {
      units_.push_back({.at_class = at,
                        .first_tile = first,
                        .tiles = std::min(tiles, of.tiles - first),
                        .first_products = static_cast<std::size_t>(count * split / splits),
                        .end_products = static_cast<std::size_t>(count * (split + 1) / splits)});
    }
  }
}

void WinogradRunner::run(const Unit& unit, const Unit* last, std::span<std::byte> scratch) const {
  const Memory memory(layout_, scratch.data());
  const Class& of = classes_[unit.at_class];
  const bool kept =
      last != nullptr && last->at_class == unit.at_class && last->first_tile == unit.first_tile;
  if (!kept) {
    transform_inputs(of, unit, memory);
    std::memset(memory.zeros, 0, static_cast<std::size_t>(layout_.group_channels * size_));
  }
  for (std::size_t n = unit.first_products; n < unit.end_products; ++n) {
    multiply(of, of.products[n], unit, memory);
    transform_outputs(of, of.products[n], unit, memory);
  }
}

WinogradRunner::Tile WinogradRunner::tile_at(const Class& of, Index index) const {
  Tile tile{};
  Index extents[3];
  Index steps[3];
  tile.whole = true;
  for (int axis = 2; axis >= 0; --axis) {
    const Grid& grid = *of.grid[axis];
    const Index step = call_.axes[axis].phases->input_step();
    tile.u[axis] = grid.begin(index % grid.tiles, step);
    index /= grid.tiles;
    extents[axis] = grid.transform.points();
    steps[axis] = step * call_.x_strides[axis];
    tile.input[axis] = tile.u[axis] - (grid.transform.taps - 1) * step;
    const Index last = tile.input[axis] + (extents[axis] - 1) * step;
    tile.whole = tile.whole && tile.input[axis] >= 0 && last < call_.axes[axis].input;
  }
  tile.whole = tile.whole && within_reach(extents, steps);
  for (std::size_t axis = call_.batch_axes; axis-- > 0;) {
    const BatchAxis& batch = call_.batch[axis];
    const Index at = index % batch.extent;
    index /= batch.extent;
    tile.x += at * batch.x;
    tile.y += at * batch.y;
    tile.residual += at * batch.residual;
  }
  return tile;
}

void WinogradRunner::gather(const Class& of, const Tile& tile, std::byte* to) const {
  const std::size_t bytes = static_cast<std::size_t>(layout_.input_size * size_);
  const TransformPass<WinogradInputKernel> none{};
  Index extents[3];
  for (int axis = 0; axis < 3; ++axis) extents[axis] = of.grid[axis]->transform.points();
  for_each_other(none, extents, [&](const Index(&at)[3]) {
    Index from = tile.x;
    bool exists = true;
    for (int axis = 0; axis < 3; ++axis) {
      const Index input = tile.input[axis] + at[axis] * call_.axes[axis].phases->input_step();
      exists = exists && input >= 0 && input < call_.axes[axis].input;
      if (exists) from += input * call_.x_strides[axis];
    }
    if (exists) {
      std::memcpy(to, call_.x + from * size_, bytes);
    } else {
      std::memset(to, 0, bytes);
    }
    to += layout_.pitch * size_;
  });
}

void WinogradRunner::transform_inputs(const Class& of, const Unit& unit,
                                      const Memory& memory) const {
  Index extents[3];
  for (int axis = 0; axis < 3; ++axis) extents[axis] = of.grid[axis]->transform.points();
  // x itself: its tiles lie anywhere.
  TileArray in_x{.data = const_cast<std::byte*>(call_.x)};
  for (int axis = 0; axis < 3; ++axis) {
    in_x.extents[axis] = extents[axis];
    in_x.steps[axis] = call_.axes[axis].phases->input_step() * call_.x_strides[axis];
  }
  const TileArray gathered = tiles_in(memory.apart, extents, layout_.pitch);
  const TileArray points = points_in(memory.points, extents, unit.tiles, layout_.pitch);
  const auto run_pass = [&](std::size_t number, const TileArray& from, const TileArray& to,
                            auto begin_of) {
    const auto& pass = of.passes.input[number];
    auto list = pass_list(pass, from, to, size_,
                          [&](halide_buffer_t* in, halide_buffer_t* pixel_in,
                              halide_buffer_t* pixel_out, int in_u, int in_v, int out_u, int out_v,
                              halide_buffer_t* out) {
                            pass.kernel->function(in, pixel_in, pixel_out,
                                                  static_cast<std::int32_t>(layout_.input_size),
                                                  in_u, in_v, out_u, out_v, out);
                          });
    begin_of([&](Index in, Index out) {
      for_each_other(pass, extents, [&](const Index(&at)[3]) {
        list.add({in + offset_of(at, from.steps), out + offset_of(at, to.steps)});
      });
    });
    list.flush();
  };

  std::array<Tile, kMostTransformTiles> tiles;
  for (Index first = 0; first < unit.tiles; first += layout_.transform_tiles) {
    const Index count = std::min(layout_.transform_tiles, unit.tiles - first);
    for (Index n = 0; n < count; ++n) {
      Tile& tile = tiles[static_cast<std::size_t>(n)] = tile_at(of, unit.first_tile + first + n);
      if (!tile.whole) gather(of, tile, gathered.data + n * gathered.tile * size_);
    }
    const std::size_t passes = of.passes.input.size();
    TileArray from;
    for (std::size_t number = 0; number < passes; ++number) {
      TileArray to = tiles_in(memory.between[number % 2], extents, layout_.pitch);
      if (number + 1 == passes) {
        to = points;
        to.data += first * points.tile * size_;
      }
      if (number > 0) {
        run_pass(number, from, to, [&](auto add) {
          for (Index n = 0; n < count; ++n) add(n * from.tile, n * to.tile);
        });
      } else {
        const auto those = [&](bool whole) {
          return [&, whole](auto add) {
            for (Index n = 0; n < count; ++n) {
              const Tile& tile = tiles[static_cast<std::size_t>(n)];
              if (tile.whole != whole) continue;
              add(whole ? tile.x + offset_of(tile.input, call_.x_strides) : n * gathered.tile,
                  n * to.tile);
            }
          };
        };
        run_pass(number, in_x, to, those(true));
        run_pass(number, gathered, to, those(false));
      }
      from = to;
    }
  }
}

void WinogradRunner::multiply(const Class& of, const Products& products, const Unit& unit,
                              const Memory& memory) const {
  const Part& part = *products.part;
  const Index block = part.block_channels();
  const Index channels = (products.end - products.begin) * block;
  const Index points_h = layout_.transforms[1].points, points_w = layout_.transforms[2].points;
  Index points[3];
  for (int axis = 0; axis < 3; ++axis) points[axis] = of.grid[axis]->transform.points();
  const Index before =
      products.phase[0]->points_before * points_h * points_w +
      points[0] * (products.phase[1]->points_before * points_w +
                   points[1] * products.phase[2]->points_before);

  TileArguments arguments;
  arguments.input_size = layout_.input_size;
  std::fill(std::begin(arguments.taps), std::end(arguments.taps), 1);
  arguments.w_step = block;
  arguments.blocks = products.end - products.begin;
  arguments.block_w = layout_.rows() * block;
  arguments.init = memory.zeros;
  arguments.x = memory.points;
  arguments.y = memory.products;
  arguments.w = static_cast<const std::byte*>(weights_.data()) +
                (static_cast<Index>(part.offset) + products.begin * arguments.block_w +
                 before * layout_.input_size * block) *
                    size_;

  // The lowest tile's spare pixels repeat the last one.
  const TileKernel& tall = part.tiles[0];
  const Index whole = unit.tiles / tall.pixels * tall.pixels, rest = unit.tiles - whole;
  const TileKernel& low = part.tile_for(std::max<Index>(rest, 1));
  for (Index p = 0; p < whole + low.pixels; ++p) {
    const Index tile = std::min(p, unit.tiles - 1);
    memory.pixel_x[p] = static_cast<std::int32_t>(tile * layout_.pitch);
    memory.pixel_y[p] = static_cast<std::int32_t>(tile * channels);
  }
  const auto advance = [](auto& pointer, Index bytes) {
    using Byte = std::conditional_t<
        std::is_const_v<std::remove_pointer_t<std::remove_reference_t<decltype(pointer)>>>,
        const std::byte, std::byte>;
    pointer = static_cast<Byte*>(pointer) + bytes;
  };
  for (Index point = 0; point < points[0] * points[1] * points[2]; ++point) {
    if (whole > 0) {
      run_tile_kernel(tall, arguments, memory.pixel_x, kNoOffsets, memory.pixel_y, whole);
    }
    if (rest > 0) {
      run_tile_kernel(low, arguments, memory.pixel_x + whole, kNoOffsets, memory.pixel_y + whole,
                      low.pixels);
    }
    advance(arguments.x, unit.tiles * layout_.pitch * size_);
    advance(arguments.y, unit.tiles * channels * size_);
    advance(arguments.w, layout_.input_size * block * size_);
  }
}

void WinogradRunner::transform_outputs(const Class& of, const Products& products, const Unit& unit,
                                       const Memory& memory) const {
  const Part& part = *products.part;
  const Index block = part.block_channels();
  const Index channels = (products.end - products.begin) * block;
  const Index first_channel = part.first_channel + products.begin * block;
  const Index real_channels = std::min(channels, part.first_channel + part.channels - first_channel);

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
  const bool reachable = real_channels == channels && within_reach(outputs, in_y.steps);
  const TileArray apart = tiles_in(memory.apart, outputs, channels);
  TileArray sums = points_in(memory.products, points, unit.tiles, channels);

  const std::byte* bias = static_cast<const std::byte*>(bias_.data()) + first_channel * size_;
  const auto run_pass = [&](std::size_t number, const TileArray& from, const TileArray& to,
                            auto begin_of) {
    const auto& pass = of.passes.output[number];
    const bool last = number + 1 == of.passes.output.size();
    Buffer<1> bias_buffer = flat(last ? bias : memory.zeros);
    const double none = std::numeric_limits<double>::infinity();
    // The steps are those of the pass' own axes on either side, points before and outputs behind.
    auto list = pass_list(pass, from, to, size_,
                          [&](halide_buffer_t* in, halide_buffer_t* pixel_in,
                              halide_buffer_t* pixel_out, int in_u, int in_v, int out_u, int out_v,
                              halide_buffer_t* out) {
                            pass.kernel->function(in, pixel_in, pixel_out,
                                                  static_cast<std::int32_t>(channels), in_u, in_v,
                                                  out_u, out_v, &bias_buffer.raw,
                                                  last ? min_ : -none, last ? max_ : none, out);
                          });
    begin_of([&](Index in, Index out) {
      for_each_other(pass, from.extents, [&](const Index(&at)[3]) {
        list.add({in + offset_of(at, from.steps), out + offset_of(at, to.steps)});
      });
    });
    list.flush();
  };

  std::array<Tile, kMostTransformTiles> whole, others;
  for (Index first = 0; first < unit.tiles; first += layout_.transform_tiles) {
    const Index count = std::min(layout_.transform_tiles, unit.tiles - first);
    std::size_t whole_count = 0, other_count = 0;
    std::array<Index, kMostTransformTiles> place;  // in y or `apart`
    std::array<bool, kMostTransformTiles> is_whole;
    for (Index n = 0; n < count; ++n) {
      const std::size_t at = static_cast<std::size_t>(n);
      const Tile tile = tile_at(of, unit.first_tile + first + n);
      bool inside = reachable;
      Index y = tile.y;
      for (int axis = 0; axis < 3; ++axis) {
        const Index o = tile.u[axis] * call_.axes[axis].phases->stride() + origin[axis];
        const Index last = o + (outputs[axis] - 1) * step[axis];
        inside = inside && o >= 0 && last < call_.axes[axis].window.output;
        y += o * call_.y_strides[axis];
      }
      is_whole[at] = inside;
      if (inside) {
        place[at] = y;
        whole[whole_count++] = tile;
      } else {
        place[at] = static_cast<Index>(other_count) * apart.tile;
        others[other_count++] = tile;
      }
    }
    TileArray from = sums;
    from.data += first * sums.tile * size_;
    for (std::size_t number = 0; number + 1 < of.passes.output.size(); ++number) {
      const auto& pass = of.passes.output[number];
      Index extents[3] = {from.extents[0], from.extents[1], from.extents[2]};
      for (const int axis : {pass.axis_u, pass.axis_v}) {
        if (axis >= 0) extents[axis] = outputs[axis];
      }
      const TileArray to = tiles_in(memory.between[number % 2], extents, channels);
      run_pass(number, from, to, [&](auto add) {
        for (Index n = 0; n < count; ++n) add(n * from.tile, n * to.tile);
      });
      from = to;
    }
    const auto those = [&](bool inside) {
      return [&, inside](auto add) {
        for (Index n = 0; n < count; ++n) {
          const std::size_t at = static_cast<std::size_t>(n);
          if (is_whole[at] == inside) add(n * from.tile, place[at]);
        }
      };
    };
    run_pass(of.passes.output.size() - 1, from, in_y, those(true));
    run_pass(of.passes.output.size() - 1, from, apart, those(false));
    const Outputs all{.tile_outputs = {outputs[0], outputs[1], outputs[2]},
                      .step = {step[0], step[1], step[2]},
                      .origin = {origin[0], origin[1], origin[2]},
                      .first_channel = first_channel,
                      .channels = real_channels};
    if (epilogue_ != nullptr) finish(*epilogue_, all, {whole.data(), whole_count}, nullptr, 0);
    finish(epilogue_ != nullptr ? *epilogue_ : *copy_, all, {others.data(), other_count},
           apart.data, channels);
  }
}

void WinogradRunner::finish(const EpilogueKernel& epilogue, const Outputs& outputs,
                            std::span<const Tile> tiles, const std::byte* in,
                            Index in_pitch) const {
  if (tiles.empty()) return;
  const bool residual = call_.residual != nullptr;
  const double p0 = epilogue.p0(call_.activation), p1 = epilogue.p1(call_.activation);
  const std::byte* from = in != nullptr ? in : call_.y + outputs.first_channel * size_;
  auto run = [&](const Pixels<3>& pixels) {
    Buffer<1> in_buffer = flat(from + pixels.base[0] * size_);
    Buffer<1> out_buffer =
        flat(call_.y + (outputs.first_channel + pixels.base[1]) * size_);
    Buffer<1> residual_buffer =
        flat(residual ? call_.residual + (outputs.first_channel + pixels.base[2]) * size_ : from);
    Buffer<1> pi = flat(pixels.offsets[0].data(), pixels.count);
    Buffer<1> po = flat(pixels.offsets[1].data(), pixels.count);
    Buffer<1> pr = flat(pixels.offsets[2].data(), pixels.count);
    epilogue.function(&in_buffer.raw, &residual_buffer.raw, &pi.raw, &pr.raw, &po.raw,
                      static_cast<std::int32_t>(outputs.channels), residual ? 1 : 0, p0, p1,
                      &out_buffer.raw);
  };
  PixelList<3, decltype(run)> list(run);
  const TransformPass<WinogradOutputKernel> none{};
  Index pixel = 0;
  for (const Tile& tile : tiles) {
    for_each_other(none, outputs.tile_outputs, [&](const Index(&at)[3]) {
      const Index in_at = pixel++ * in_pitch;
      Index y = tile.y, r = tile.residual;
      for (int axis = 0; axis < 3; ++axis) {
        const CallAxis& of_call = call_.axes[axis];
        const Index o = tile.u[axis] * of_call.phases->stride() + outputs.origin[axis] +
                        at[axis] * outputs.step[axis];
        if (o < 0 || o >= of_call.window.output) return;
        y += o * call_.y_strides[axis];
        r += o * call_.residual_strides[axis];
      }
      list.add({in != nullptr ? in_at : y, y, residual ? r : 0});
    });
  }
  list.flush();
}

}  // namespace upconv::internal
