#include "scatter_run.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernel_buffer.h"
#include "row_epilogue.h"
#include "scatter_add.h"
#include "tile_arguments.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// With several, threads end at about the same time ...
constexpr Index kBandsPerThread = 2;
/// ... unless the outputs of a band are not so many times those that two of them compute.
constexpr Index kBandOverlaps = 8;

/// Rows that follow one another are begun and finished as one of at most so many outputs.
constexpr Index kMostRowOutputs = 4096;

/// x of axes `slow` on, in row-major order, is at 0, step, 2 * step, ... which fit the tables.
bool evenly_spaced(const Call& call, int slow) {
  for (int axis = 2; axis > slow; --axis) {
    if (call.x_strides[axis - 1] != call.axes[axis].input * call.x_strides[axis]) return false;
  }
  return call.x_strides[2] >= 0 && call.x_strides[2] <= kLargestOffset / kChunkPixels;
}

}  // namespace

/// One thread's scratch.
struct ScatterRunner::Memory {
  Memory(std::span<std::byte> memory, const ScatterLayout& layout)
      : tables(memory), products(tables.tile + layout.margin() * layout.element_bytes()) {}

  static Index bytes(const ScatterLayout& layout) {
    const Index elements = layout.chunk_pixels * layout.pitch + 2 * layout.margin();
    return static_cast<Index>(Scratch::kTableBytes) + elements * layout.element_bytes();
  }

  Scratch tables;
  std::byte* products;  ///< [input][pitch]
};

std::size_t ScatterRunner::scratch_bytes(const ScatterLayout& layout) {
  return static_cast<std::size_t>(Memory::bytes(layout));
}

ScatterRunner::ScatterRunner(const ScatterLayout& layout, const Tensor& weights,
                             const Tensor& starts, const Call& call, int threads)
    : layout_(layout),
      weights_(weights),
      bias_(static_cast<const std::byte*>(starts.data()) +
            layout.pitch * static_cast<Index>(size_of(layout.dtype))),
      zeros_(static_cast<const std::byte*>(starts.data())),
      call_(call),
      size_(static_cast<Index>(size_of(layout.dtype))),
      inputs_(call),
      once_(meet_once(call.axes)),
      slow_(call.slow_axis()),
      even_(evenly_spaced(call, slow_)),
      // Outputs that are neighbours in y.
      adder_(once_ || call.y_strides[2] != layout.output_size ? nullptr : layout.adder) {
  for (int axis = 0; axis < 3; ++axis) {
    inputs_.axes[axis] = {&layout.one_tap, call.axes[axis].input, {call.axes[axis].input, 0}};
    inputs_.y_strides[axis] = 0;
  }
  for (BatchAxis& axis : inputs_.batch) axis.y = 0;
  inputs_.y = nullptr;
  inputs_.residual = nullptr;

  // Of two neighbouring bands, both compute the inputs that reach both.
  const CallAxis& axis = call.axes[slow_];
  const Index outputs = axis.window.output, shared = last_tap(slow_);
  Index wanted = threads == 1 ? 1 : ceil_div(kBandsPerThread * threads, call.batch_count());
  if (wanted > threads && outputs < kBandOverlaps * wanted * shared) wanted = threads;
  band_outputs_ = std::max<Index>(1, ceil_div(outputs, wanted));
  bands_ = ceil_div(outputs, band_outputs_);
  const ActivationKind kind = call.activation.kind();
  if (once_ && call.residual == nullptr && call.activation.is_clamp()) {
    min_ = call.activation.min();
    max_ = call.activation.max();
  } else if (kind != ActivationKind::kLinear || call.residual != nullptr) {
    epilogue_ = find_epilogue(kind, layout.dtype, layout.isa);
  }
}

Index ScatterRunner::last_tap(int axis) const {
  const AxisPhases& phases = *call_.axes[axis].phases;
  return (phases.filter() - 1) * phases.dilation();
}

