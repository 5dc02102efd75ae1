#include "narrow_run.h"

#include <algorithm>
#include <array>

#include "chunk.h"
#include "kernel_buffer.h"
#include "planar.h"
#include "row_epilogue.h"
#include "tile_arguments.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// So many zeros are written one by one: at the sides of an image, where a call to fill each
/// plane's one or two would take longer than the rest of the copy.
constexpr Index kFewColumns = 8;

}  // namespace

/// Positions [begin, end) of one image, and the first elements of the image in the views.
struct NarrowRunner::Strip {
  Index begin[3], end[3];
  Index columns;  ///< of accumulator rows that hold its positions
  const std::byte* x;
  const std::byte* residual;
  std::byte* y;
};

/// A row of y along w, o_w = 0 on.
struct NarrowRunner::OutputRow {
  Index pair;    ///< residues r_d * s_h + r_h
  Index column;  ///< of the strip's first position in this row
  const std::byte* residual;
  std::byte* y;
};

/// x that the next strip will copy, fetched into cache bit by bit while this one is computed: the
/// copy does little else than wait for memory.
struct NarrowRunner::Ahead {
  const std::byte* at = nullptr;
  Index lines = 0;
  Index lines_per_call = 0;

  void fetch() {
    constexpr Index kLine = 64;
    // A core waits for so many lines at once; with more it would not go on until some are there.
    constexpr Index kMostLines = 16;
    const Index count = std::min({lines, lines_per_call, kMostLines});
    for (Index line = 0; line < count; ++line) __builtin_prefetch(at + line * kLine, 0, 2);
    at += count * kLine;
    lines -= count;
  }
};

std::size_t narrow_scratch_bytes(const NarrowLayout& layout) {
  return static_cast<std::size_t>(planar_elements(layout) + sum_elements(layout)) *
         size_of(layout.dtype);
}

NarrowRunner::NarrowRunner(const NarrowLayout& layout, const Tensor& weights, const Tensor* bias,
                           const Call& call, int threads)
    : layout_(layout),
      weights_(weights),
      bias_(bias),
      call_(call),
      size_(static_cast<Index>(size_of(layout.dtype))),
      // Several strips per thread, so that none waits long for the last.
      shape_(choose_strips(layout, call.axes, call.batch_count(),
                           threads == 1 ? 1 : 4 * Index{threads})) {
  for (int axis = 0; axis < 3; ++axis) {
    q_begin_[axis] = call.axes[axis].q_begin();
    strips_[axis] = ceil_div(call.axes[axis].q_end() - q_begin_[axis], shape_.q[axis]);
  }
  if (call.activation.kind() != ActivationKind::kLinear || call.residual != nullptr) {
    epilogue_ = find_epilogue(call.activation.kind(), layout.dtype, layout.isa);
  }
}

Index NarrowRunner::strips() const {
  return call_.batch_count() * strips_[0] * strips_[1] * strips_[2];
}

NarrowRunner::Strip NarrowRunner::strip_at(Index index) const {
  Strip strip;
  // h fastest: two strips in a row share rows of x.
  for (const int axis : {1, 2, 0}) {
    strip.begin[axis] = q_begin_[axis] + index % strips_[axis] * shape_.q[axis];
    strip.end[axis] = std::min(strip.begin[axis] + shape_.q[axis], call_.axes[axis].q_end());
    index /= strips_[axis];
  }
  strip.columns =
      (strip.end[1] - strip.begin[1] - 1) * shape_.pitch[2] + strip.end[2] - strip.begin[2];
  const Place image = call_.image(index);
  strip.x = call_.x + image.x * size_;
  strip.y = call_.y + image.y * size_;
  strip.residual = call_.residual != nullptr ? call_.residual + image.residual * size_ : nullptr;
  return strip;
}

void NarrowRunner::run_strip(Index index, Index last_index, std::span<std::byte> scratch) const {
  const Strip strip = strip_at(index);
  // The strip before is the rows above, unless this one is the first of an image.
  const bool follows = last_index >= 0 && last_index + 1 == index && index % strips_[1] != 0;
  if (layout_.dtype == DType::kFloat32) {
    run<float>(strip, follows, scratch.data());
  } else {
    run<double>(strip, follows, scratch.data());
  }
}

