// Packed weights against a naive walk, and the cut of the output channels into parts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "chunk.h"
#include "expect_error.h"
#include "layers.h"
#include "wide_packing.h"

namespace upconv::internal {
namespace {

using test::Random;
using testing::ElementsAre;
using testing::Pair;

/// (vectors of a block, number of blocks) of every part.
std::vector<std::pair<int, Index>> widths(const std::vector<Part>& parts) {
  std::vector<std::pair<int, Index>> list;
  list.reserve(parts.size());
  for (const Part& part : parts) list.emplace_back(part.tiles[0].vectors, part.blocks);
  return list;
}

bool is_built(Isa isa) {
  return std::find(built_isas().begin(), built_isas().end(), isa) != built_isas().end();
}

TEST(ChooseParts, OnAvx2CutsChannelsAtTheLeastCost) {
  if (!is_built(Isa::kAvx2)) GTEST_SKIP() << "no kernels for avx2 in this build";
  const auto f32 = [](Index n) { return widths(choose_parts(n, DType::kFloat32, Isa::kAvx2)); };
  EXPECT_THAT(f32(1), ElementsAre(Pair(1, 1)));
  EXPECT_THAT(f32(8), ElementsAre(Pair(1, 1)));
  EXPECT_THAT(f32(9), ElementsAre(Pair(2, 1)));
  EXPECT_THAT(f32(16), ElementsAre(Pair(2, 1)));
  EXPECT_THAT(f32(17), ElementsAre(Pair(3, 1)));
  EXPECT_THAT(f32(21), ElementsAre(Pair(3, 1)));
  EXPECT_THAT(f32(24), ElementsAre(Pair(3, 1)));
  EXPECT_THAT(f32(32), ElementsAre(Pair(2, 2)));
  EXPECT_THAT(f32(40), ElementsAre(Pair(3, 1), Pair(2, 1)));
  EXPECT_THAT(f32(48), ElementsAre(Pair(3, 2)));
  EXPECT_THAT(f32(56), ElementsAre(Pair(3, 1), Pair(2, 2)));
  EXPECT_THAT(f32(64), ElementsAre(Pair(3, 2), Pair(2, 1)));
  EXPECT_THAT(f32(128), ElementsAre(Pair(3, 4), Pair(2, 2)));
  EXPECT_THAT(f32(256), ElementsAre(Pair(3, 10), Pair(2, 1)));
  const auto f64 = [](Index n) { return widths(choose_parts(n, DType::kFloat64, Isa::kAvx2)); };
  EXPECT_THAT(f64(4), ElementsAre(Pair(1, 1)));
  EXPECT_THAT(f64(12), ElementsAre(Pair(3, 1)));
  EXPECT_THAT(f64(32), ElementsAre(Pair(3, 2), Pair(2, 1)));
}

TEST(ChooseParts, NoOtherCutIsCheaper) {
  for (const Isa isa : built_isas()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      constexpr double kNone = std::numeric_limits<double>::infinity();
      std::vector<double> cost(5, kNone);
      int lanes = 0;
      for (const TileKernel& row : wide_kernels()) {
        if (row.isa != isa || row.dtype != dtype) continue;
        lanes = row.lanes;
        ASSERT_LT(row.vectors, 5);
        cost[static_cast<std::size_t>(row.vectors)] = row.cost;
      }
      for (Index channels = 1; channels <= Index{60} * lanes; channels += lanes > 4 ? 3 : 1) {
        const Index vectors = (channels + lanes - 1) / lanes;
        // Cheapest cover of so many vectors or more, by their number.
        std::vector<double> best(static_cast<std::size_t>(vectors) + 1, kNone);
        best[0] = 0;
        for (std::size_t n = 1; n < best.size(); ++n) {
          for (std::size_t width = 1; width < cost.size(); ++width) {
            best[n] = std::min(best[n], best[n - std::min(n, width)] + cost[width]);
          }
        }
        double chosen = 0;
        for (const Part& part : choose_parts(channels, dtype, isa)) {
          chosen += static_cast<double>(part.blocks) * part.tiles[0].cost;
        }
        EXPECT_NEAR(chosen, best.back(), 1e-9)
            << channels << " channels, " << to_string(dtype) << ", " << to_string(isa);
      }
    }
  }
}

TEST(ChooseParts, PartsFollowOneAnotherAndOnlyTheLastBlockIsPadded) {
  for (const Isa isa : built_isas()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      for (Index channels = 1; channels <= 300; ++channels) {
        const std::vector<Part> parts = choose_parts(channels, dtype, isa);
        const std::string what = std::to_string(channels) + " channels, " +
                                 std::string(to_string(dtype)) + ", " + std::string(to_string(isa));
        ASSERT_FALSE(parts.empty()) << what;
        Index next = 0;
        for (const Part& part : parts) {
          EXPECT_EQ(part.first_channel, next) << what;
          const Index padded = part.blocks * part.block_channels();
          const bool is_last = &part == &parts.back();
          EXPECT_GT(part.channels, is_last ? padded - part.block_channels() : padded - 1) << what;
          EXPECT_LE(part.channels, padded) << what;
          next += part.channels;
          EXPECT_EQ(part.tiles.back().pixels, 1) << what;
          for (const TileKernel& tile : part.tiles) {
            EXPECT_EQ(kChunkPixels % tile.pixels, 0) << tile.name;
            EXPECT_LE(kChunkPixels + tile.pixels, kTablePixels) << tile.name;
          }
        }
        EXPECT_EQ(next, channels) << what;
      }
    }
  }
}

