#include "winograd_layout.h"

#include <algorithm>
#include <limits>

#include "chunk.h"
#include "toom_cook.h"
#include "winograd_grid.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr Index kMostTaps = 4;
/// Sets of transforms that are kept per axis to be combined with those of the others.
constexpr std::size_t kKeptPerAxis = 3;
/// More bytes of points than this for the lowest tiles: such a layer is left to other strategies.
constexpr Index kMostRoundBytes = Index{32} << 20;

constexpr Price kProduct = {"product", 0.97};
constexpr Price kInput = {"input", 8.6};     ///< a vector of points, into and out of a transform
constexpr Price kGather = {"gather", 6.5};   ///< one whose tile is gathered first
constexpr Price kOutput = {"output", 3.15};  ///< a vector of products
constexpr Price kCall = {"call", 5940};
constexpr Price kSums = {"sums", 46.8};  ///< a tile's at a point for a block of channels
constexpr Price kDeal = {"deal", 45.4};  ///< a run of folded channels, dealt out to y
constexpr Price kPaddedOutput = {"padded output", 157};  ///< whose channels do not fill blocks
/// A byte of weights, beside the products in each round; and one that no cache near holds: it comes
/// while the products are computed.
constexpr Price kByte = {"byte", 0.142}, kFarByte = {"far byte", 0.139};
constexpr double kNearBytes = 5e5;

/// Transforms with a kernel for phases of so many taps.
std::vector<AxisTransform> transforms_for(Index taps, DType dtype, Isa isa) {
  std::vector<AxisTransform> found;
  for (const WinogradOutputKernel& row : rows_for(winograd_output_kernels(), dtype, isa)) {
    if (row.taps_u == taps && row.outputs_v == 1 && row.taps_v == 1) {
      found.push_back({row.outputs_u, row.taps_u});
    }
  }
  return found;
}

/// An axis whose phases take the first of one or two transforms that has taps enough.
WinogradAxis axis_of(const AxisPhases& phases, std::span<const AxisTransform> fewest_taps_first) {
  WinogradAxis axis;
  for (const AxisTransform& transform : fewest_taps_first) {
    axis.transforms[axis.kinds++] = transform;
  }
  for (const Phase& phase : phases.with_taps()) {
    int kind = 0;
    while (axis.transforms[kind].taps < phase.taps) ++kind;
    axis.add(phase, kind);
  }
  return axis;
}

/// 1 where a phase has more than one tap.
int is_transformed(const WinogradAxis& axis) {
  return std::any_of(axis.transforms, axis.transforms + axis.kinds,
                     [](const AxisTransform& of) { return of.points() > 1; });
}

/// error_growth() of a transform, out of a table: layers are made, and kernels assigned, again and
/// again, and fractions take long to add.
double growth_of(const AxisTransform& transform) {
  static const std::size_t most_points = toom_cook_points().size() + 1;
  static const std::vector<double> growths = [] {
    std::vector<double> all;
    for (std::size_t outputs = 1; outputs <= most_points; ++outputs) {
      for (std::size_t taps = 1; taps <= most_points; ++taps) {
        const bool exists = outputs + taps - 1 <= most_points;
        all.push_back(exists ? error_growth(static_cast<int>(outputs), static_cast<int>(taps))
                             : std::numeric_limits<double>::infinity());
      }
    }
    return all;
  }();
  return growths[static_cast<std::size_t>(transform.outputs - 1) * most_points +
                 static_cast<std::size_t>(transform.taps - 1)];
}

double growth_of(const WinogradAxis& axis) {
  double most = 1;
  for (int kind = 0; kind < axis.kinds; ++kind) {
    most = std::max(most, growth_of(axis.transforms[kind]));
  }
  return most;
}

/// Multiplications along one axis for the expected extent.
double products_of(const WinogradAxis& axis, const CallAxis& call) {
  double products = 0;
  const AxisGrids grids(axis, call);
  for (const Grid& grid : grids.grids()) {
    products += static_cast<double>(grid.tiles) * grid.transform.points() *
                static_cast<double>(grid.phases);
  }
  return products;
}

