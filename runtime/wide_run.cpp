#include "wide_run.h"

#include <algorithm>
#include <limits>

#include "bill.h"
#include "kernel_buffer.h"
#include "listed_rows.h"
#include "wide_pieces.h"

namespace upconv::UPCONV_ABI::internal {

WideRunner::WideRunner(const FoldedCall& folded, const WideWeights& packed)
    : folded_(folded),
      call_(folded.call),
      packed_(packed),
      layout_(packed.layout),
      sizes_(target_sizes(layout_.isa)),
      size_(static_cast<Index>(size_of(layout_.dtype))),
      in_pieces_(folded.whole() && pieces_pay(call_, packed.layout)),
      far_(bytes_of_x_and_y() > kCachedBytes),
      epilogue_(nullptr) {
  const bool clamp = call_.activation.is_clamp() && call_.residual == nullptr;
  min_ = clamp ? call_.activation.min() : -std::numeric_limits<double>::infinity();
  max_ = clamp ? call_.activation.max() : std::numeric_limits<double>::infinity();
  if (!clamp) epilogue_ = find_epilogue(call_.activation.kind(), layout_.dtype, layout_.isa);
  copy_ = find_epilogue(ActivationKind::kClamp, layout_.dtype, layout_.isa);
  const Part& last = layout_.parts.back();
  Index furthest = 0;
  // Slides are outputs of which each is one tap further on in the weights.
  slide_ = epilogue_ == nullptr && folded.whole() &&
           last.channels == last.blocks * last.block_channels() &&
           !__builtin_mul_overflow(slide_step(), call_.axes[2].window.output, &furthest) &&
           std::abs(furthest) <= kLargestOffset;
}

double WideRunner::bytes_of_x_and_y() const {
  double inputs = real(layout_.input_size), outputs = real(folded_.channels);
  for (const CallAxis& axis : call_.axes) {
    inputs *= real(axis.input);
    outputs *= real(axis.window.output);
  }
  return (inputs + outputs) * real(call_.batch_count() * size_);
}

WideRunner::Grain WideRunner::grain(int threads) const {
  if (threads == 1) return {slab_pixels(1), kChunkPixels, sizes_.panel_bytes};
  Index pixels = call_.batch_count();
  for (const CallAxis& axis : call_.axes) pixels *= axis.q_end() - axis.q_begin();
  const Index wanted = ceil_div(pixels, 4 * Index{threads});
  // In pieces there is one chunk of all pixels, so channels are divided: block by block.
  return {slab_pixels(threads), std::clamp<Index>(ceil_div(wanted, 24) * 24, 24, kChunkPixels), 1};
}

Index WideRunner::slab_pixels(int threads) const {
  const int slow = call_.slow_axis();
  Index row_bytes = layout_.input_size * size_, row = 1, position_bytes = folded_.channels * size_;
  for (int axis = 0; axis < 3; ++axis) {
    const CallAxis& a = call_.axes[axis];
    position_bytes *= std::min(a.phases->stride(), a.window.output);
    if (axis <= slow) continue;
    row_bytes *= a.input;
    row *= a.q_end() - a.q_begin();
  }
  // Whole rows whose x is read again for every phase and group of channels; all of an image's with
  // those at its ends; several images.
  const CallAxis& axis = call_.axes[slow];
  const Index rows = std::max<Index>(1, sizes_.slab_bytes / std::max<Index>(1, row_bytes));
  const Index images = rows / std::max<Index>(1, axis.input);
  const Index pixels = (images > 0 ? images * (axis.q_end() - axis.q_begin()) : rows) * row;
  // Fewer where y is large, or shared by threads, but not so few that the weights, read for every
  // slab, are more.
  const Index weights_bytes = layout_.rows() * folded_.channels * size_;
  Index positions = std::max<Index>(1, kSlabOutputBytes / std::max<Index>(1, position_bytes));
  if (threads > 1) {
    Index all = call_.batch_count();
    for (const CallAxis& a : call_.axes) all *= a.q_end() - a.q_begin();
    positions = std::min(positions, ceil_div(all, threads));
  }
  return std::clamp<Index>(std::max(positions, weights_bytes / std::max<Index>(1, position_bytes)),
                           1, std::max<Index>(1, pixels));
}

double WideRunner::cost_of(const Box& box, const Group& group) const {
  constexpr double kWrite = 8;  // an output, in multiply-adds
  Index taps[3];
  box.taps(taps);
  const Index rows = taps[0] * taps[1] * taps[2] * layout_.input_size;
  return (real(rows) + kWrite) *
         real(box.slides * (group.end - group.begin) * group.part->block_channels());
}

void WideRunner::run_box(const Box& box, const Group& group, Channels channels, Index first,
                         Index last, const Scratch& scratch) const {
  // A chunk may stop early (fill_chunk), so its length is only known when filled.
  while (first < last) {
    const Chunk chunk = fill_chunk(call_, box, first, last - first, scratch);
    run_unit(box, group, channels, chunk, scratch);
    first += chunk.count;
  }
}

void WideRunner::run_unit(const Box& box, const Group& group, Channels channels, const Chunk& chunk,
                          const Scratch& scratch) const {
  const Index block = group.part->block_channels(), origin = group.first_channel();
  // Of the group's channels; a block of which y has all, in one run, is written where it belongs.
  channels.begin = std::max(channels.begin, origin);
  channels.end = std::min(channels.end, origin + group.channels());
  if (channels.begin >= channels.end) return;
  const bool one_run = folded_.run == folded_.channels;
  const Index whole = one_run ? ceil_div(channels.begin - origin, block) : 0;
  const Index whole_end = one_run ? std::max(whole, (channels.end - origin) / block) : 0;

  const bool listed =
      lists_rows(*group.part, layout_.input_size, chunk.taps[0] * chunk.taps[1] * chunk.taps[2]);
  if (listed) list_rows(arguments_for(box, group, chunk), scratch);
  const std::span<const TileKernel> family = listed ? group.part->listed : group.part->tiles;
  const auto run = [&](const Group& blocks, void* y, std::int32_t* pixel_y) {
    TileArguments arguments = arguments_for(box, blocks, chunk);
    arguments.row_x = scratch.row_x;
    arguments.row_w = scratch.row_w;
    arguments.y = y;
    arguments.far = far_;
    arguments.min = min_;
    arguments.max = max_;
    if (box.slides > 1) {
      // The slides are the kernel's blocks: their weights are a tap apart.
      arguments.blocks = box.slides;
      arguments.block_w = arguments.tap_w[2];
      arguments.block_y = static_cast<std::int32_t>(slide_step());
      arguments.block_init = 0;
    }
    run_tiles(family, arguments, chunk.count, scratch, kNoOffsets, pixel_y);
  };
  // With an epilogue block by block: what the tiles wrote is still in the first-level cache.
  const bool one_by_one = epilogue_ != nullptr || box.slides > 1;
  const Index step = one_by_one ? 1 : std::max<Index>(1, whole_end - whole);
  for (Index at = whole; at < whole_end; at += step) {
    const Group blocks = group.tail(at).head(step);
    const Index first = blocks.first_channel();
    std::byte* y = chunk.y + first * size_;
    run(blocks, y, scratch.pixel_y);
    if (epilogue_ != nullptr) {
      finish(*epilogue_, chunk, scratch, y, scratch.pixel_y, {first, first + block});
    }
  }
  const Index blocks_begin = (channels.begin - origin) / block;
  const Index blocks_end = ceil_div(channels.end - origin, block);
  if (whole == blocks_begin && whole_end == blocks_end) return;
  // Of the others, tiles write all channels: into scratch, and y's come from there.
  for (Index p = 0; p < chunk.count; ++p) {
    scratch.pixel_tile[p] = static_cast<std::int32_t>(p * block);
  }
  for (Index at = blocks_begin; at < blocks_end; ++at) {
    if (whole <= at && at < whole_end) continue;
    const Group one = group.tail(at).head(1);
    const Index first = one.first_channel();
    run(one, scratch.tile, scratch.pixel_tile);
    const Index end = std::min(channels.end, first + block);
    for (Index c = std::max(channels.begin, first), next; c < end; c = next) {
      next = std::min(end, (c / folded_.run + 1) * folded_.run);
      finish(epilogue_ != nullptr ? *epilogue_ : *copy_, chunk, scratch,
             scratch.tile + (c - first) * size_, scratch.pixel_tile, {c, next});
    }
  }
}

TileArguments WideRunner::arguments_for(const Box& box, const Group& group,
                                        const Chunk& chunk) const {
  const Part& part = *group.part;
  const Index block = part.block_channels();
  const Index input_size = layout_.input_size;
  const Phase &d = box.phase[0], &h = box.phase[1], &w = box.phase[2];

  // Taps of all phases before this one, in packed order; then this box's first tap.
  const AxisPhases *axis_h = call_.axes[1].phases, *axis_w = call_.axes[2].phases;
  const Index phase_tap = d.taps_before * axis_h->filter() * axis_w->filter() +
                          d.taps * (h.taps_before * axis_w->filter() + h.taps * w.taps_before);
  const Index first_tap = (box.segment[0].tap_begin * h.taps + box.segment[1].tap_begin) * w.taps +
                          box.segment[2].tap_begin;
  const Index first_row = chunk.taps[0] > 0 ? (phase_tap + first_tap) * input_size : 0;
  const Index weights_at =
      static_cast<Index>(part.offset) + (group.begin * layout_.rows() + first_row) * block;
  const Index bias_at = part.first_channel + group.begin * block;

  TileArguments arguments;
  arguments.x = chunk.x;
  arguments.w = static_cast<const std::byte*>(packed_.weights->data()) + weights_at * size_;
  arguments.init = static_cast<const std::byte*>(packed_.bias.data()) + bias_at * size_;
  arguments.input_size = input_size;
  std::copy(std::begin(chunk.taps), std::end(chunk.taps), arguments.taps);
  std::copy(std::begin(chunk.tap_x), std::end(chunk.tap_x), arguments.tap_x);
  arguments.w_step = block;
  arguments.tap_w[2] = input_size * block;
  arguments.tap_w[1] = w.taps * arguments.tap_w[2];
  arguments.tap_w[0] = h.taps * arguments.tap_w[1];
  arguments.blocks = group.end - group.begin;
  arguments.block_w = layout_.rows() * block;
  return arguments;
}

void WideRunner::run_tiles(std::span<const TileKernel> family, const TileArguments& arguments,
                           Index pixels, const Scratch& scratch, const std::int32_t* pixel_init,
                           std::int32_t* pixel_y) const {
  const auto tiles = [&](const TileKernel& kernel, Index first, Index count) {
    run_tile_kernel(kernel, arguments, scratch.pixel_x + first, pixel_init + first, pixel_y + first,
                    count);
  };
  const TileKernel& tall = family[0];
  const Index whole = pixels / tall.pixels * tall.pixels;
  if (whole > 0) tiles(tall, 0, whole);
  const Index rest = pixels - whole;
  if (rest == 0) return;
  // The lowest tile's spare pixels repeat the last one.
  const TileKernel& low = tile_for(family, rest);
  for (Index p = pixels; p < whole + low.pixels; ++p) {
    scratch.pixel_x[p] = scratch.pixel_x[pixels - 1];
    pixel_y[p] = pixel_y[pixels - 1];
  }
  tiles(low, whole, low.pixels);
}

void WideRunner::finish(const EpilogueKernel& epilogue, const Chunk& chunk, const Scratch& scratch,
                        const std::byte* in, std::int32_t* pixel_in, Channels channels) const {
  const bool residual = call_.residual != nullptr;
  // The copy out of a padded block repeats the clamp that the tile has done already.
  const double p0 = epilogue.p0(call_.activation), p1 = epilogue.p1(call_.activation);
  const Index run = channels.begin / folded_.run, in_run = channels.begin % folded_.run;
  const std::byte* added =
      residual ? chunk.residual + (run * folded_.residual_step + in_run) * size_ : in;
  Buffer<1> in_buffer = flat(in), residual_buffer = flat(added);
  Buffer<1> out_buffer = flat(chunk.y + (run * folded_.y_step + in_run) * size_);
  Buffer<1> pi = flat(pixel_in, chunk.count), po = flat(scratch.pixel_y, chunk.count);
  Buffer<1> pr = flat(scratch.pixel_residual, chunk.count);
  epilogue.function(&in_buffer.raw, &residual_buffer.raw, &pi.raw, &pr.raw, &po.raw,
                    static_cast<int32_t>(channels.end - channels.begin), residual ? 1 : 0, p0, p1,
                    &out_buffer.raw);
}

}  // namespace upconv::UPCONV_ABI::internal