template <Element T>
void NarrowRunner::run(const Strip& strip, bool follows, std::byte* scratch) const {
  T* planar = reinterpret_cast<T*>(scratch);
  T* sums = planar + planar_elements(layout_);
  copy_x(strip, follows, planar);
  Ahead ahead = ahead_of(strip);
  const Index slice = shape_.pitch[1] * shape_.pitch[2];
  for (Index d = strip.begin[0]; d < strip.end[0]; ++d) {
    for (const NarrowSet& set : layout_.sets) {
      compute(set, strip.columns, planar + (d - strip.begin[0]) * slice, sums, ahead);
      write(set, strip, d, sums);
    }
    if (epilogue_ != nullptr) finish(strip, d);
  }
}

NarrowRunner::Ahead NarrowRunner::ahead_of(const Strip& strip) const {
  // The rows below, where they are one run of memory.
  const Index row = call_.axes[2].input * layout_.input_size;
  const Index begin = strip.end[1] - layout_.reach_least[1];
  const Index end = std::min(begin + shape_.q[1], call_.axes[1].input);
  const Index d = strip.end[0] - 1 - layout_.reach_least[0];
  if (begin < 0 || begin >= end || d < 0 || d >= call_.axes[0].input || strips_[2] > 1 ||
      call_.x_strides[1] != row || call_.x_strides[2] != layout_.input_size) {
    return {};
  }
  Ahead ahead;
  ahead.at = strip.x + (d * call_.x_strides[0] + begin * row) * size_;
  ahead.lines = (end - begin) * row * size_ / 64;
  ahead.lines_per_call =
      ceil_div(ahead.lines, std::max<Index>(1, tile_calls(layout_, strip.columns)));
  return ahead;
}

template <Element T>
void NarrowRunner::copy_x(const Strip& strip, bool follows, T* planar) const {
  // Inputs [low, low + pitch) of each axis, of which [inside, inside_end) exist.
  Index low[3], inside[3], inside_end[3];
  for (int axis = 0; axis < 3; ++axis) {
    low[axis] = strip.begin[axis] - layout_.reach_most[axis];
    inside[axis] = std::clamp<Index>(-low[axis], 0, shape_.pitch[axis]);
    inside_end[axis] =
        std::clamp(call_.axes[axis].input - low[axis], inside[axis], shape_.pitch[axis]);
  }
  const Index pitch_w = shape_.pitch[2], channels = layout_.input_size;
  const auto zero = [&](Index begin, Index end) {
    if (end - begin > kFewColumns) {
      for (Index ci = 0; ci < channels; ++ci) {
        std::fill(planar + ci * shape_.plane + begin, planar + ci * shape_.plane + end, T{0});
      }
      return;
    }
    for (Index column = begin; column < end; ++column) {
      for (Index ci = 0; ci < channels; ++ci) planar[ci * shape_.plane + column] = T{0};
    }
  };
  // A strip at the end of an axis may be lower.
  const Index rows = shape_.pitch[1] - shape_.q[1] + strip.end[1] - strip.begin[1];
  const Index planes = shape_.pitch[0] - shape_.q[0] + strip.end[0] - strip.begin[0];
  Index kept = 0;
  if (follows) {
    kept = shape_.pitch[1] - shape_.q[1];
    const Index slice = shape_.pitch[1] * pitch_w, moved = shape_.q[1] * pitch_w;
    for (Index ci = 0; ci < channels; ++ci) {
      for (Index d = 0; d < planes; ++d) {
        T* to = planar + ci * shape_.plane + d * slice;
        std::copy(to + moved, to + moved + kept * pitch_w, to);
      }
    }
  }
  for (Index d = 0; d < planes; ++d) {
    for (Index h = kept; h < rows; ++h) {
      const Index row = (d * shape_.pitch[1] + h) * pitch_w;
      const bool exists = inside[0] <= d && d < inside_end[0] && inside[1] <= h &&
                          h < inside_end[1] && inside[2] < inside_end[2];
      if (!exists) {
        zero(row, row + pitch_w);
        continue;
      }
      zero(row, row + inside[2]);
      const Index from = (low[0] + d) * call_.x_strides[0] + (low[1] + h) * call_.x_strides[1] +
                         (low[2] + inside[2]) * call_.x_strides[2];
      to_planar(reinterpret_cast<const T*>(strip.x) + from, call_.x_strides[2],
                inside_end[2] - inside[2], channels, planar + row + inside[2], shape_.plane);
      zero(row + inside_end[2], row + pitch_w);
    }
  }
  // The last tile reads past the last row.
  const Index end = ((planes - 1) * shape_.pitch[1] + rows) * pitch_w;
  zero(end, end + layout_.widest_tile);
}

