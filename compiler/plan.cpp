#include "plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "upconv/error.h"

namespace upconv::compiler {

namespace {

constexpr Index kMostElements = std::numeric_limits<std::int32_t>::max();

/// The rows of tiles whose blocks cover `vectors` vectors at the least cost, widest first.
std::vector<TileRow> cover(const std::vector<TileRow>& rows, Index vectors) {
  // All but a few vectors are covered by the row that is cheapest per vector.
  const auto per_vector = [](const TileRow& row) { return row.cost / row.vectors; };
  const TileRow& best = *std::min_element(
      rows.begin(), rows.end(),
      [&](const TileRow& a, const TileRow& b) { return per_vector(a) < per_vector(b); });
  constexpr Index kTried = 24;
  const Index sure = std::max<Index>(0, (vectors - kTried) / best.vectors);
  const auto left = static_cast<std::size_t>(vectors - sure * best.vectors);
  std::vector<double> least(left + 1, std::numeric_limits<double>::infinity());
  std::vector<const TileRow*> last(left + 1, nullptr);
  least[0] = 0;
  for (std::size_t n = 1; n <= left; ++n) {
    for (const TileRow& row : rows) {
      const std::size_t before = n - std::min(n, static_cast<std::size_t>(row.vectors));
      if (least[before] + row.cost < least[n]) {
        least[n] = least[before] + row.cost;
        last[n] = &row;
      }
    }
  }
  std::vector<TileRow> blocks(static_cast<std::size_t>(sure), best);
  for (std::size_t n = left; n > 0; n -= std::min(n, static_cast<std::size_t>(last[n]->vectors))) {
    blocks.push_back(*last[n]);
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const TileRow& a, const TileRow& b) { return a.vectors > b.vectors; });
  return blocks;
}

/// Runs of equal blocks; a last block with fewer channels than it packs is a part of its own.
std::vector<PlannedPart> parts_of(const std::vector<TileRow>& blocks, int lanes, Index channels) {
  std::vector<PlannedPart> parts;
  Index first = 0;
  for (const TileRow& row : blocks) {
    const int packed = row.vectors * lanes;
    const auto real = static_cast<int>(std::min<Index>(packed, channels - first));
    const bool more = !parts.empty() && parts.back().block_channels == packed && real == packed;
    if (more) {
      ++parts.back().blocks;
    } else {
      parts.push_back({.first_channel = static_cast<int>(first),
                       .channels = real,
                       .block_channels = packed,
                       .blocks = 1,
                       .tile = row});
    }
    first += real;
  }
  return parts;
}

PlannedAxis plan_axis(const LayerSpec& spec, int axis) {
  const Axis& of = spec.checked.axes[axis];
  PlannedAxis planned{.axis = of,
                      .phases = internal::AxisPhases(of.filter, of.stride, of.dilation),
                      .input = spec.extents[static_cast<std::size_t>(axis)]};
  if (planned.input) {
    planned.window =
        infer_window(of, *planned.input, spec.checked.label + ": axis " + std::to_string(axis));
  }
  return planned;
}

void check_limits(const LayerPlan& plan) {
  const auto refuse = [&](const std::string& what, double count) {
    throw Error(ErrorKind::kLimitExceeded,
                plan.spec.checked.label + ": " + what + " has " +
                    std::to_string(static_cast<long long>(count)) +
                    " elements; compiled code addresses at most 2147483647");
  };
  double x = static_cast<double>(plan.input_size()), y = static_cast<double>(plan.output_size());
  x *= static_cast<double>(plan.spec.images.value_or(1));
  y *= static_cast<double>(plan.spec.images.value_or(1));
  for (const PlannedAxis& axis : plan.axes) {
    x *= static_cast<double>(axis.input.value_or(1));
    y *= static_cast<double>(axis.window.output);
  }
  if (x > static_cast<double>(kMostElements)) refuse("the input", x);
  if (y > static_cast<double>(kMostElements)) refuse("the output", y);
  const auto packed = static_cast<double>(plan.packed_elements);
  if (packed > static_cast<double>(kMostElements)) refuse("the packed kernel", packed);
}

}  // namespace

Index free_segments(const internal::AxisPhases& phases) {
  // Two ends for every tap cut the outputs of a phase.
  return phases.stride() * (2 * phases.with_taps().front().taps + 1);
}

bool LayerPlan::is_fixed() const {
  return spec.images && std::all_of(axes.begin(), axes.end(),
                                    [](const PlannedAxis& axis) { return axis.input.has_value(); });
}

Index LayerPlan::taps() const {
  Index taps = 1;
  for (const PlannedAxis& axis : axes) taps *= axis.axis.filter;
  return taps;
}

Index LayerPlan::scratch_bytes() const {
  constexpr Index kRowBytes = 6 * 4;  // generators::kSegmentColumns numbers
  Index rows = 0;
  for (const PlannedAxis& axis : axes) rows += axis.input ? 0 : free_segments(axis.phases);
  return rows * kRowBytes;
}

LayerPlan make_plan(const LayerSpec& spec, const TargetInfo& target, std::optional<TileRow> tile) {
  LayerPlan plan{.spec = spec, .target = target};
  const int rank = spec.rank();
  for (int axis = 0; axis < rank; ++axis) {
    plan.axes[static_cast<std::size_t>(3 - rank + axis)] = plan_axis(spec, axis);
  }
  plan.slow_axis = 3 - rank;
  const auto is_unit = [&](int axis) {
    const PlannedAxis& of = plan.axes[static_cast<std::size_t>(axis)];
    return of.input == 1 && of.window.output == 1;
  };
  while (plan.slow_axis < 2 && is_unit(plan.slow_axis)) ++plan.slow_axis;

  const Index channels = plan.output_size();
  const Index vectors = internal::ceil_div(channels, target.lanes);
  plan.parts =
      parts_of(cover(tile ? std::vector{*tile} : target.tiles, vectors), target.lanes, channels);
  Index at = 0;
  for (PlannedPart& part : plan.parts) {
    part.weights_at = at;
    at += Index{part.blocks} * part.block_channels * plan.taps() * plan.input_size();
  }
  for (PlannedPart& part : plan.parts) {
    part.bias_at = at;
    at += Index{part.blocks} * part.block_channels;
  }
  plan.packed_elements = at;
  check_limits(plan);
  return plan;
}

}  // namespace upconv::compiler
