// Runs a call of the wide strategy: cuts it into boxes, chunks and groups of channels, and hands
// them to the kernels.
#include "wide_plan.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

#include "call.h"
#include "chunk.h"
#include "upconv/error.h"
#include "wide_packing.h"

namespace upconv::internal {

namespace {

// Sizes that the walk blocks for, in bytes: together half of a second-level cache of 512 KiB.
// They move work in time and never change a result.
constexpr Index kSlabBytes =
    Index{128} * 1024;  // x of one slab, re-read for every phase and channel
constexpr Index kPanelBytes = Index{128} * 1024;  // weights of one phase and group of channels

/// A halide_buffer_t of one to three axes on the stack.
template <int N>
struct Buffer {
  halide_dimension_t dim[N];
  halide_buffer_t raw;

  Buffer(const void* host, std::array<Index, N> extents, std::array<Index, N> strides) : raw{} {
    for (int axis = 0; axis < N; ++axis) {
      dim[axis] = halide_dimension_t{0, static_cast<int32_t>(extents[static_cast<size_t>(axis)]),
                                     static_cast<int32_t>(strides[static_cast<size_t>(axis)])};
    }
    raw.host = static_cast<uint8_t*>(const_cast<void*>(host));
    raw.dimensions = N;
    raw.dim = dim;
  }
};

/// Views that only the tables bound say they are as long as offsets can be.
constexpr Index kUnbounded = std::numeric_limits<int32_t>::max();

Buffer<1> flat(const void* host, Index extent = kUnbounded) { return {host, {extent}, {1}}; }

/// Blocks [begin, end) of one part of the output channels.
struct Group {
  const Part* part = nullptr;
  Index begin = 0;
  Index end = 0;
};

/// Everything that is the same for all units of a call.
class Runner {
 public:
  Runner(const Call& call, const WideWeights& packed)
      : call_(call),
        packed_(packed),
        layout_(packed.layout),
        size_(static_cast<Index>(size_of(layout_.dtype))),
        epilogue_(nullptr) {
    const bool clamp = call.activation.is_clamp() && call.residual == nullptr;
    min_ = clamp ? call.activation.min() : -std::numeric_limits<double>::infinity();
    max_ = clamp ? call.activation.max() : std::numeric_limits<double>::infinity();
    if (!clamp) epilogue_ = find_epilogue(call.activation.kind(), layout_.dtype, layout_.isa);
    copy_ = find_epilogue(ActivationKind::kClamp, layout_.dtype, layout_.isa);
  }

  /// Walks all units and runs those that claim() says are this thread's. Every thread walks the
  /// same units in the same order.
  template <typename Claim>
  void work(const Scratch& scratch, Index chunk_pixels, Claim claim) const;

  /// Multiply-adds of the call, for the decision whether threads pay.
  double multiply_adds() const {
    double total = static_cast<double>(call_.batch_count()) * static_cast<double>(layout_.rows()) *
                   static_cast<double>(layout_.output_size);
    double outputs =
        static_cast<double>(call_.batch_count()) * static_cast<double>(layout_.output_size);
    for (const CallAxis& axis : call_.axes) {
      total *= static_cast<double>(axis.input);
      outputs *= static_cast<double>(axis.window.output);
    }
    // An output that sees no tap costs about as much as a few multiply-adds to write.
    return std::max(total, 8 * outputs);
  }

  /// Chunk length for a number of threads: enough units for all, never below a few tiles.
  Index chunk_pixels(int threads) const {
    if (threads == 1) return kChunkPixels;
    Index pixels = call_.batch_count();
    for (const CallAxis& axis : call_.axes) pixels *= axis.q_end() - axis.q_begin();
    const Index wanted = ceil_div(pixels, 4 * Index{threads});
    return std::clamp<Index>(ceil_div(wanted, 24) * 24, 24, kChunkPixels);
  }

 private:
  template <typename Visit>
  void for_each_slab(Visit visit) const;
  template <typename Visit>
  void for_each_group(Index phase_taps, Visit visit) const;
  void run_unit(const Box& box, const Group& group, const Chunk& chunk,
                const Scratch& scratch) const;
  void run_tiles(const Box& box, const Group& group, const Chunk& chunk, const Scratch& scratch,
                 void* y, std::int32_t* pixel_y) const;
  void finish(const EpilogueKernel& epilogue, const Chunk& chunk, const Scratch& scratch,
              const void* in, std::int32_t* pixel_in, Index first_channel, Index channels) const;