/// The ways to compute an axis that are worth a thought, fewest multiplications first.
std::vector<WinogradAxis> axis_choices(const AxisPhases& phases, const CallAxis& call, DType dtype,
                                       Isa isa) {
  // A stride has phases of at most two numbers of taps, one apart.
  Index most = 0, least = kMostTaps;
  for (const Phase& phase : phases.with_taps()) {
    most = std::max(most, phase.taps);
    least = std::min(least, phase.taps);
  }
  std::vector<WinogradAxis> choices;
  for (const AxisTransform& longer : transforms_for(most, dtype, isa)) {
    choices.push_back(axis_of(phases, {{longer}}));
    if (least == most) continue;
    for (const AxisTransform& shorter : transforms_for(least, dtype, isa)) {
      choices.push_back(axis_of(phases, {{shorter, longer}}));
    }
  }
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t n = 0; n < choices.size(); ++n) {
    order.emplace_back(products_of(choices[n], call), n);
  }
  std::sort(order.begin(), order.end());
  std::vector<WinogradAxis> kept;
  for (const auto& [products, n] : order) {
    // Beside the cheapest, one that other axes' transforms can always be combined with.
    const bool exact = growth_of(choices[n]) <= 1;
    if (kept.size() < kKeptPerAxis || exact) kept.push_back(choices[n]);
    if (kept.size() >= kKeptPerAxis && exact) break;
  }
  return kept;
}

/// The kernel of a table that `fits`; null: none.
template <typename Kernel, typename Fits>
const Kernel* find_row(std::span<const Kernel> rows, Fits fits) {
  const auto at = std::find_if(rows.begin(), rows.end(), fits);
  return at != rows.end() ? &*at : nullptr;
}

/// Passes over the axes that have a transform, two at a time where there is a kernel: the faster
/// axes go together.
/// @param find (u, v) the kernel for axes u and v (-1: none), or null
template <typename Kernel, typename Find>
Passes<Kernel> passes_of(const AxisTransform (&transform)[3], Find find) {
  std::vector<int> axes;
  for (int axis = 0; axis < 3; ++axis) {
    if (transform[axis].points() > 1) axes.push_back(axis);
  }
  Passes<Kernel> passes;
  const auto add = [&](int u, int v) {
    const Kernel* kernel = find(u, v);
    if (kernel != nullptr) passes.list[passes.count++] = {kernel, u, v};
    return kernel != nullptr;
  };
  if (axes.empty()) add(-1, -1);
  while (!axes.empty()) {
    const int last = axes.back();
    axes.pop_back();
    if (!axes.empty() && (add(axes.back(), last) || add(last, axes.back()))) {
      axes.pop_back();
    } else {
      add(last, -1);
    }
  }
  return passes;
}

TilePasses tile_passes(const LayerFacts& facts, const AxisTransform (&transform)[3]) {
  constexpr AxisTransform kNone;
  const auto at = [&](int axis) { return axis < 0 ? kNone : transform[axis]; };
  TilePasses passes;
  passes.input = passes_of<WinogradInputKernel>(transform, [&](int u, int v) {
    return find_row(rows_for(winograd_input_kernels(), facts.dtype, facts.isa),
                    [&](const WinogradInputKernel& row) {
                      return row.points_u == at(u).points() && row.points_v == at(v).points();
                    });
  });
  passes.output = passes_of<WinogradOutputKernel>(transform, [&](int u, int v) {
    return find_row(rows_for(winograd_output_kernels(), facts.dtype, facts.isa),
                    [&](const WinogradOutputKernel& row) {
                      return AxisTransform{row.outputs_u, row.taps_u} == at(u) &&
                             AxisTransform{row.outputs_v, row.taps_v} == at(v);
                    });
  });
  return passes;
}

void find_passes(WinogradLayout& layout) {
  const WinogradAxis(&axes)[3] = layout.by_axis;
  for (int d = 0; d < axes[0].kinds; ++d) {
    for (int h = 0; h < axes[1].kinds; ++h) {
      for (int w = 0; w < axes[2].kinds; ++w) {
        layout.passes[d][h][w] = tile_passes(
            layout, {axes[0].transforms[d], axes[1].transforms[h], axes[2].transforms[w]});
      }
    }
  }
}