void ScatterRunner::run(Index unit, std::span<std::byte> scratch) const {
  const Memory memory(scratch, layout_);
  for (Index p = 0; p < kTablePixels; ++p) {
    memory.tables.pixel_tile[p] = static_cast<std::int32_t>(p * layout_.pitch);
  }
  if (even_) {
    for (Index p = 0; p < layout_.chunk_pixels; ++p) {
      memory.tables.pixel_x[p] = static_cast<std::int32_t>(p * call_.x_strides[2]);
    }
  }
  const CallAxis& axis = call_.axes[slow_];
  const Index stride = axis.phases->stride(), offset = axis.window.offset, reach = last_tap(slow_);
  Band band{.image = unit / bands_, .at = call_.image(unit / bands_)};
  band.begin = unit % bands_ * band_outputs_;
  band.end = std::min(band.begin + band_outputs_, axis.window.output);

  // Inputs i whose outputs, i*stride - offset to reach more, are in the band.
  const Index first =
      std::clamp<Index>(ceil_div(band.begin + offset - reach, stride), 0, axis.input);
  const Index last =
      std::clamp<Index>(floor_div(band.end - 1 + offset, stride) + 1, first, axis.input);
  Index row_inputs = 1;
  for (int faster = slow_ + 1; faster < 3; ++faster) row_inputs *= call_.axes[faster].input;
  const Index step = std::max<Index>(1, layout_.chunk_pixels / std::max<Index>(1, row_inputs));
  Index begun = band.begin, finished = band.begin;
  Index group = 0;
  layout_.for_each_group([&](const ScatterLayout::Taps& taps) {
    const TapGroup mine{taps, weights_of(group)};
    const bool is_last = ++group == layout_.groups();
    for (Index input = first; input < last; input += step) {
      const Index end = std::min(input + step, last);
      const Index reached = std::clamp((end - 1) * stride + reach + 1 - offset, begun, band.end);
      begin_outputs(band, begun, reached);
      begun = reached;
      add_inputs(band, mine, input, end, memory);
      if (!is_last) continue;
      const Index complete = std::clamp(end * stride - offset, finished, begun);
      finish_outputs(band, finished, complete);
      finished = complete;
    }
  });
  begin_outputs(band, begun, band.end);
  finish_outputs(band, finished, band.end);
}

const std::byte* ScatterRunner::weights_of(Index group) const {
  return static_cast<const std::byte*>(weights_.data()) +
         group * layout_.input_size * layout_.pitch * size_;
}

ScatterRunner::Rows ScatterRunner::rows_of(const Band& band, Index begin, Index end) const {
  Rows rows{.first = band.at, .outputs = 1};
  bool one_run = true;
  for (int axis = 2; axis >= 0; --axis) {
    const Index origin = axis == slow_ ? begin : 0;
    const Index extent = axis == slow_ ? end - begin : call_.axes[axis].window.output;
    rows.first.y += origin * call_.y_strides[axis];
    rows.first.residual += origin * call_.residual_strides[axis];
    // A row of rows that follow one another is one row.
    const auto follows = [&](const Index(&strides)[3]) {
      return strides[axis] == rows.outputs * strides[2];
    };
    one_run = one_run &&
              (extent == 1 || (follows(call_.y_strides) &&
                               (call_.residual == nullptr || follows(call_.residual_strides)) &&
                               rows.outputs * extent <= kMostRowOutputs));
    if (axis == 2 || one_run) {
      rows.outputs *= extent;
    } else {
      rows.count[axis] = extent;
    }
  }
  return rows;
}

template <typename Visit>
void ScatterRunner::for_each_row(const Rows& rows, Visit visit) const {
  for (Index d = 0; d < rows.count[0]; ++d) {
    for (Index h = 0; h < rows.count[1]; ++h) {
      const auto at = [&](Index first, const Index(&strides)[3]) {
        return (first + d * strides[0] + h * strides[1]) * size_;
      };
      visit(call_.y + at(rows.first.y, call_.y_strides),
            call_.residual != nullptr
                ? call_.residual + at(rows.first.residual, call_.residual_strides)
                : nullptr);
    }
  }
}

void ScatterRunner::begin_outputs(const Band& band, Index begin, Index end) const {
  if (once_ || begin >= end) return;
  const Rows rows = rows_of(band, begin, end);
  const std::size_t bytes = static_cast<std::size_t>(layout_.output_size * size_);
  const Index step = call_.y_strides[2] * size_;
  for_each_row(rows, [&](std::byte* y, const std::byte* /*residual*/) {
    std::memcpy(y, bias_, bytes);
    if (call_.y_strides[2] != layout_.output_size) {
      for (Index o = 1; o < rows.outputs; ++o) std::memcpy(y + o * step, bias_, bytes);
      return;
    }
    // Twice as many each time.
    const std::size_t all = static_cast<std::size_t>(rows.outputs) * bytes;
    for (std::size_t done = bytes; done < all; done *= 2) {
      std::memcpy(y + done, y, std::min(done, all - done));
    }
  });
}

