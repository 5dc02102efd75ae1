#include "winograd_run.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernel_buffer.h"
#include "tile_arguments.h"

namespace upconv::internal {

namespace {

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

/// Calls visit(position) for all positions in a tile, w fastest.
template <typename Visit>
void for_each_position(const Index (&end)[3], Visit visit) {
  Index at[3];
  for (at[0] = 0; at[0] < end[0]; ++at[0]) {
    for (at[1] = 0; at[1] < end[1]; ++at[1]) {
      for (at[2] = 0; at[2] < end[2]; ++at[2]) visit(std::as_const(at));
    }
  }
}

/// Calls visit(position) for all positions in a tile but along the axes of a pass, where it is 0.
template <typename Kernel, typename Visit>
void for_each_other(const TransformPass<Kernel>& pass, const Index (&extents)[3], Visit visit) {
  Index end[3];
  for (int axis = 0; axis < 3; ++axis) {
    end[axis] = axis == pass.axis_u || axis == pass.axis_v ? 1 : extents[axis];
  }
  for_each_position(end, visit);
}

Index offset_of(const Index (&at)[3], const Index (&steps)[3]) {
  return at[0] * steps[0] + at[1] * steps[1] + at[2] * steps[2];
}

/// Where the pixels of a kernel's call begin in an array, in elements.
using Places = std::array<Index, static_cast<std::size_t>(kTablePixels)>;
using Offsets = std::array<std::int32_t, static_cast<std::size_t>(kTablePixels)>;

/// The lowest of some places, and the others' distances from it.
struct Origin {
  Index lowest = 0, span = 0;

  Origin(const Index* places, Index count) {
    lowest = *std::min_element(places, places + count);
    span = *std::max_element(places, places + count) - lowest;
  }
  void fill(const Index* places, Index count, std::int32_t* offsets, Index shift) const {
    for (Index p = 0; p < count; ++p) {
      offsets[p] = static_cast<std::int32_t>(places[p] - lowest + shift);
    }
  }
};

/// A pass' steps along its axes in an array: 0 where it has none.
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

/// Arguments of a transform kernel.
struct TransformCall {
  halide_buffer_t *in, *pixel_in, *pixel_out;
  std::int32_t in_u, in_v, out_u, out_v;
  halide_buffer_t* out;
};

/// Calls kernel(arguments) for the tiles that begin at `in` in one array and at `out` in the other.
template <typename Kernel, typename Call>
class PassRunner {
 public:
  PassRunner(const TransformPass<Kernel>& pass, const TileArray& from, const TileArray& to,
             Index size, Call kernel)
      : pass_(pass), from_(from), to_(to), in_(pass, from), out_(pass, to), size_(size),
        kernel_(kernel) {}

  void run(const Index* in, const Index* out, Index tiles) const {
    Places pixel_in, pixel_out;
    std::size_t count = 0;
    const auto flush = [&] {
      if (count > 0) launch(pixel_in.data(), pixel_out.data(), static_cast<Index>(count));
      count = 0;
    };
    for (Index tile = 0; tile < tiles; ++tile) {
      for_each_other(pass_, from_.extents, [&](const Index(&at)[3]) {
        if (count == pixel_in.size()) flush();
        pixel_in[count] = in[tile] + offset_of(at, from_.steps);
        pixel_out[count++] = out[tile] + offset_of(at, to_.steps);
      });
    }
    flush();
  }

 private:
  void launch(const Index* pixel_in, const Index* pixel_out, Index count) const {
    const Origin in(pixel_in, count), out(pixel_out, count);
    if (std::max(in.span, out.span) > kLargestOffset) {  // one pixel has no span
      launch(pixel_in, pixel_out, count / 2);
      launch(pixel_in + count / 2, pixel_out + count / 2, count - count / 2);
      return;
    }
    Offsets offsets_in, offsets_out;
    in.fill(pixel_in, count, offsets_in.data(), -in_.lowest);
    out.fill(pixel_out, count, offsets_out.data(), -out_.lowest);
    Buffer<1> in_buffer = flat(from_.data + (in.lowest + in_.lowest) * size_);
    Buffer<1> out_buffer = flat(to_.data + (out.lowest + out_.lowest) * size_);
    Buffer<1> pi = flat(offsets_in.data(), count), po = flat(offsets_out.data(), count);
    kernel_(TransformCall{&in_buffer.raw, &pi.raw, &po.raw, in_.u, in_.v, out_.u, out_.v,
                          &out_buffer.raw});
  }

