#include "wide_packing.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "upconv/error.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// Runs of rows of a table that share their number of vectors, for one dtype and ISA.
std::vector<std::span<const TileKernel>> tile_families(std::span<const TileKernel> table,
                                                       DType dtype, Isa isa) {
  std::vector<std::span<const TileKernel>> families;
  const std::span<const TileKernel> rows = rows_for(table, dtype, isa);
  for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    while (end < rows.size() && rows[end].vectors == rows[begin].vectors) ++end;
    families.push_back(rows.subspan(begin, end - begin));
  }
  return families;
}

/// Calls visit(tap) for every filter tap, as an index of the C-order filter, in packed order:
/// phases row by row, and the taps of each row by row.
template <typename Visit>
void for_each_tap(const WideLayout& layout, Visit visit) {
  const AxisPhases(&axes)[3] = layout.axes;
  for (const Phase& d : axes[0].with_taps()) {
    for (const Phase& h : axes[1].with_taps()) {
      for (const Phase& w : axes[2].with_taps()) {
        for (Index jd = 0; jd < d.taps; ++jd) {
          const Index td = d.first_tap + jd * axes[0].tap_step();
          for (Index jh = 0; jh < h.taps; ++jh) {
            const Index th = h.first_tap + jh * axes[1].tap_step();
            for (Index jw = 0; jw < w.taps; ++jw) {
              const Index tw = w.first_tap + jw * axes[2].tap_step();
              visit((td * axes[1].filter() + th) * axes[2].filter() + tw);
            }
          }
        }
      }
    }
  }
}

/// Rows of the kernel that are dealt out at a time: they stay in cache until the last block has its
/// channels, and each block is written in a run of so many rows.
constexpr Index kRowsAtOnce = 32;

/// Copies `channels` columns of rows. A run is shorter than a call of memcpy is worth.
template <Element T>
void copy_columns(const T* from, Index from_step, T* to, Index to_step, Index rows,
                  Index channels) {
  constexpr Index kVector = 64 / static_cast<Index>(sizeof(T));
  for (; rows > 0; --rows, from += from_step, to += to_step) {
    Index c = 0;
    for (; c + kVector <= channels; c += kVector) std::memcpy(to + c, from + c, 64);
    for (; c < channels; ++c) to[c] = from[c];
  }
}

/// @param factor phases of axis w that are channels of the layout (wide_fold.h): channel
/// [residue][c]
///        of tap t is channel c of the kernel's tap t * factor + residue
template <Element T>
void pack_part(const WideLayout& layout, const Part& part, Index factor, const T* kernel,
               T* packed) {
  const Index block_channels = part.block_channels();
  const Index block_step = layout.rows() * block_channels;
  const Index inputs = layout.input_size, own = layout.output_size / factor;
  for_each_tap(layout, [&](Index tap) {
    for (Index ci = 0; ci < inputs; ci += kRowsAtOnce) {
      const Index rows = std::min(kRowsAtOnce, inputs - ci);
      for (Index block = 0; block < part.blocks; ++block) {
        T* const to = packed + block * block_step;
        const Index first = block * block_channels;
        const Index count = std::min(block_channels, part.channels - first);
        for (Index c = 0, run = 0; c < count; c += run) {
          const Index residue = (part.first_channel + first + c) / own;
          const Index channel = (part.first_channel + first + c) % own;
          run = std::min(own - channel, count - c);
          const T* from = kernel + ((tap * factor + residue) * inputs + ci) * own + channel;
          copy_columns(from, own, to + c, block_channels, rows, run);
        }
        if (count == block_channels) continue;
        for (Index row = 0; row < rows; ++row) {
          std::fill(to + row * block_channels + count, to + (row + 1) * block_channels, T{0});
        }
      }
      packed += rows * block_channels;
    }
  });
}

template <Element T>
void pack_weights(const WideLayout& layout, Index factor, const Tensor& kernel, Tensor& packed) {
  for (const Part& part : layout.parts) {
    pack_part(layout, part, factor, kernel.values<T>().data(),
              packed.values<T>().data() + part.offset);
  }
}

template <Element T>
void pack_bias(const std::vector<Part>& parts, const Tensor* bias, Tensor& packed) {
  T* to = packed.values<T>().data();
  for (const Part& part : parts) {
    const Index padded = part.blocks * part.block_channels();
    for (Index c = 0; c < padded; ++c) {
      const bool real = bias != nullptr && c < part.channels;
      *to++ = real ? bias->values<T>()[static_cast<std::size_t>(part.first_channel + c)] : T{0};
    }
  }
}

}  // namespace