void ScatterRunner::finish_outputs(const Band& band, Index begin, Index end) const {
  if (epilogue_ == nullptr || begin >= end) return;
  const Rows rows = rows_of(band, begin, end);
  const RowEpilogue epilogue(*epilogue_, call_.activation, rows.outputs, layout_.output_size,
                             call_.y_strides[2], call_.residual_strides[2],
                             call_.residual != nullptr);
  for_each_row(rows, [&](std::byte* y, const std::byte* residual) { epilogue.run(y, residual); });
}

void ScatterRunner::add_inputs(const Band& band, const TapGroup& group, Index begin, Index end,
                               const Memory& memory) const {
  Box box;
  box.batch_begin = band.image;
  box.batch_end = band.image + 1;
  Index extent[3];
  for (int axis = 0; axis < 3; ++axis) {
    box.phase[axis] = layout_.one_tap.phase(0);
    box.segment[axis] = {.begin = 0, .end = call_.axes[axis].input, .tap_begin = 0, .tap_end = 1};
    if (axis == slow_) box.segment[axis] = {begin, end, 0, 1};
    extent[axis] = box.segment[axis].end - box.segment[axis].begin;
  }
  const Index count = box.pixels();
  for (Index first = 0; first < count;) {
    const Chunk chunk = chunk_of(band, box, first, memory);
    multiply(chunk, group, memory);
    for (Index p = 0; p < chunk.count;) {
      const Index n = first + p, row = n / extent[2];
      const Index input[3] = {box.segment[0].begin + row / extent[1],
                              box.segment[1].begin + row % extent[1],
                              box.segment[2].begin + n % extent[2]};
      const Index run = std::min(chunk.count - p, extent[2] - n % extent[2]);
      add_row(band, group, input, run, memory.products + p * layout_.pitch * size_);
      p += run;
    }
    first += chunk.count;
  }
}

Chunk ScatterRunner::chunk_of(const Band& band, const Box& box, Index first,
                              const Memory& memory) const {
  if (!even_) return fill_chunk(inputs_, box, first, layout_.chunk_pixels, memory.tables);
  const Index x = band.at.x + box.segment[slow_].begin * call_.x_strides[slow_];
  Chunk chunk;
  chunk.count = std::min(box.pixels() - first, layout_.chunk_pixels);
  chunk.x = call_.x + (x + first * call_.x_strides[2]) * size_;
  return chunk;
}

void ScatterRunner::multiply_few(const Chunk& chunk, const TapGroup& group,
                                 const Memory& memory) const {
  const FewColumnsKernel& kernel = *layout_.few;
  Buffer<1> x = flat(chunk.x), start = flat(once_ ? bias_ : zeros_);
  Buffer<2> w(group.weights, {kernel.columns, layout_.input_size}, {1, kernel.columns});
  const auto run = [&](const std::int32_t* pixels, Index first, Index count) {
    Buffer<1> pixel_x = flat(pixels, count);
    Buffer<2> products(memory.products + first * layout_.pitch * size_, {kernel.columns, count},
                       {1, kernel.columns});
    kernel.function(&x.raw, &pixel_x.raw, &w.raw, &start.raw,
                    static_cast<std::int32_t>(layout_.input_size), min_, max_, &products.raw);
  };
  const std::int32_t* pixel_x = memory.tables.pixel_x;
  const Index whole = chunk.count / kernel.lanes * kernel.lanes, rest = chunk.count - whole;
  if (whole > 0) run(pixel_x, 0, whole);
  if (rest == 0) return;
  // Spare pixels repeat the last one; a chunk has room for their products.
  std::array<std::int32_t, kMarginBytes / sizeof(float)> rest_x;
  for (Index p = 0; p < kernel.lanes; ++p) {
    rest_x[static_cast<std::size_t>(p)] = pixel_x[whole + std::min(p, rest - 1)];
  }
  run(rest_x.data(), whole, kernel.lanes);
}