  const TransformPass<Kernel>& pass_;
  const TileArray &from_, &to_;
  PassSteps in_, out_;
  Index size_;
  Call kernel_;
};

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

/// Blocks of a part whose channels y all has.
Index whole_blocks(const Part& part) { return part.channels / part.block_channels(); }

/// Blocks of a part that are computed at once.
Index group_blocks(const WinogradLayout& layout, const Part& part) {
  return std::max<Index>(1, layout.group_channels / part.block_channels());
}

Index groups_of(const WinogradLayout& layout, const Part& part) {
  const Index whole = whole_blocks(part);
  return ceil_div(whole, group_blocks(layout, part)) + part.blocks - whole;
}

Index aligned(Index elements) { return ceil_div(elements, 16) * 16; }

}  // namespace

/// A tile's place.
struct WinogradRunner::Tile {
  Index input[3];     ///< first input along each axis, may be outside x
  Index o[3];         ///< u of its first output, times the stride
  Index image;        ///< first element of its image in x
  Index y, residual;  ///< of o in the image's outputs
  bool whole;         ///< all inputs exist, in reach of a kernel
};

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
    tiles = reinterpret_cast<Tile*>(at);
    at += kTablePixels * static_cast<Index>(sizeof(Tile));
  }

  std::byte* points;      ///< [point][tile][pitch]
  std::byte* products;    ///< [point][tile][channel]
  std::byte* between[2];  ///< tiles from one pass to the next
  std::byte* apart;       ///< tiles gathered from x, or not to be written to y as they are
  std::byte* zeros;       ///< for the sums to start with
  std::int32_t *pixel_x, *pixel_y;
  Tile* tiles;    ///< of the round
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

WinogradRunner::WinogradRunner(const WinogradLayout& layout, const Tensor& weights,
                               const Tensor& bias, const Call& call, int threads)
    : layout_(layout),
      weights_(weights),
      bias_(bias),
      call_(call),
      size_(static_cast<Index>(size_of(layout.dtype))),
      threads_(threads),
      grids_{{layout.by_axis[0], call.axes[0]},
             {layout.by_axis[1], call.axes[1]},
             {layout.by_axis[2], call.axes[2]}} {
  const bool clamp = call.activation.is_clamp() && call.residual == nullptr;
  min_ = clamp ? call.activation.min() : -std::numeric_limits<double>::infinity();
  max_ = clamp ? call.activation.max() : std::numeric_limits<double>::infinity();
  if (!clamp) epilogue_ = find_epilogue(call.activation.kind(), layout_.dtype, layout_.isa);
  copy_ = find_epilogue(ActivationKind::kClamp, layout_.dtype, layout_.isa);
  for (const Part& part : layout_.parts) groups_ += groups_of(layout_, part);
  for (Index at = 0; at < classes(); ++at) units_ += class_at(at, 0).units;
}

Index WinogradRunner::classes() const {
  Index count = 1;
  for (const AxisGrids& grids : grids_) count *= static_cast<Index>(grids.grids().size());
  return count;
}

WinogradRunner::Class WinogradRunner::class_at(Index at, Index first_unit) const {
  Class of{.tiles = call_.batch_count(), .products = groups_, .first_unit = first_unit};
  for (int axis = 2; axis >= 0; --axis) {
    const std::span<const Grid> grids = grids_[axis].grids();
    const Grid& grid = grids[static_cast<std::size_t>(at) % grids.size()];
    at /= static_cast<Index>(grids.size());
    of.grid[axis] = &grid;
    of.tiles *= grid.tiles;
    of.products *= static_cast<Index>(grid.phases);
  }
  of.passes = &layout_.passes[of.grid[0]->kind][of.grid[1]->kind][of.grid[2]->kind];

  // Several units per thread, so that none waits long for the last: rounds of fewer tiles, and
  // where these would be too few, a part of the products each.
  const Index wanted = threads_ == 1 ? 1 : 4 * Index{threads_};
  const Index rounds = std::max(ceil_div(of.tiles, layout_.round_tiles),
                                std::min(wanted, of.tiles / kFewTiles));
  const Index highest = layout_.parts.front().tiles[0].pixels;
  of.round_tiles = std::min(ceil_div(ceil_div(of.tiles, rounds), highest) * highest,
                            layout_.round_tiles);
  of.splits = std::clamp<Index>(wanted / rounds, 1, of.products);
  of.units = ceil_div(of.tiles, of.round_tiles) * of.splits;
  return of;
}

