// From the tiles of a folded layout (winograd_fold.h) to y, where their channels are outputs.
#include <algorithm>
#include <array>

#include "kernel_buffer.h"
#include "scatter_add.h"
#include "winograd_memory.h"
#include "winograd_run.h"

namespace upconv::UPCONV_ABI::internal {

template <Element T>
void WinogradRunner::deal_runs(const Outputs& outputs, const Tile* tiles, const std::int32_t* which,
                               Index tile_count, const T* in, Index in_pitch, Index begin,
                               Index end) const {
  const Index(&extents)[3] = outputs.tile_outputs;
  const Index own = layout_.own_output_size(), row = call_.axes[2].window.output * own;
  const Index from_step = in_pitch, to_step = outputs.step[2] * own;
  for (Index n = 0; n < tile_count; ++n) {
    const Tile& tile = tiles[which[n]];
    const T* from = in + n * extents[0] * extents[1] * extents[2] * in_pitch;
    // Element 0 of the first position, counted from the row's first output.
    const Index first = (tile.o[2] + outputs.origin[2]) * own;
    for (Index d = 0; d < extents[0]; ++d) {
      for (Index h = 0; h < extents[1]; ++h, from += extents[2] * in_pitch) {
        const Index at_d = outputs.origin[0] + d * outputs.step[0];
        const Index at_h = outputs.origin[1] + h * outputs.step[1];
        const Index o_d = tile.o[0] + at_d, o_h = tile.o[1] + at_h;
        if (o_d < 0 || o_d >= call_.axes[0].window.output || o_h < 0 ||
            o_h >= call_.axes[1].window.output) {
          continue;
        }
        T* const to = reinterpret_cast<T*>(call_.y) + tile.y + at_d * call_.y_strides[0] +
                      at_h * call_.y_strides[1] + outputs.origin[2] * own;
        const Index last = first + (extents[2] - 1) * to_step;
        if (first + begin >= 0 && last + end <= row) {
          copy_runs(from + begin, from_step, to + begin, to_step, extents[2], end - begin);
          continue;
        }
        for (Index w = 0; w < extents[2]; ++w) {
          const Index at = first + w * to_step;
          const Index lowest = std::max(begin, -at), highest = std::min(end, row - at);
          if (lowest >= highest) continue;
          copy_runs(from + w * from_step + lowest, from_step, to + w * to_step + lowest, to_step, 1,
                    highest - lowest);
        }
      }
    }
  }
}

void WinogradRunner::activate(std::byte* values, Index pixels, Index channels) const {
  if (epilogue_ == nullptr) return;
  std::array<std::int32_t, static_cast<std::size_t>(kTablePixels)> at;
  for (Index first = 0; first < pixels; first += kTablePixels) {
    const Index count = std::min<Index>(kTablePixels, pixels - first);
    for (Index p = 0; p < count; ++p) {
      at[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(p * channels);
    }
    Buffer<1> in = flat(values + first * channels * size_), places = flat(at.data(), count);
    Buffer<1> out = flat(values + first * channels * size_);
    epilogue_->function(&in.raw, &in.raw, &places.raw, &places.raw, &places.raw,
                        static_cast<std::int32_t>(channels), 0, epilogue_->p0(call_.activation),
                        epilogue_->p1(call_.activation), &out.raw);
  }
}

void WinogradRunner::deal(const Outputs& outputs, const Tile* tiles, const std::int32_t* which,
                          Index tile_count, std::byte* in, Index in_pitch) const {
  const Index own = layout_.own_output_size(), row_channels = layout_.factors[2] * own;
  const Index channels_end = outputs.first_channel + outputs.channels;
  const Index(&extents)[3] = outputs.tile_outputs;
  const bool in_one_run = call_.residual == nullptr && call_.y_strides[2] == own;
  if (in_one_run) activate(in, tile_count * extents[0] * extents[1] * extents[2], in_pitch);
  Outputs of = outputs;
  // Channels [begin, end) of those that `first` is the first of.
  Index first = 0, begin = 0, end = 0;
  const auto take = [&](Index count) {
    begin = std::max(outputs.first_channel, first) - first;
    end = std::min(channels_end, first + count) - first;
    return begin < end;
  };
  for (Index d = 0; d < layout_.factors[0]; ++d) {
    for (Index h = 0; h < layout_.factors[1]; ++h, first += row_channels) {
      of.origin[0] = outputs.origin[0] + d;
      of.origin[1] = outputs.origin[1] + h;
      if (!take(row_channels)) continue;
      const std::byte* const row = in + (first - outputs.first_channel) * size_;
      if (in_one_run) {
        const auto deal_row = [&](const auto* from) {
          deal_runs(of, tiles, which, tile_count, from, in_pitch, begin, end);
        };
        if (layout_.dtype == DType::kFloat32) {
          deal_row(reinterpret_cast<const float*>(row));
        } else {
          deal_row(reinterpret_cast<const double*>(row));
        }
        continue;
      }
      const Index row_first = first;
      for (Index w = 0; w < layout_.factors[2]; ++w, first += own) {
        if (!take(own)) continue;
        of.origin[2] = outputs.origin[2] + w;
        of.first_channel = begin;
        of.channels = end - begin;
        finish(epilogue_ != nullptr ? *epilogue_ : *copy_, of, tiles, which, tile_count,
               in + (first + begin - outputs.first_channel) * size_, in_pitch);
      }
      first = row_first;
      of.origin[2] = outputs.origin[2];
    }
  }
}

}  // namespace upconv::UPCONV_ABI::internal