  const Call& call_;
  const WideWeights& packed_;
  const WideLayout& layout_;
  Index size_;
  double min_, max_;
  const EpilogueKernel* epilogue_;  ///< null: the clamp in the tile is all
  const EpilogueKernel* copy_;      ///< takes the real channels out of a padded block
};

/// Slabs: ranges of batches, and of rows of the slowest axis, whose x fits the cache.
template <typename Visit>
void Runner::for_each_slab(Visit visit) const {
  int slow = 0;
  while (slow < 2 && call_.axes[slow].input == 1 && call_.axes[slow].window.output == 1) ++slow;
  Index row_bytes = layout_.input_size * size_;
  for (int axis = slow + 1; axis < 3; ++axis) row_bytes *= call_.axes[axis].input;
  const CallAxis& axis = call_.axes[slow];
  const Index rows = std::max<Index>(1, kSlabBytes / std::max<Index>(1, row_bytes));
  const Index image_bytes = std::max<Index>(1, row_bytes * axis.input);
  const Index images = rows >= axis.input ? std::max<Index>(1, kSlabBytes / image_bytes) : 1;
  const Index step = rows >= axis.input ? axis.q_end() - axis.q_begin() : rows;
  const Index batches = call_.batch_count();
  for (Index n = 0; n < batches; n += images) {
    for (Index q = axis.q_begin(); q < axis.q_end(); q += step) {
      visit(n, std::min(n + images, batches), slow, q, std::min(q + step, axis.q_end()));
    }
  }
}

/// Groups of channels whose weights for one phase stay in cache while all its pixels pass.
template <typename Visit>
void Runner::for_each_group(Index phase_taps, Visit visit) const {
  for (const Part& part : layout_.parts) {
    const Index block_bytes =
        std::max<Index>(1, phase_taps * layout_.input_size * part.block_channels() * size_);
    // A kernel's offsets in the weights are 32-bit, too.
    const Index block_step = layout_.rows() * part.block_channels();
    const Index most = std::max<Index>(1, kUnbounded / 2 / std::max<Index>(1, block_step));
    const Index step = std::clamp<Index>(kPanelBytes / block_bytes, 1, most);
    for (Index block = 0; block < part.blocks; block += step) {
      visit(Group{&part, block, std::min(block + step, part.blocks)});
    }
  }
}

template <typename Claim>
void Runner::work(const Scratch& scratch, Index chunk_pixels, Claim claim) const {
  for_each_slab([&](Index batch_begin, Index batch_end, int slow, Index q_begin, Index q_end) {
    const auto range = [&](int axis, auto visit, const Phase& phase) {
      const CallAxis& call_axis = call_.axes[axis];
      const bool cut = axis == slow;
      for_each_segment(call_axis, phase, cut ? q_begin : call_axis.q_begin(),
                       cut ? q_end : call_axis.q_end(), visit);
    };
    call_.axes[0].for_each_phase([&](const Phase& d) {
      call_.axes[1].for_each_phase([&](const Phase& h) {
        call_.axes[2].for_each_phase([&](const Phase& w) {
          Box box{{d, h, w}, {}, batch_begin, batch_end};
          for_each_group(d.taps * h.taps * w.taps, [&](const Group& group) {
            range(
                0,
                [&](const Segment& sd) {
                  range(
                      1,
                      [&](const Segment& sh) {
                        range(
                            2,
                            [&](const Segment& sw) {
                              box.segment[0] = sd;
                              box.segment[1] = sh;
                              box.segment[2] = sw;
                              // A chunk may stop early (fill_chunk), so its length is only known
                              // when filled; the claim is for a fixed range of pixels, whatever
                              // chunks it takes.
                              const Index pixels = box.pixels();
                              for (Index first = 0; first < pixels; first += chunk_pixels) {
                                if (!claim()) continue;
                                const Index last = std::min(first + chunk_pixels, pixels);
                                for (Index at = first; at < last;) {
                                  const Chunk chunk =
                                      fill_chunk(call_, box, at, last - at, scratch);
                                  run_unit(box, group, chunk, scratch);
                                  at += chunk.count;
                                }
                              }
                            },
                            w);
                      },
                      h);
                },
                d);
          });
        });
      });
    });
  });
}

void Runner::run_unit(const Box& box, const Group& group, const Chunk& chunk,
                      const Scratch& scratch) const {
  const Part& part = *group.part;
  const Index block = part.block_channels();
  const Index first_channel = part.first_channel + group.begin * block;
  const Index channels = std::min((group.end - group.begin) * block,
                                  part.first_channel + part.channels - first_channel);
  const Index whole_blocks = channels / block;
  // With an epilogue block by block: what the tiles wrote is still in the first-level cache.
  const Index step = epilogue_ != nullptr ? 1 : std::max<Index>(1, whole_blocks);
  for (Index at = 0; at < whole_blocks; at += step) {
    const Group whole{group.part, group.begin + at, group.begin + at + step};
    const Index channel = first_channel + at * block;
    std::byte* y = chunk.y + channel * size_;
    run_tiles(box, whole, chunk, scratch, y, scratch.pixel_y);
    if (epilogue_ != nullptr) {
      finish(*epilogue_, chunk, scratch, y, scratch.pixel_y, channel, block);
    }
  }
  const Index rest = channels - whole_blocks * block;
  if (rest > 0) {
    // A padded block writes more channels than y has: into scratch, and its real ones from there.
    Group last = group;
    last.begin = group.begin + whole_blocks;
    for (Index p = 0; p < kTablePixels; ++p) {
      scratch.pixel_tile[p] = static_cast<std::int32_t>(p * block);
    }
    run_tiles(box, last, chunk, scratch, scratch.tile, scratch.pixel_tile);
    finish(epilogue_ != nullptr ? *epilogue_ : *copy_, chunk, scratch, scratch.tile,
           scratch.pixel_tile, first_channel + whole_blocks * block, rest);
  }
}

void Runner::run_tiles(const Box& box, const Group& group, const Chunk& chunk,
                       const Scratch& scratch, void* y, std::int32_t* pixel_y) const {
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
  const bool any = chunk.taps[0] > 0;
  const Index first_row = any ? (phase_tap + first_tap) * input_size : 0;
  const std::byte* weights = static_cast<const std::byte*>(packed_.weights.data());
  const Index weights_at =
      static_cast<Index>(part.offset) + (group.begin * layout_.rows() + first_row) * block;
  Index bias_at = part.first_channel + group.begin * block;
  const std::byte* bias = static_cast<const std::byte*>(packed_.bias.data());

  Buffer<1> x_buffer = flat(chunk.x), y_buffer = flat(y);
  Buffer<3> w_buffer(weights + weights_at * size_, {block, layout_.rows(), group.end - group.begin},
                     {1, block, layout_.rows() * block});
  Buffer<1> bias_buffer = flat(bias + bias_at * size_, (group.end - group.begin) * block);

  const auto tiles = [&](const WideKernel& kernel, Index first, Index count) {
    Buffer<1> px = flat(scratch.pixel_x + first, count), py = flat(pixel_y + first, count);
    kernel.function(&x_buffer.raw, &w_buffer.raw, &bias_buffer.raw, &px.raw, &py.raw,
                    static_cast<int32_t>(input_size), static_cast<int32_t>(chunk.taps[0]),
                    static_cast<int32_t>(chunk.taps[1]), static_cast<int32_t>(chunk.taps[2]),
                    chunk.tap_x[0], chunk.tap_x[1], chunk.tap_x[2],
                    static_cast<int32_t>(h.taps * w.taps * input_size),
                    static_cast<int32_t>(w.taps * input_size), static_cast<int32_t>(input_size),
                    min_, max_, &y_buffer.raw);
  };
  const WideKernel& tall = part.tiles[0];
  const Index whole = chunk.count / tall.pixels * tall.pixels;
  if (whole > 0) tiles(tall, 0, whole);
  const Index rest = chunk.count - whole;
  if (rest == 0) return;
  // The lowest tile that takes the rest; its spare pixels repeat the last one.
  const WideKernel* low = &tall;
  for (const WideKernel& kernel : part.tiles) {
    if (kernel.pixels >= rest) low = &kernel;
  }
  for (Index p = chunk.count; p < whole + low->pixels; ++p) {
    scratch.pixel_x[p] = scratch.pixel_x[chunk.count - 1];
    pixel_y[p] = pixel_y[chunk.count - 1];
  }
  tiles(*low, whole, low->pixels);
}

void Runner::finish(const EpilogueKernel& epilogue, const Chunk& chunk, const Scratch& scratch,
                    const void* in, std::int32_t* pixel_in, Index first_channel,
                    Index channels) const {
  const bool clamp = epilogue.activation == ActivationKind::kClamp;
  const bool residual = call_.residual != nullptr;
  // The copy out of a padded block repeats the clamp that the tile has done already.
  const double p0 = clamp ? call_.activation.min() : call_.activation.alpha();
  const double p1 = clamp ? call_.activation.max() : 0;
  Buffer<1> in_buffer = flat(in), out_buffer = flat(chunk.y + first_channel * size_);
  Buffer<1> residual_buffer = flat(residual ? chunk.residual + first_channel * size_ : in);
  Buffer<1> pi = flat(pixel_in, chunk.count), po = flat(scratch.pixel_y, chunk.count);
  Buffer<1> pr = flat(scratch.pixel_residual, chunk.count);
  epilogue.function(&in_buffer.raw, &residual_buffer.raw, &pi.raw, &pr.raw, &po.raw,
                    static_cast<int32_t>(channels), residual ? 1 : 0, p0, p1, &out_buffer.raw);
}

/// Below this a thread costs more than it does; measured in multiply-adds.
constexpr double kThreadWork = 4e6;

class WidePlan final : public Plan {
 public:
  explicit WidePlan(WideWeights packed) : packed_(std::move(packed)) {}