/// Sizes of what is computed at once.
void choose_sizes(WinogradLayout& layout) {
  const TargetSizes& sizes = target_sizes(layout.isa);
  const Index size = static_cast<Index>(size_of(layout.dtype));
  layout.most_points = 1;
  Index most_phases = 1;  // that have tiles of so many points
  for (const WinogradAxis& axis : layout.by_axis) {
    int most = 0;
    for (int kind = 1; kind < axis.kinds; ++kind) {
      if (axis.transforms[kind].points() > axis.transforms[most].points()) most = kind;
    }
    layout.most_points *= axis.transforms[most].points();
    most_phases *= std::count_if(axis.phases.begin(), axis.phases.end(),
                                 [&](const WinogradPhase& phase) { return phase.kind == most; });
  }
  // An odd number of cache lines from tile to tile, so that the tiles of a register tile do not
  // share the sets of the first-level cache.
  const Index line = 64 / size;
  layout.pitch = (ceil_div(layout.input_size, line) | 1) * line;
  layout.group_channels = 0;
  Index channels = 0;
  for (const Part& part : layout.parts) {
    layout.group_channels = std::max(layout.group_channels, part.block_channels());
    channels += part.blocks * part.block_channels();
  }
  // A round of many tiles reads the weights seldom; of few, its points stay in the cache while all
  // groups of channels pass. Reading on is about twice as fast as the first time.
  const Index tile_bytes = layout.most_points * layout.pitch * size;
  const double phases = static_cast<double>(most_phases);
  const double weight_bytes = static_cast<double>(layout.most_points * layout.input_size) *
                              static_cast<double>(channels * size) * phases;
  const double groups = phases * static_cast<double>(ceil_div(channels, layout.group_channels));
  const Index highest = layout.parts.front().tiles[0].pixels;
  const auto tiles_of = [&](Index bytes) {
    return std::clamp(bytes / tile_bytes / highest * highest, highest,
                      kChunkPixels / highest * highest);
  };
  const Index few = tiles_of(sizes.points_cache_bytes), many = tiles_of(sizes.points_bytes);
  const double bytes_few = weight_bytes / static_cast<double>(few);
  const double bytes_many = weight_bytes / static_cast<double>(many) +
                            0.5 * static_cast<double>(tile_bytes) * (groups + 1);
  layout.round_tiles = bytes_few <= bytes_many ? few : many;
  const Index columns = sizes.products_bytes / (layout.most_points * layout.round_tiles * size);
  layout.group_channels =
      std::max(layout.group_channels, columns / layout.group_channels * layout.group_channels);
  // What goes from pass to pass stays in the nearest caches.
  constexpr Index kTransformBytes = 131072;
  layout.transform_tiles = std::clamp<Index>(kTransformBytes / tile_bytes, 1, 32);
}

/// Tiles of a grid whose inputs all exist: about all but those at both ends of each comb.
double share_inside(const Grid& grid) {
  if (grid.transform.taps == 1) return 1;
  return std::max(0.0, 1 - 2 * static_cast<double>(grid.combs) / static_cast<double>(grid.tiles));
}

}  // namespace

void charge_winograd(Bill& bill, const WinogradLayout& layout, const CallAxis (&axes)[3],
                     Index batches) {
  const double lanes = layout.parts.front().tiles[0].lanes;
  const double vectors_in = static_cast<double>(ceil_div(layout.input_size, Index(lanes)));
  double block_time = 0, blocks = 0, vectors_out = 0;
  for (const Part& part : layout.parts) {
    const double count = static_cast<double>(part.blocks);
    block_time += count * part.tiles[0].time(layout.vector_time);
    blocks += count;
    vectors_out += count * part.tiles[0].vectors;
  }
  const double weight_bytes = static_cast<double>(layout.input_size) * vectors_out * lanes *
                              static_cast<double>(size_of(layout.dtype));
  const AxisGrids grids[3] = {{layout.by_axis[0], layout.axis_of(0, axes[0])},
                              {layout.by_axis[1], layout.axis_of(1, axes[1])},
                              {layout.by_axis[2], layout.axis_of(2, axes[2])}};
  // Runs of a position that are neighbours in y.
  const double runs =
      layout.factor() == 1 ? 0 : static_cast<double>(layout.factors[0] * layout.factors[1]);
  bill.add(kCall, 1);
  const Part& last = layout.parts.back();
  if (runs == 0 && last.blocks * last.block_channels() > last.channels) {
    double outputs = static_cast<double>(batches);
    for (const CallAxis& axis : axes) outputs *= static_cast<double>(axis.window.output);
    bill.add(kPaddedOutput, outputs);
  }
  for (const Grid& d : grids[0].grids()) {
    for (const Grid& h : grids[1].grids()) {
      for (const Grid& w : grids[2].grids()) {
        const TilePasses& passes = layout.passes[d.kind][h.kind][w.kind];
        const double input_passes = static_cast<double>(passes.input.count);
        const double output_passes = static_cast<double>(passes.output.count);
        const double points =
            static_cast<double>(d.transform.points() * h.transform.points() * w.transform.points());
        const double phases = static_cast<double>(d.phases * h.phases * w.phases);
        const double tiles = static_cast<double>(batches) * static_cast<double>(d.tiles) *
                             static_cast<double>(h.tiles) * static_cast<double>(w.tiles);
        const double rounds = std::ceil(tiles / static_cast<double>(layout.round_tiles));
        const double gathered = 1 - share_inside(d) * share_inside(h) * share_inside(w);
        bill.add(kInput, tiles * points * vectors_in * input_passes);
        bill.add(kGather, tiles * points * vectors_in * gathered);
        bill.add(kSums, tiles * phases * points * blocks);
        bill.add(kOutput, tiles * phases * points * vectors_out * output_passes);
        bill.add(kDeal, tiles * runs *
                            static_cast<double>(d.transform.outputs * h.transform.outputs *
                                                w.transform.outputs));
        const double bytes = phases * points * weight_bytes;
        const double products =
            tiles * phases * points * static_cast<double>(layout.input_size) * block_time;
        const double far_bytes = std::max(0.0, bytes - kNearBytes);
        const bool waits = far_bytes * kFarByte.of_one > products * kProduct.of_one;
        bill.add(waits ? kFarByte : kProduct, waits ? far_bytes : products);
        bill.add(kByte, rounds * bytes);
      }
    }
  }
}

