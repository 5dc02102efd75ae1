#include "scatter_layout.h"

#include <algorithm>

#include "chunk.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr Price kProduct = {"product", 1};
constexpr Price kImage = {"image", 1330};
constexpr Price kInput = {"input", 5.6};             ///< its place in the lists, its tile
constexpr Price kInputRow = {"input row", 325};      ///< of y begun and finished
constexpr Price kRunOfRow = {"run of a row", 40.7};  ///< of taps, for each row of inputs
constexpr Price kRun = {"run", 3.9};                 ///< of taps, for each input
constexpr Price kSum = {"sum", 2.07};                ///< that is added
constexpr Price kCopy = {"copy", 0.73};  ///< a sum that is written, where outputs meet one tap
/// 64 bytes of weights that do not fit the cache, each time.
constexpr Price kFarWeights = {"far weights", 0.73};
/// More where they are in memory.
constexpr Price kMemoryWeights = {"memory weights", 25.7};

}  // namespace

bool meet_once(const CallAxis (&axes)[3]) {
  return std::all_of(std::begin(axes), std::end(axes), [](const CallAxis& axis) {
    const AxisPhases& phases = *axis.phases;
    const bool apart = phases.filter() == phases.stride() || axis.input == 1;
    const Index reached = axis.input * phases.filter();  // where they are
    return apart && phases.dilation() == 1 && axis.window.offset >= 0 &&
           axis.window.offset + axis.window.output <= reached;
  });
}

std::optional<ScatterLayout> scatter_layout(const LayerFacts& facts) {
  Index columns = facts.output_size;
  for (const AxisPhases& axis : facts.axes) {
    if (columns > kMostNearColumns / axis.filter()) return std::nullopt;
    columns *= axis.filter();
  }
  const Index cache = target_sizes(facts.isa).points_cache_bytes;
  const Index column_bytes = facts.input_size * static_cast<Index>(size_of(facts.dtype));
  if (columns > kMostColumns && column_bytes > cache / columns) return std::nullopt;
  ScatterLayout layout;
  static_cast<LayerFacts&>(layout) = facts;
  layout.parts = choose_parts(columns, facts.dtype, facts.isa);
  if (layout.parts.empty()) return std::nullopt;
  for (const Part& part : layout.parts) layout.pitch += part.blocks * part.block_channels();
  const Index tall = layout.parts.front().tiles[0].pixels;
  const Index fitting = kProductBytes / (layout.pitch * static_cast<Index>(size_of(facts.dtype)));
  layout.chunk_pixels = std::clamp(fitting / tall * tall, tall, kChunkPixels / tall * tall);
  return layout;
}

void charge_scatter(Bill& bill, const ScatterLayout& layout, const CallAxis (&axes)[3],
                    Index batches) {
  const AxisPhases& w = layout.axes[2];
  const Index image_rows = axes[0].input * axes[1].input, image = image_rows * axes[2].input;
  const double rows = real(batches * image_rows), inputs = real(batches * image);
  double tiles = 0;  // of an image, which has tiles of its own
  for (const Part& part : layout.parts) {
    tiles += real(part.blocks) * part.block_time(image, layout.vector_time);
  }

  // Pairs of an input and a tap that meet in the window.
  const double outer_pairs = real(batches) * real(axes[0].pairs()) * real(axes[1].pairs());
  const double sums = outer_pairs * real(axes[2].pairs()) * real(layout.output_size);
  const double runs = real(w.dilation() == 1 ? ceil_div(w.filter(), w.stride()) : w.filter());
  const bool once = meet_once(axes);
  bill.add(kImage, real(batches));
  bill.add(kProduct, real(batches * layout.input_size) * tiles);
  bill.add(kInput, inputs);
  bill.add(kRun, outer_pairs * real(axes[2].input) * runs);
  bill.add(once ? kCopy : kSum, sums);
  bill.add(kInputRow, rows);
  bill.add(kRunOfRow, outer_pairs * runs);
  const Index bytes = layout.input_size * layout.pitch * static_cast<Index>(size_of(layout.dtype));
  if (bytes > target_sizes(layout.isa).points_cache_bytes) {
    const double lines = real(batches * ceil_div(image, layout.chunk_pixels)) * real(bytes / 64);
    bill.add(kFarWeights, lines);
    if (real(bytes) > kCachedBytes) bill.add(kMemoryWeights, lines);
  }
}

}  // namespace upconv::UPCONV_ABI::internal