void ScatterRunner::multiply(const Chunk& chunk, const TapGroup& group,
                             const Memory& memory) const {
  if (layout_.few != nullptr) {
    multiply_few(chunk, group, memory);
    return;
  }
  TileArguments arguments;
  arguments.x = chunk.x;
  arguments.input_size = layout_.input_size;
  std::fill(std::begin(arguments.taps), std::end(arguments.taps), 1);
  arguments.min = min_;
  arguments.max = max_;
  std::int32_t *pixel_x = memory.tables.pixel_x, *pixel_products = memory.tables.pixel_tile;
  for (const Part& part : layout_.parts) {
    const Index block = part.block_channels();
    const TileKernel& tall = part.tiles[0];
    const Index whole = chunk.count / tall.pixels * tall.pixels, rest = chunk.count - whole;
    // The lowest tile's spare pixels repeat the last one.
    std::array<std::int32_t, kTablePixels> rest_x, rest_products;
    if (rest > 0) {
      for (Index p = 0; p < tile_for(part.tiles, rest).pixels; ++p) {
        const Index from = whole + std::min<Index>(p, rest - 1);
        rest_x[static_cast<std::size_t>(p)] = pixel_x[from];
        rest_products[static_cast<std::size_t>(p)] = pixel_products[from];
      }
    }
    arguments.w_step = block;
    arguments.block_w = layout_.input_size * block;
    // Where there are both, so many blocks that the lowest tile finds in cache what the tall ones
    // read.
    const Index fitting = target_sizes(layout_.isa).panel_bytes / (arguments.block_w * size_);
    const Index step =
        whole > 0 && rest > 0 ? std::clamp<Index>(fitting, 1, part.blocks) : part.blocks;
    for (Index first = 0; first < part.blocks; first += step) {
      const Index channel = part.first_channel + first * block;
      arguments.blocks = std::min(step, part.blocks - first);
      arguments.w =
          group.weights + (static_cast<Index>(part.offset) + first * arguments.block_w) * size_;
      arguments.init = (once_ ? bias_ : zeros_) + channel * size_;
      arguments.y = memory.products + channel * size_;
      if (whole > 0) run_tile_kernel(tall, arguments, pixel_x, kNoOffsets, pixel_products, whole);
      if (rest == 0) continue;
      const TileKernel& low = tile_for(part.tiles, rest);
      run_tile_kernel(low, arguments, rest_x.data(), kNoOffsets, rest_products.data(), low.pixels);
    }
  }
}

void ScatterRunner::add_row(const Band& band, const TapGroup& group, const Index (&input)[3],
                            Index count, const std::byte* products) const {
  const ScatterLayout::Taps& taps = group.taps;
  ScatterRow row{.inputs = count,
                 .taps = taps.end[2] - taps.begin[2],
                 .stride = call_.axes[2].phases->stride(),
                 .dilation = call_.axes[2].phases->dilation(),
                 .channels = layout_.output_size,
                 .pitch = layout_.pitch,
                 .step = call_.y_strides[2],
                 .once = once_,
                 .adder = adder_};
  ScatterTaps outer[2];
  Index from = 0, to = band.at.y, from_step = layout_.output_size * layout_.group[2];
  for (int axis = 2; axis >= 0; --axis) {
    // The output of the first tap, and those that exist, counted from it.
    const CallAxis& a = call_.axes[axis];
    const Index dilation = a.phases->dilation();
    const Index first =
        input[axis] * a.phases->stride() + taps.begin[axis] * dilation - a.window.offset;
    const Index begin = (axis == slow_ ? band.begin : 0) - first;
    const Index end = (axis == slow_ ? band.end : a.window.output) - first;
    to += first * call_.y_strides[axis];
    if (axis == 2) {
      row.begin = begin;
      row.end = end;
      continue;
    }
    const Index tap = std::max<Index>(ceil_div(begin, dilation), 0);
    const Index tap_end = std::min(ceil_div(end, dilation), taps.end[axis] - taps.begin[axis]);
    if (tap >= tap_end) return;
    outer[axis] = {tap_end - tap, from_step, dilation * call_.y_strides[axis]};
    from += tap * from_step;
    to += tap * outer[axis].to_step;
    from_step *= layout_.group[axis];
  }
  products += from * size_;
  std::byte* y = call_.y + to * size_;
  if (layout_.dtype == DType::kFloat32) {
    add_products(row, outer[0], outer[1], reinterpret_cast<const float*>(products),
                 reinterpret_cast<float*>(y));
  } else {
    add_products(row, outer[0], outer[1], reinterpret_cast<const double*>(products),
                 reinterpret_cast<double*>(y));
  }
}

}  // namespace upconv::UPCONV_ABI::internal