  const LayerFacts& facts() const override { return packed_.layout; }
  std::size_t packed_bytes() const override {
    return static_cast<std::size_t>(packed_.weights.size() + packed_.bias.size()) *
           size_of(packed_.layout.dtype);
  }
  std::size_t scratch_bytes_per_thread() const override;
  void check(const Call& call) const override;
  void run(const Call& call, int threads, Executor* executor,
           std::span<std::byte> scratch) const override;

 private:
  WideWeights packed_;
};

std::size_t WidePlan::scratch_bytes_per_thread() const {
  // For the widest block of any ISA: a call that names another than the layer's needs no more.
  Index channels = 0;
  for (const WideKernel& row : wide_kernels()) {
    if (row.dtype == packed_.layout.dtype) {
      channels = std::max(channels, Index{row.lanes} * row.vectors);
    }
  }
  const std::size_t tile =
      static_cast<std::size_t>(kTablePixels * channels) * size_of(packed_.layout.dtype);
  return (4 * Scratch::kTableBytes + tile + 63) / 64 * 64;
}

void WidePlan::check(const Call& call) const {
  Index reach = packed_.layout.input_size;
  for (int axis = 0; axis < 3; ++axis) {
    const AxisPhases& phases = *call.axes[axis].phases;
    // Taps that reach an input lie within the input, and within a phase.
    const Index taps = std::min(phases.with_taps().front().taps,
                                ceil_div(call.axes[axis].input, phases.input_step()));
    if (taps < 2) continue;
    Index span = 0;
    if (__builtin_mul_overflow((taps - 1) * phases.input_step(), std::abs(call.x_strides[axis]),
                               &span) ||
        __builtin_add_overflow(reach, span, &reach)) {
      reach = std::numeric_limits<Index>::max();
      break;
    }
  }
  if (reach > kLargestOffset) {
    throw Error(ErrorKind::kLimitExceeded, packed_.layout.label +
                                               ": the taps of one output reach over " +
                                               std::to_string(reach) + " input elements; at most " +
                                               std::to_string(kLargestOffset) + " are supported");
  }
}

void WidePlan::run(const Call& call, int threads, Executor* executor,
                   std::span<std::byte> scratch) const {
  if (call.is_empty()) return;
  const Runner runner(call, packed_);
  const std::size_t share = scratch_bytes_per_thread();
  if (threads > 1) {
    threads = static_cast<int>(
        std::clamp(runner.multiply_adds() / kThreadWork, 1.0, static_cast<double>(threads)));
  }
  if (threads == 1) {
    runner.work(Scratch(scratch.first(share)), kChunkPixels, [] { return true; });
    return;
  }
  std::atomic<Index> next{0};
  const Index chunk_pixels = runner.chunk_pixels(threads);
  executor->run(threads, [&](int thread) {
    Index at = 0;
    Index mine = next.fetch_add(1, std::memory_order_relaxed);
    runner.work(Scratch(scratch.subspan(static_cast<std::size_t>(thread) * share, share)),
                chunk_pixels, [&] {
                  if (at++ != mine) return false;
                  mine = next.fetch_add(1, std::memory_order_relaxed);
                  return true;
                });
  });
}

}  // namespace

std::optional<double> wide_cost(const LayerFacts& facts) {
  const std::vector<Part> parts = choose_parts(facts.output_size, facts.dtype, facts.isa);
  if (parts.empty()) return std::nullopt;
  double cost = 0;
  for (const Part& part : parts) cost += static_cast<double>(part.blocks) * part.tiles[0].cost;
  return cost;
}

const char* wide_kernel(const LayerFacts& facts) {
  return choose_parts(facts.output_size, facts.dtype, facts.isa).front().tiles.front().name;
}

std::shared_ptr<const Plan> wide_pack(const LayerFacts& facts, const Tensor& kernel,
                                      const Tensor* bias) {
  return std::make_shared<WidePlan>(pack_wide(facts, kernel, bias));
}

}  // namespace upconv::internal