std::vector<Part> choose_parts(Index output_size, DType dtype, Isa isa) {
  const auto families = tile_families(wide_kernels(), dtype, isa);
  const auto listed = tile_families(listed_kernels(), dtype, isa);
  if (families.empty()) return {};
  const Index lanes = families[0][0].lanes;
  const Index vectors = ceil_div(output_size, lanes);
  // cheapest[n]: of blocks with n vectors or more in all, by the family of its last block.
  struct Cover {
    double cost = std::numeric_limits<double>::infinity();
    std::size_t family = 0;
  };
  std::vector<Cover> cheapest(static_cast<std::size_t>(vectors) + 1);
  cheapest[0].cost = 0;
  const auto before = [&](std::size_t n, std::size_t family) {
    return n - std::min(n, static_cast<std::size_t>(families[family][0].vectors));
  };
  for (std::size_t n = 1; n < cheapest.size(); ++n) {
    for (std::size_t family = 0; family < families.size(); ++family) {
      const double cost = cheapest[before(n, family)].cost + families[family][0].cost;
      if (cost < cheapest[n].cost) cheapest[n] = {cost, family};
    }
  }
  std::vector<Index> best(families.size(), 0);
  for (std::size_t n = cheapest.size() - 1; n > 0; n = before(n, cheapest[n].family)) {
    ++best[cheapest[n].family];
  }

  std::vector<Part> parts;
  Index channel = 0;
  for (std::size_t family = 0; family < families.size(); ++family) {
    if (best[family] == 0) continue;
    Part part{.tiles = families[family], .first_channel = channel, .blocks = best[family]};
    for (const std::span<const TileKernel> rows : listed) {
      if (rows[0].vectors == part.tiles[0].vectors) part.listed = rows;
    }
    part.channels = std::min(part.blocks * part.block_channels(), output_size - channel);
    channel += part.channels;
    parts.push_back(part);
  }
  return parts;
}

WideLayout wide_layout(const LayerFacts& facts) {
  WideLayout layout{facts, choose_parts(facts.output_size, facts.dtype, facts.isa)};
  std::size_t offset = 0;
  for (Part& part : layout.parts) {
    part.offset = offset;
    const Index block = layout.rows() * part.block_channels();
    if (block > std::numeric_limits<std::int32_t>::max()) {
      throw Error(ErrorKind::kLimitExceeded,
                  facts.label + ": a kernel of " + std::to_string(facts.taps()) + " taps and " +
                      std::to_string(facts.input_size) + " input channels packs to " +
                      std::to_string(block) + " elements per block of " +
                      std::to_string(part.block_channels()) +
                      " output channels; at most 2147483647 are supported");
    }
    offset += static_cast<std::size_t>(part.blocks * block);
  }
  return layout;
}

WideWeights pack_wide(const LayerFacts& facts, const Tensor& kernel, const Tensor* bias,
                      Index factor) {
  WideWeights packed{.layout = wide_layout(facts), .weights = {}, .bias = {}};
  Index count = 0;
  for (const Part& part : packed.layout.parts) {
    count += part.blocks * packed.layout.rows() * part.block_channels();
  }
  Tensor weights(facts.dtype, {count}, facts.memory);
  if (facts.dtype == DType::kFloat32) {
    pack_weights<float>(packed.layout, factor, kernel, weights);
  } else {
    pack_weights<double>(packed.layout, factor, kernel, weights);
  }
  packed.weights = std::make_shared<const Tensor>(std::move(weights));
  packed.bias = pack_part_bias(packed.layout, packed.layout.parts, bias);
  return packed;
}

Tensor pack_part_bias(const LayerFacts& facts, const std::vector<Part>& parts, const Tensor* bias) {
  Index padded = 0;
  for (const Part& part : parts) padded += part.blocks * part.block_channels();
  Tensor packed(facts.dtype, {padded}, facts.memory);
  if (facts.dtype == DType::kFloat32) {
    pack_bias<float>(parts, bias, packed);
  } else {
    pack_bias<double>(parts, bias, packed);
  }
  return packed;
}

}  // namespace upconv::UPCONV_ABI::internal