/// The packed order written down once more: every tap by its residues, smallest first, then its
/// place in the filter; the weights that do not exist are zero.
std::vector<double> naive_weights(const WideLayout& layout, const std::vector<Index> (&filter)[3],
                                  const std::vector<double>& kernel) {
  struct Tap {
    Index residue[3], at[3];
  };
  std::vector<Tap> taps;  // filter holds, per axis: length, stride, dilation
  for (Index d = 0; d < filter[0][0]; ++d) {
    for (Index h = 0; h < filter[1][0]; ++h) {
      for (Index w = 0; w < filter[2][0]; ++w) {
        Tap tap{{}, {d, h, w}};
        for (int a = 0; a < 3; ++a) tap.residue[a] = tap.at[a] * filter[a][2] % filter[a][1];
        taps.push_back(tap);
      }
    }
  }
  std::stable_sort(taps.begin(), taps.end(), [](const Tap& a, const Tap& b) {
    return std::lexicographical_compare(a.residue, a.residue + 3, b.residue, b.residue + 3);
  });
  std::vector<double> weights;
  for (const Part& part : layout.parts) {
    for (Index block = 0; block < part.blocks; ++block) {
      for (const Tap& tap : taps) {
        for (Index ci = 0; ci < layout.input_size; ++ci) {
          for (Index c = 0; c < part.block_channels(); ++c) {
            const Index co = part.first_channel + block * part.block_channels() + c;
            const Index t = (tap.at[0] * filter[1][0] + tap.at[1]) * filter[2][0] + tap.at[2];
            const Index from = (t * layout.input_size + ci) * layout.output_size + co;
            weights.push_back(co < layout.output_size ? kernel[static_cast<std::size_t>(from)] : 0);
          }
        }
      }
    }
  }
  return weights;
}

LayerFacts facts_of(const AxisPhases (&axes)[3], Index input_size, Index output_size, DType dtype,
                    Isa isa) {
  return {.axes = {axes[0], axes[1], axes[2]},
          .input_size = input_size,
          .output_size = output_size,
          .dtype = dtype,
          .isa = isa,
          .label = "layer"};
}