WinogradRunner::Products WinogradRunner::products_at(const Class& of, Index at) const {
  Products products{};
  Index group = at % groups_, phase = at / groups_;
  for (int axis = 2; axis >= 0; --axis) {
    const auto phases = grids_[axis].phases_of(*of.grid[axis]);
    products.phase[axis] = phases[static_cast<std::size_t>(phase) % phases.size()];
    phase /= static_cast<Index>(phases.size());
  }
  for (const Part& part : layout_.parts) {
    const Index groups = groups_of(layout_, part);
    if (group >= groups) {
      group -= groups;
      continue;
    }
    // The padded block goes alone: its outputs need another way into y.
    const Index step = group_blocks(layout_, part);
    products.part = &part;
    products.begin = std::min(group * step, whole_blocks(part));
    products.end = products.begin < whole_blocks(part)
                       ? std::min(products.begin + step, whole_blocks(part))
                       : part.blocks;
    break;
  }
  return products;
}

void WinogradRunner::run(Index unit, Cursor& cursor, std::span<std::byte> scratch) const {
  while (unit >= cursor.current.first_unit + cursor.current.units) {
    cursor.current =
        class_at(++cursor.at_class, cursor.current.first_unit + cursor.current.units);
    cursor.tile = -1;
  }
  const Memory memory(layout_, scratch.data());
  const Class& of = cursor.current;
  const Index split = (unit - of.first_unit) % of.splits;
  const Index first_tile = (unit - of.first_unit) / of.splits * of.round_tiles;
  const Index tiles = std::min(of.round_tiles, of.tiles - first_tile);
  if (cursor.tile != first_tile) {
    cursor.tile = first_tile;
    std::memset(memory.zeros, 0, static_cast<std::size_t>(layout_.group_channels * size_));
    for (Index n = 0; n < tiles; ++n) memory.tiles[n] = tile_at(of, first_tile + n);
    transform_inputs(of, tiles, memory);
  }
  const Index end = of.products * (split + 1) / of.splits;
  for (Index n = of.products * split / of.splits; n < end; ++n) {
    const Products products = products_at(of, n);
    multiply(of, products, tiles, memory);
    transform_outputs(of, products, tiles, memory);
  }
}

WinogradRunner::Tile WinogradRunner::tile_at(const Class& of, Index index) const {
  Tile tile{};
  Index extents[3], steps[3];
  tile.whole = true;
  for (int axis = 2; axis >= 0; --axis) {
    const Grid& grid = *of.grid[axis];
    const CallAxis& of_call = call_.axes[axis];
    const Index step = of_call.phases->input_step();
    const Index u = grid.begin(index % grid.tiles, step);
    index /= grid.tiles;
    tile.input[axis] = u - (grid.transform.taps - 1) * step;
    tile.o[axis] = u * of_call.phases->stride();
    tile.y += tile.o[axis] * call_.y_strides[axis];
    tile.residual += tile.o[axis] * call_.residual_strides[axis];
    extents[axis] = grid.transform.points();
    steps[axis] = step * call_.x_strides[axis];
    const Index last = tile.input[axis] + (extents[axis] - 1) * step;
    tile.whole = tile.whole && tile.input[axis] >= 0 && last < of_call.input;
  }
  tile.whole = tile.whole && within_reach(extents, steps);
  for (std::size_t axis = call_.batch_axes; axis-- > 0;) {
    const BatchAxis& batch = call_.batch[axis];
    const Index at = index % batch.extent;
    index /= batch.extent;
    tile.image += at * batch.x;
    tile.y += at * batch.y;
    tile.residual += at * batch.residual;
  }
  return tile;
}