std::optional<WinogradLayout> winograd_layout_of(const LayerFacts& facts,
                                                 const WinogradAxis (&by_axis)[3]) {
  WinogradLayout layout;
  static_cast<LayerFacts&>(layout) = facts;
  layout.parts = choose_parts(facts.output_size, facts.dtype, facts.isa);
  if (layout.parts.empty() || facts.input_size < layout.parts.front().tiles[0].lanes) {
    return std::nullopt;
  }
  std::copy(std::begin(by_axis), std::end(by_axis), std::begin(layout.by_axis));
  find_passes(layout);
  choose_sizes(layout);
  const Index size = static_cast<Index>(size_of(facts.dtype));
  if (layout.most_points * layout.pitch * size > kMostRoundBytes / layout.round_tiles) {
    return std::nullopt;
  }
  std::size_t offset = 0;
  for (Part& part : layout.parts) {
    const Index block = layout.rows() * part.block_channels();
    // A kernel's offsets in the weights are 32-bit.
    if (block > kUnbounded / 2) return std::nullopt;
    part.offset = offset;
    offset += static_cast<std::size_t>(part.blocks * block);
  }
  return layout;
}

std::optional<WinogradLayout> winograd_layout(const LayerFacts& facts) {
  if (facts.input_size < kLeastWinogradChannels) return std::nullopt;
  Index most_taps = 0;
  for (const AxisPhases& axis : facts.axes) {
    const std::vector<Phase>& phases = axis.with_taps();
    if (static_cast<Index>(phases.size()) != axis.stride() || phases.size() > kMostWinogradPhases) {
      return std::nullopt;
    }
    for (const Phase& phase : phases) most_taps = std::max(most_taps, phase.taps);
  }
  if (most_taps < 2 || most_taps > kMostTaps) return std::nullopt;

  const ExpectedCall expected(facts);
  std::vector<WinogradAxis> choices[3];
  for (int axis = 0; axis < 3; ++axis) {
    choices[axis] = axis_choices(facts.axes[axis], expected.axes[axis], facts.dtype, facts.isa);
  }
  std::optional<WinogradLayout> best;
  double least = std::numeric_limits<double>::infinity();
  for (const WinogradAxis& d : choices[0]) {
    for (const WinogradAxis& h : choices[1]) {
      for (const WinogradAxis& w : choices[2]) {
        const int axes = is_transformed(d) + is_transformed(h) + is_transformed(w);
        const double most = most_error_growth(facts.input_size, axes);
        if (growth_of(d) * growth_of(h) * growth_of(w) > most) continue;
        std::optional<WinogradLayout> layout = winograd_layout_of(facts, {d, h, w});
        if (!layout) continue;
        const double time = winograd_time(*layout, expected.axes, expected.images);
        // The first of those that take the same time, however that is rounded.
        if (time >= least * (1 - 1e-9)) continue;
        least = time;
        best = std::move(layout);
      }
    }
  }
  return best;
}

}  // namespace upconv::UPCONV_ABI::internal