TEST(Packing, IsTheOrderOfPhasesTapsAndBlocks) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    std::vector<Index> filter[3];
    AxisPhases axes[3];
    for (int a = 0; a < 3; ++a) {
      filter[a] = {test::draw(random, 1, a == 0 ? 3 : 5), test::draw(random, 1, 4),
                   test::draw(random, 1, 4)};
      axes[a] = AxisPhases(filter[a][0], filter[a][1], filter[a][2]);
    }
    // Rows are packed some at a time: also more than that.
    const Index input_size = test::draw(random, 1, seed % 10 == 0 ? 70 : 4);
    const Index output_size = test::draw(random, 1, 90);
    const Index taps = filter[0][0] * filter[1][0] * filter[2][0];
    std::vector<double> kernel, bias;
    for (Index i = 0; i < taps * input_size * output_size; ++i) {
      kernel.push_back(static_cast<double>(i + 1));
    }
    for (Index i = 0; i < output_size; ++i) bias.push_back(static_cast<double>(-i - 1));
    for (const Isa isa : built_isas()) {
      for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
        const WideLayout layout = wide_layout(facts_of(axes, input_size, output_size, dtype, isa));
        EXPECT_EQ(layout.taps(), taps);
        EXPECT_EQ(layout.rows(), taps * input_size);
        const Tensor plain = test::tensor_of(
            dtype, {filter[0][0], filter[1][0], filter[2][0], input_size, output_size}, kernel);
        const Tensor plain_bias = test::tensor_of(dtype, {output_size}, bias);
        const WideWeights packed = pack_wide(layout, plain, &plain_bias);
        EXPECT_EQ(test::values_of(*packed.weights), naive_weights(layout, filter, kernel))
            << "seed " << seed << ", " << to_string(isa) << ", " << to_string(dtype);
        std::vector<double> padded = bias;
        padded.resize(static_cast<std::size_t>(packed.bias.size()), 0);
        EXPECT_EQ(test::values_of(packed.bias), padded) << "seed " << seed;
      }
    }
  }
}

TEST(Packing, OfAFoldedLayerIsThatOfTheFoldedKernel) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    const Index taps = test::draw(random, 1, 3), factor = test::draw(random, 2, 5);
    const Index inputs = test::draw(random, 1, 40), own = test::draw(random, 1, 40);
    const AxisPhases axes[3] = {AxisPhases(1, 1, 1), AxisPhases(1, 1, 1), AxisPhases(taps, 1, 1)};
    std::vector<double> kernel, folded;
    for (Index i = 0; i < taps * factor * inputs * own; ++i) {
      kernel.push_back(static_cast<double>(i + 1));
    }
    for (Index tap = 0; tap < taps; ++tap) {
      for (Index ci = 0; ci < inputs; ++ci) {
        for (Index residue = 0; residue < factor; ++residue) {
          for (Index c = 0; c < own; ++c) {
            const Index at = ((tap * factor + residue) * inputs + ci) * own + c;
            folded.push_back(kernel[static_cast<std::size_t>(at)]);
          }
        }
      }
    }
    for (const Isa isa : built_isas()) {
      for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
        const LayerFacts facts = facts_of(axes, inputs, factor * own, dtype, isa);
        const Tensor plain = test::tensor_of(dtype, {taps * factor, inputs, own}, kernel);
        const Tensor wide = test::tensor_of(dtype, {taps, inputs, factor * own}, folded);
        EXPECT_EQ(test::values_of(*pack_wide(facts, plain, nullptr, factor).weights),
                  test::values_of(*pack_wide(facts, wide, nullptr).weights))
            << "seed " << seed << ", " << to_string(isa) << ", " << to_string(dtype);
      }
    }
  }
}

TEST(Packing, WithoutABiasHasZeros) {
  const AxisPhases axes[3] = {AxisPhases(1, 1, 1), AxisPhases(1, 1, 1), AxisPhases(2, 1, 1)};
  const WideWeights packed = pack_wide(facts_of(axes, 1, 5, DType::kFloat32, built_isas().front()),
                                       Tensor::zeros(DType::kFloat32, {2, 1, 5}), nullptr);
  for (const double value : test::values_of(packed.bias)) EXPECT_EQ(value, 0);
}

TEST(Packing, RefusesABlockBeyondTheKernels32BitOffsets) {
  const AxisPhases axes[3] = {AxisPhases(1, 1, 1), AxisPhases(1 << 14, 1, 1),
                              AxisPhases(1 << 14, 1, 1)};
  for (const Isa isa : built_isas()) {
    const Part part = choose_parts(100, DType::kFloat32, isa)[0];
    expect_error(ErrorKind::kLimitExceeded,
                 {"layer: a kernel of 268435456 taps and 3 input channels packs to " +
                  std::to_string((Index{3} << 28) * part.block_channels()) +
                  " elements per block of " + std::to_string(part.block_channels()) +
                  " output channels; at most 2147483647 are supported"},
                 [&] { wide_layout(facts_of(axes, 3, 100, DType::kFloat32, isa)); });
  }
}

}  // namespace
}  // namespace upconv::internal