void WinogradRunner::gather(const Class& of, const Tile& tile, std::byte* to) const {
  const std::size_t bytes = static_cast<std::size_t>(layout_.input_size * size_);
  Index extents[3];
  for (int axis = 0; axis < 3; ++axis) extents[axis] = of.grid[axis]->transform.points();
  for_each_position(extents, [&](const Index(&at)[3]) {
    Index from = tile.image;
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

void WinogradRunner::transform_inputs(const Class& of, Index tiles,
                                      const Memory& memory) const {
  Index extents[3];
  // x itself: its tiles lie anywhere.
  TileArray in_x{.data = const_cast<std::byte*>(call_.x)};
  for (int axis = 0; axis < 3; ++axis) {
    extents[axis] = in_x.extents[axis] = of.grid[axis]->transform.points();
    in_x.steps[axis] = call_.axes[axis].phases->input_step() * call_.x_strides[axis];
  }
  const TileArray gathered = tiles_in(memory.apart, extents, layout_.pitch);
  const TileArray points = points_in(memory.points, extents, tiles, layout_.pitch);
  const std::size_t passes = of.passes->input.count;

  // All passes of some tiles, from where they are to the points.
  const auto transform = [&](const TileArray& source, Places& in, Places& out, Index count) {
    TileArray from = source;
    for (std::size_t number = 0; number < passes; ++number) {
      const bool last = number + 1 == passes;
      const auto& pass = of.passes->input[number];
      const TileArray to =
          last ? points : tiles_in(memory.between[number % 2], extents, layout_.pitch);
      const auto kernel = [&](const TransformCall& call) {
        pass.kernel->function(call.in, call.pixel_in, call.pixel_out,
                              static_cast<std::int32_t>(layout_.input_size), call.in_u, call.in_v,
                              call.out_u, call.out_v, call.out);
      };
      Places next;
      for (Index n = 0; n < count; ++n) next[static_cast<std::size_t>(n)] = n * to.tile;
      PassRunner(pass, from, to, size_, kernel).run(in.data(), (last ? out : next).data(), count);
      in = next;
      from = to;
    }
  };
  Places in_whole, out_whole, in_gathered, out_gathered;
  const Index most = passes == 1 ? tiles : layout_.transform_tiles;
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
      in_whole[at] = tile.image + offset_of(tile.input, call_.x_strides);
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
  const Index whole = tiles / tall.pixels * tall.pixels, rest = tiles - whole;
  const TileKernel& low = part.tile_for(std::max<Index>(rest, 1));
  for (Index p = 0; p < whole + low.pixels; ++p) {
    const Index tile = std::min(p, tiles - 1);
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
    advance(arguments.x, tiles * layout_.pitch * size_);
    advance(arguments.y, tiles * channels * size_);
    advance(arguments.w, layout_.input_size * block * size_);
  }
}

void WinogradRunner::transform_outputs(const Class& of, const Products& products, Index tiles,
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
  const TileArray sums = points_in(memory.products, points, tiles, channels);
  const std::byte* bias = static_cast<const std::byte*>(bias_.data()) + first_channel * size_;
  const std::size_t passes = of.passes->output.count;

  // All passes of some tiles, from the sums to where they go.
  const auto transform = [&](Places& in, const TileArray& target, const Places& out, Index count) {
    TileArray from = sums;
    for (std::size_t number = 0; number < passes; ++number) {
      const bool last = number + 1 == passes;
      const auto& pass = of.passes->output[number];
      Index extents[3] = {from.extents[0], from.extents[1], from.extents[2]};
      for (const int axis : {pass.axis_u, pass.axis_v}) {
        if (axis >= 0) extents[axis] = outputs[axis];
      }
      const TileArray to = last ? target : tiles_in(memory.between[number % 2], extents, channels);
      constexpr double kNone = std::numeric_limits<double>::infinity();
      Buffer<1> bias_buffer = flat(last ? bias : memory.zeros);
      const auto kernel = [&](const TransformCall& call) {
        pass.kernel->function(call.in, call.pixel_in, call.pixel_out,
                              static_cast<std::int32_t>(channels), call.in_u, call.in_v,
                              call.out_u, call.out_v, &bias_buffer.raw, last ? min_ : -kNone,
                              last ? max_ : kNone, call.out);
      };
      Places next;
      for (Index n = 0; n < count; ++n) next[static_cast<std::size_t>(n)] = n * to.tile;
      PassRunner(pass, from, to, size_, kernel).run(in.data(), (last ? out : next).data(), count);
      in = next;
      from = to;
    }
  };
  const Outputs all{.tile_outputs = {outputs[0], outputs[1], outputs[2]},
                    .step = {step[0], step[1], step[2]},
                    .origin = {origin[0], origin[1], origin[2]},
                    .first_channel = first_channel,
                    .channels = real_channels};
  Places in_whole, out_whole, in_others, out_others;
  std::array<std::int32_t, static_cast<std::size_t>(kTablePixels)> whole_tiles, other_tiles;
  const Index most = passes == 1 ? tiles : layout_.transform_tiles;
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
    finish(epilogue_ != nullptr ? *epilogue_ : *copy_, all, memory.tiles, other_tiles.data(),
           others, apart.data, channels);
    others = 0;
  };
  const Index y_origin = offset_of(origin, call_.y_strides);
  for (Index n = 0; n < tiles; ++n) {
    const Tile& tile = memory.tiles[n];
    bool inside = reachable;
    for (int axis = 0; axis < 3; ++axis) {
      const Index o = tile.o[axis] + origin[axis];
      inside = inside && o >= 0 && o + (outputs[axis] - 1) * step[axis] <
                                       call_.axes[axis].window.output;
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

}  // namespace upconv::internal
