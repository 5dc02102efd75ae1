#include "scatter_layout.h"

#include <algorithm>

#include "chunk.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Channels that a kernel of few columns takes at a time.
constexpr Index kQuad = 4;

constexpr Price kProduct = {"product", 1};
/// Four channels of an input, transposed in registers, and of all inputs of a tile with a column.
constexpr Price kTransposed = {"transposed input", 1.9}, kFewProducts = {"few products", 5};
constexpr Price kImage = {"image", 1330};
constexpr Price kInput = {"input", 5.6};             ///< its place in the lists, its tile
constexpr Price kInputRow = {"input row", 325};      ///< of y begun and finished
constexpr Price kRunOfRow = {"run of a row", 40.7};  ///< of taps, for each row of inputs
constexpr Price kRun = {"run", 3.9};                 ///< of taps, for each input
/// A sum that is added, also in vectors that are whole cache lines.
constexpr Price kSum = {"sum", 2.07}, kLineSum = {"sum", 1.5};
/// A vector of sums in one row of y, and each input that reaches it, where a kernel adds them.
constexpr Price kGather = {"gathered vector", 14}, kGathered = {"gathered input", 7};
constexpr Price kCopy = {"copy", 0.73};  ///< a sum that is written, where outputs meet one tap
/// 64 bytes of weights that do not fit the cache, each time; where a multiply-add takes all of
/// them.
constexpr Price kFarWeights = {"far weights", 0.73}, kLineFarWeights = {"far weights", 4};
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

bool adds_by_vectors(const AxisPhases& w, Index taps, Index channels, Index lanes,
                     Index vector_bytes) {
  // Inputs whose runs are longer reach few outputs of a vector; they are vectors themselves.
  constexpr Index kMostVectors = 4;
  // Each input that reaches a vector costs as much as a whole one, and the library adds runs with
  // vectors of 16 bytes: much longer ones are always quicker, others where taps overlap much.
  const Index least_overlap = vector_bytes >= 64 ? 1 : 4;
  return vector_bytes >= 32 && w.dilation() == 1 && taps >= least_overlap * w.stride() &&
         w.stride() * channels <= kMostVectors * lanes;
}

namespace {

/// As many taps as `columns` allow, whole faster axes first: groups of nearly the same size.
void group_taps(ScatterLayout& layout, Index columns) {
  std::fill(std::begin(layout.group), std::end(layout.group), 1);
  for (int axis = 2; axis >= 0; --axis) {
    const Index filter = layout.axes[axis].filter();
    const Index most = std::clamp<Index>(columns / layout.columns(), 1, filter);
    layout.group[axis] = ceil_div(filter, ceil_div(filter, most));
  }
}

/// The kernel of no fewer columns, if there is one. (Fewer channels than it takes at a time are
/// quicker one by one.)
const FewColumnsKernel* choose_few(const ScatterLayout& layout) {
  if (layout.input_size < kQuad) return nullptr;
  for (const auto& kernel : rows_for(few_columns_kernels(), layout.dtype, layout.isa)) {
    if (kernel.columns >= layout.columns()) return &kernel;
  }
  return nullptr;
}

/// The kernel that adds rows, where it is quicker than run by run.
const AddedKernel* choose_adder(const ScatterLayout& layout) {
  const auto kernels = rows_for(added_kernels(), layout.dtype, layout.isa);
  if (kernels.empty()) return nullptr;
  const AddedKernel& kernel = kernels.front();
  const bool quicker = adds_by_vectors(layout.axes[2], layout.group[2], layout.output_size,
                                       kernel.lanes, kernel.lanes * layout.element_bytes());
  return quicker ? &kernel : nullptr;
}

}  // namespace

std::optional<ScatterLayout> scatter_layout(const LayerFacts& facts) {
  if (facts.output_size > kMostNearColumns) return std::nullopt;
  ScatterLayout layout;
  static_cast<LayerFacts&>(layout) = facts;
  const Index size = layout.element_bytes();
  const Index near = target_sizes(facts.isa).points_cache_bytes / (facts.input_size * size);
  group_taps(layout, std::clamp(near, kMostColumns, kMostNearColumns));
  Index most_bytes = kProductBytes;
  if (layout.groups() > 1) {
    group_taps(layout, kGroupColumns);
    most_bytes = target_sizes(facts.isa).slab_bytes;
  }
  layout.few = choose_few(layout);
  Index tall = 0;
  if (layout.few != nullptr) {
    layout.pitch = layout.few->columns;
    tall = layout.few->lanes;
  } else {
    layout.parts = choose_parts(layout.columns(), facts.dtype, facts.isa);
    if (layout.parts.empty()) return std::nullopt;
    for (const Part& part : layout.parts) layout.pitch += part.blocks * part.block_channels();
    tall = layout.parts.front().tiles[0].pixels;
  }
  const Index fitting = most_bytes / (layout.pitch * size);
  layout.chunk_pixels = std::clamp(fitting / tall * tall, tall, kChunkPixels / tall * tall);
  layout.adder = choose_adder(layout);
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
  const Index group = layout.group[2];
  const double runs =
      w.dilation() == 1 ? real(layout.groups(2) * ceil_div(group, w.stride())) : real(w.filter());
  const bool once = meet_once(axes), lines = layout.isa == Isa::kAvx512;
  const Price& sum = lines ? kLineSum : kSum;
  bill.add(kImage, real(batches));
  const double groups = real(layout.groups());
  if (layout.few != nullptr) {
    const double quads = real(batches * ceil_div(image, layout.few->lanes)) *
                         real(ceil_div(layout.input_size, kQuad));
    bill.add(kTransposed, quads * layout.few->lanes);
    bill.add(kFewProducts, quads * layout.few->columns);
  } else {
    bill.add(kProduct, groups * real(batches * layout.input_size) * tiles);
  }
  bill.add(kInput, groups * inputs);
  bill.add(kInputRow, rows);
  const Index outputs = axes[2].window.output * layout.output_size;  // of a row
  if (layout.adder != nullptr && !once && outputs >= layout.adder->lanes) {
    const Index lanes = layout.adder->lanes;
    const Index run = group * layout.output_size, shift = w.stride() * layout.output_size;
    const double vectors = outer_pairs * real(layout.groups(2) * ceil_div(outputs, lanes));
    bill.add(kGather, vectors);
    bill.add(kGathered, vectors * real(inputs_of_vector(run, shift, lanes)));
  } else {
    // Runs of inputs that follow one another are one.
    const bool joined = once && layout.pitch == group * layout.output_size;
    if (!joined) bill.add(kRun, outer_pairs * real(axes[2].input) * runs);
    bill.add(once ? kCopy : sum, sums);
    bill.add(kRunOfRow, outer_pairs * runs);
  }
  const double group_bytes = real(layout.input_size * layout.pitch * layout.element_bytes());
  const double bytes = groups * group_bytes;
  if (bytes > real(target_sizes(layout.isa).points_cache_bytes)) {
    const double times = real(batches * ceil_div(image, layout.chunk_pixels));
    bill.add(lines ? kLineFarWeights : kFarWeights, times * bytes / 64);
    if (group_bytes > kCachedBytes) bill.add(kMemoryWeights, times * bytes / 64);
  }
}

}  // namespace upconv::UPCONV_ABI::internal
