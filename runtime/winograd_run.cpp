#include "winograd_run.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "units.h"
#include "winograd_memory.h"
#include "winograd_pass.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Rounds of fewer tiles read the weights too often for what they do with them.
constexpr Index kFewTiles = 48;
/// Fewer than these cost more than what every thread does if they share a round.
constexpr Index kFewestTiles = 16;
/// So many of a thread where there are tiles enough.
constexpr Index kRoundsPerThread = 4;

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

}  // namespace

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
      grids_{{layout.by_axis[0], layout.axis_of(0, call.axes[0])},
             {layout.by_axis[1], layout.axis_of(1, call.axes[1])},
             {layout.by_axis[2], layout.axis_of(2, call.axes[2])}} {
  const bool clamp = call.activation.is_clamp() && call.residual == nullptr;
  min_ = clamp ? call.activation.min() : -std::numeric_limits<double>::infinity();
  max_ = clamp ? call.activation.max() : std::numeric_limits<double>::infinity();
  if (!clamp) epilogue_ = find_epilogue(call.activation.kind(), layout_.dtype, layout_.isa);
  copy_ = find_epilogue(ActivationKind::kClamp, layout_.dtype, layout_.isa);
  for (const Part& part : layout_.parts) groups_ += groups_of(layout_, part);
}

Index WinogradRunner::classes() const {
  Index count = 1;
  for (const AxisGrids& grids : grids_) count *= static_cast<Index>(grids.grids().size());
  return count;
}

WinogradRunner::Class WinogradRunner::class_at(Index at) const {
  Class of{.tiles = call_.batch_count(), .products = groups_};
  for (int axis = 2; axis >= 0; --axis) {
    const std::span<const Grid> grids = grids_[axis].grids();
    const Grid& grid = grids[static_cast<std::size_t>(at) % grids.size()];
    at /= static_cast<Index>(grids.size());
    of.grid[axis] = &grid;
    of.tiles *= grid.tiles;
    of.products *= static_cast<Index>(grid.phases);
  }
  of.passes = &layout_.passes[of.grid[0]->kind][of.grid[1]->kind][of.grid[2]->kind];

  const Index rounds = ceil_div(of.tiles, layout_.round_tiles), threads = threads_;
  const Index highest = layout_.parts.front().tiles[0].pixels;
  of.splits = 1;
  if (threads == 1) {
    of.round_tiles = ceil_div(ceil_div(of.tiles, rounds), highest) * highest;
  } else {
    // As many rounds for every thread, some, so that none waits long for another; where their tiles
    // would be too few, all threads share a round's products, though each transforms its inputs.
    const Index most = std::max(rounds, of.tiles / kFewTiles);
    const Index each = std::clamp<Index>(
        most / threads, 1, std::max<Index>(kRoundsPerThread, ceil_div(rounds, threads)));
    of.round_tiles = ceil_div(of.tiles, each * threads);
    if (of.round_tiles < kFewestTiles) {
      of.round_tiles = ceil_div(of.tiles, rounds);
      of.splits = std::min(threads, of.products);
    }
  }
  of.round_tiles = std::min(of.round_tiles, layout_.round_tiles);
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

bool WinogradRunner::run(Index n, Cursor& cursor, std::span<std::byte> scratch) const {
  while (n >= cursor.first + cursor.end - cursor.begin) {
    cursor.first += cursor.end - cursor.begin;
    if (++cursor.at_class >= classes()) return false;
    cursor.current = class_at(cursor.at_class);
    const Range mine(cursor.current.units, cursor.range, threads_);
    cursor.begin = mine.begin;
    cursor.end = mine.end;
    cursor.tile = -1;
  }
  const Memory memory(layout_, scratch.data());
  const Class& of = cursor.current;
  const Index unit = cursor.begin + n - cursor.first;
  const Index split = unit % of.splits, first_tile = unit / of.splits * of.round_tiles;
  const Index tiles = std::min(of.round_tiles, of.tiles - first_tile);
  if (cursor.tile != first_tile) {
    cursor.tile = first_tile;
    std::memset(memory.zeros, 0, static_cast<std::size_t>(layout_.group_channels * size_));
    place_tiles(of, first_tile, tiles, memory.tiles);
    transform_inputs(of, tiles, memory);
  }
  const Index end = of.products * (split + 1) / of.splits;
  for (Index at = of.products * split / of.splits; at < end; ++at) {
    const Products products = products_at(of, at);
    multiply(of, products, tiles, memory);
    transform_outputs(of, products, tiles, memory);
  }
  return true;
}

void WinogradRunner::place(const Class& of, int axis, Index index, Tile& tile) const {
  const Grid& grid = *of.grid[axis];
  const CallAxis& call = call_.axes[axis];
  const Index step = call.phases->input_step(), u = grid.begin(index, step);
  tile.input[axis] = u - (grid.transform.taps - 1) * step;
  tile.o[axis] = u * call.phases->stride();
  tile.x += tile.input[axis] * call_.x_strides[axis];
  tile.y += tile.o[axis] * call_.y_strides[axis];
  tile.residual += tile.o[axis] * call_.residual_strides[axis];
  const Index last = tile.input[axis] + (grid.transform.points() - 1) * step;
  tile.whole = tile.whole && tile.input[axis] >= 0 && last < call.input;
}

void WinogradRunner::place_tiles(const Class& of, Index first, Index count, Tile* tiles) const {
  Index extents[3], steps[3], at[3], image = first;
  for (int axis = 2; axis >= 0; --axis) {
    const Grid& grid = *of.grid[axis];
    extents[axis] = grid.transform.points();
    steps[axis] = call_.axes[axis].phases->input_step() * call_.x_strides[axis];
    at[axis] = image % grid.tiles;
    image /= grid.tiles;
  }
  const bool reachable = within_reach(extents, steps);
  Tile row{};  // what tiles of a row, along w, have in common
  for (Index n = 0; n < count; ++n) {
    if (n == 0 || at[2] == 0) {
      const Place place_of = call_.image(image);
      row.x = place_of.x;
      row.y = place_of.y;
      row.residual = place_of.residual;
      row.whole = reachable;
      place(of, 0, at[0], row);
      place(of, 1, at[1], row);
    }
    tiles[n] = row;
    place(of, 2, at[2], tiles[n]);
    for (int axis = 2; axis >= 0 && ++at[axis] == of.grid[axis]->tiles; --axis) {
      at[axis] = 0;
      if (axis == 0) ++image;
    }
  }
}

}  // namespace upconv::UPCONV_ABI::internal