template <Element T>
void NarrowRunner::compute(const NarrowSet& set, Index columns, const T* planar, T* sums,
                           Ahead& ahead) const {
  const Index step = sum_step(layout_);
  for (Index m = 0; m < set.count; ++m) {
    const std::size_t channel = static_cast<std::size_t>((set.first + m) % layout_.output_size);
    const T value = bias_ != nullptr ? bias_->values<T>()[channel] : T{0};
    std::fill_n(sums + m * step, columns + layout_.widest_tile, value);
  }

  TileArguments arguments;
  arguments.input_size = layout_.input_size;
  arguments.w_step = shape_.plane;
  const Index to_d = shape_.pitch[1] * shape_.pitch[2], to_h = shape_.pitch[2];
  arguments.tap_w[0] = -layout_.axes[0].input_step() * to_d;
  arguments.tap_w[1] = -layout_.axes[1].input_step() * to_h;
  arguments.tap_w[2] = -layout_.axes[2].input_step();

  const Index block = column_block(layout_);
  for (Index column = 0; column < columns; column += block) {
    const Index count = std::min(block, columns - column);
    for (const NarrowPiece& piece : set.pieces) {
      const Index taps = piece.taps[0] * piece.taps[1] * piece.taps[2];
      std::copy(std::begin(piece.taps), std::end(piece.taps), arguments.taps);
      arguments.tap_x[2] = static_cast<std::int32_t>(layout_.input_size);
      arguments.tap_x[1] = static_cast<std::int32_t>(piece.taps[2] * layout_.input_size);
      arguments.tap_x[0] = static_cast<std::int32_t>(taps / piece.taps[0] * layout_.input_size);
      arguments.x = weights_.values<T>().data() + piece.offset;
      arguments.w = planar + (layout_.reach_most[0] - piece.reach[0]) * to_d +
                    (layout_.reach_most[1] - piece.reach[1]) * to_h +
                    (layout_.reach_most[2] - piece.reach[2]) + column;
      arguments.init = sums + column;
      arguments.y = sums + column;
      for (const NarrowTile& tile : piece.tiles) {
        const Index width = layout_.lanes * tile.kernel->vectors;
        arguments.blocks = ceil_div(count, width);
        arguments.block_w = width;
        std::array<std::int32_t, kSetRows> at;
        for (int p = 0; p < tile.kernel->pixels; ++p) {
          at[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(
              piece.rows[static_cast<std::size_t>(tile.first + p)] * step);
        }
        run_tile_kernel(*tile.kernel, arguments, piece.weights.data() + tile.first, at.data(),
                        at.data(), tile.kernel->pixels);
        ahead.fetch();
      }
    }
  }
}

template <typename Visit>
void NarrowRunner::for_each_row(const Strip& strip, Index q_d, Index pair_begin, Index pair_end,
                                Visit visit) const {
  const CallAxis &d = call_.axes[0], &h = call_.axes[1];
  const Index stride_d = d.phases->stride(), stride_h = h.phases->stride();
  for (Index q = strip.begin[1]; q < strip.end[1]; ++q) {
    for (Index pair = pair_begin; pair < pair_end; ++pair) {
      const Index o_d = q_d * stride_d + pair / stride_h - d.window.offset;
      const Index o_h = q * stride_h + pair % stride_h - h.window.offset;
      if (o_d < 0 || o_d >= d.window.output || o_h < 0 || o_h >= h.window.output) continue;
      const auto at = [&](const Index(&strides)[3]) {
        return (o_d * strides[0] + o_h * strides[1]) * size_;
      };
      visit(OutputRow{.pair = pair,
                      .column = (q - strip.begin[1]) * shape_.pitch[2],
                      .residual = strip.residual != nullptr
                                      ? strip.residual + at(call_.residual_strides)
                                      : nullptr,
                      .y = strip.y + at(call_.y_strides)});
    }
  }
}

template <Element T>
void NarrowRunner::write(const NarrowSet& set, const Strip& strip, Index q_d, const T* sums) const {
  const Index pair_rows = call_.axes[2].phases->stride() * layout_.output_size;
  for_each_row(strip, q_d, set.first / pair_rows, ceil_div(set.first + set.count, pair_rows),
               [&](const OutputRow& row) { write_row(set, strip, row, sums); });
}

template <Element T>
void NarrowRunner::write_row(const NarrowSet& set, const Strip& strip, const OutputRow& row,
                             const T* sums) const {
  const CallAxis& w = call_.axes[2];
  const Index stride = w.phases->stride(), channels = layout_.output_size;
  const Index step = sum_step(layout_), step_y = call_.y_strides[2];
  // Accumulator rows of this pair of residues that the set has, as e = r_w * channels + c.
  const Index base = row.pair * stride * channels;
  const Index e_begin = std::max<Index>(set.first - base, 0);
  const Index e_end = std::min(set.first + set.count - base, stride * channels);
  T* y = reinterpret_cast<T*>(row.y);

  // Residues [e, e_to) of positions [q, q_to), all inside the window.
  const auto copy = [&](Index e, Index e_to, Index q, Index q_to) {
    if (q >= q_to) return;
    const Index o = q * stride + e / channels - w.window.offset;
    from_planar(sums + (base + e - set.first) * step + row.column + q - strip.begin[2], step,
                q_to - q, e_to - e, y + o * step_y + e % channels, stride * step_y);
  };
  // Positions at which residue r is inside the window.
  const auto first = [&](Index r) { return ceil_div(w.window.offset - r, stride); };
  const auto last = [&](Index r) {
    return floor_div(w.window.offset + w.window.output - 1 - r, stride) + 1;
  };
  const auto copy_by_residue = [&](Index q, Index q_to) {
    for (Index e = e_begin; e < e_end; e = (e / channels + 1) * channels) {
      const Index r = e / channels;
      copy(e, std::min(e_end, (r + 1) * channels), std::max(q, first(r)), std::min(q_to, last(r)));
    }
  };
  // Where y is dense, all residues of a position are one run.
  Index whole = strip.begin[2], whole_end = strip.begin[2];
  if (step_y == channels) {
    whole = std::clamp(first(e_begin / channels), strip.begin[2], strip.end[2]);
    whole_end = std::clamp(last((e_end - 1) / channels), whole, strip.end[2]);
    copy(e_begin, e_end, whole, whole_end);
  }
  copy_by_residue(strip.begin[2], whole);
  copy_by_residue(whole_end, strip.end[2]);
}

void NarrowRunner::finish(const Strip& strip, Index q_d) const {
  const CallAxis &d = call_.axes[0], &h = call_.axes[1], &w = call_.axes[2];
  const Index stride = w.phases->stride(), channels = layout_.output_size;
  const Index begin = std::max<Index>(strip.begin[2] * stride - w.window.offset, 0);
  const Index end = std::min(strip.end[2] * stride - w.window.offset, w.window.output);
  if (begin >= end) return;
  const Index step_y = call_.y_strides[2], step_r = call_.residual_strides[2];
  const RowEpilogue epilogue(*epilogue_, call_.activation, end - begin, channels, step_y, step_r,
                             call_.residual != nullptr);
  const Index pairs = d.phases->stride() * h.phases->stride();
  for_each_row(strip, q_d, 0, pairs, [&](const OutputRow& row) {
    epilogue.run(row.y + begin * step_y * size_,
                 row.residual != nullptr ? row.residual + begin * step_r * size_ : nullptr);
  });
}

}  // namespace upconv::UPCONV_ABI::internal
