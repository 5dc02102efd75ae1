// Which kernel runs a layer, by name, and the table of all kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bind.h"
#include "chunk.h"
#include "config.h"
#include "kernel_table.h"
#include "layer_state.h"
#include "options.h"
#include "strategy.h"
#include "upconv/upconv.h"

namespace upconv {
namespace {

// What processors there are: instruction set and the time of its multiply-adds (vector_time).
struct Processor {
  Isa isa = Isa::kSse41;
  double vector_time = 1;
  std::string name;
};

std::vector<Processor> processors() {
  std::vector<Processor> all;
  for (const Isa isa : internal::built_isas()) {
    all.push_back({isa, 1, std::string(to_string(isa))});
    if (isa == Isa::kAvx512) all.push_back({isa, 2, "avx512_in_halves"});
  }
  return all;
}

// As a layer that is packed for that processor, run here or not, would choose.
internal::Choice choice_on(const Processor& processor, const ConvolutionTransposeOptions& options,
                           const Dims& input_shape) {
  const internal::CheckedOptions checked = internal::check_options(options);
  internal::LayerFacts facts = layer_facts(checked, processor.isa);
  facts.vector_time = processor.vector_time;
  const internal::CallShape shape = internal::check_input_shape(checked, input_shape);
  internal::CallAxis axes[3];
  internal::bind_axes(axes, facts, shape);
  return internal::choose_strategy(facts, axes, input_shape[0]);
}

// Every layer of bench/layers.json on every processor. A change of the cost model or of
// schedules/kernels.json shows here by name.
TEST(KernelChoice, OfTheBenchmarkLayersIsTheOneThatIsWrittenDown) {
  std::ifstream file(UPCONV_KERNEL_CHOICES);
  const nlohmann::json written = nlohmann::json::parse(file);
  std::size_t layers = 0;
  for (tools::LayerConfig& config : tools::read_layer_list(UPCONV_LAYERS)) {
    ++layers;
    const std::string name = config.options.name;
    ASSERT_TRUE(written.contains(name)) << name;
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      config.options.dtype = dtype;
      const auto layer = tools::make_layer(config);
      for (const Processor& processor : processors()) {
        const std::string key = std::string(to_string(dtype)) + "_" + processor.name;
        ASSERT_TRUE(written[name].contains(key)) << name << " " << key;
        const internal::Choice choice = choice_on(processor, layer->options(), *config.input);
        const std::string strategy = choice.strategy, kernel = choice.kernel.kernel;
        const bool borrows = strategy == "scatter";  // kernels of wide
        EXPECT_EQ((borrows ? strategy + " with " : "") + kernel,
                  written[name][key].get<std::string>())
            << name << " " << key;

        if (processor.vector_time != internal::vector_time(processor.isa)) continue;
        const KernelChoice here = layer->kernel_choice(*config.input, processor.isa);
        EXPECT_EQ(here.kernel, kernel) << name << " " << key;
        EXPECT_EQ(here.strategy, strategy) << name << " " << key;
        EXPECT_EQ(here.isa, processor.isa);
        EXPECT_TRUE(kernel.starts_with((borrows ? "wide" : strategy) + "_" +
                                       std::string(to_string(dtype)) + "_" +
                                       std::string(to_string(processor.isa))))
            << kernel;
      }
      EXPECT_EQ(layer->kernel_choice(*config.input).isa, default_isa());
    }
  }
  EXPECT_EQ(layers, written.size());
}

TEST(KernelChoice, OfFewOutputChannelsDependsOnTheInputShape) {
  ConvolutionTransposeOptions options{.input_size = 64,
                                      .output_size = 3,
                                      .filter_shape = 4,
                                      .strides = 2,
                                      .padding = "SAME",
                                      .arithmetic = Arithmetic::kDirect};
  const ConvolutionTranspose direct(options);
  EXPECT_EQ(direct.kernel_choice({1, 64, 64, 64}).strategy, "narrow");
  EXPECT_EQ(direct.kernel_choice({1, 1, 1, 64}).strategy, "wide");
}

// Phases of 3 taps per axis have a transform; of 5 they have none.
TEST(KernelChoice, OfFewOutputChannelsMultipliesFirstWhereNoTransformApplies) {
  ConvolutionTransposeOptions options{
      .input_size = 64, .output_size = 1, .filter_shape = 9, .strides = 3};
  const ConvolutionTranspose three_taps(options);
  options.strides = 2;
  const ConvolutionTranspose five_taps(options);
  for (const Isa isa : runnable_isas()) {
    if (isa == Isa::kAvx512) continue;  // narrow is expected to be as fast
    EXPECT_EQ(three_taps.kernel_choice({1, 64, 64, 64}, isa).strategy, "winograd")
        << to_string(isa);
    EXPECT_EQ(five_taps.kernel_choice({1, 64, 64, 64}, isa).strategy, "scatter") << to_string(isa);
  }
}

// Those of a 1x1 filter, or of one with as many taps as strides.
TEST(KernelChoice, OfAFewProductsPerInputHasAKernelThatTakesAVectorOfInputs) {
  for (const Isa isa : runnable_isas()) {
    if (isa == Isa::kNeon) continue;  // has none
    for (const Index taps : {1, 2}) {
      const ConvolutionTranspose layer(
          {.input_size = 64, .output_size = 1, .filter_shape = taps, .rank = 1, .strides = taps});
      EXPECT_EQ(layer.kernel_choice({1, 1000, 64}, isa).kernel,
                "scatter_float32_" + std::string(to_string(isa)) + "_" + std::to_string(taps) +
                    "columns");
    }
  }
}

TEST(KernelChoice, ForOneShapeIsHintedByTheExpectedInputShape) {
  const ConvolutionTransposeOptions options{.input_size = 64,
                                            .output_size = 3,
                                            .filter_shape = 3,
                                            .padding = "SAME",
                                            .arithmetic = Arithmetic::kDirect};
  ConvolutionTransposeOptions hinted = options;
  hinted.expected_input_shape = Dims{1, 1, 1, 64};
  const ConvolutionTranspose usual(options), tiny(hinted);
  EXPECT_EQ(tiny.kernel_choice({1, 64, 64, 64}).strategy, "wide");
  EXPECT_LT(tiny.packed_bytes(), usual.packed_bytes());
}

TEST(KernelChoice, IsARunnableKernelOfTheTableForEveryNumberOfChannels) {
  std::map<std::string, KernelInfo> infos;
  for (const KernelInfo& info : kernel_infos()) infos.emplace(info.name, info);
  for (Index channels = 1; channels <= 130; ++channels) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const ConvolutionTranspose layer({.input_size = 1,
                                        .output_size = channels,
                                        .filter_shape = 2,
                                        .rank = 1,
                                        .dtype = dtype,
                                        .arithmetic = Arithmetic::kDirect});
      for (const Isa isa : runnable_isas()) {
        const KernelChoice choice = layer.kernel_choice({5, 1}, isa);
        ASSERT_TRUE(infos.count(choice.kernel)) << choice.kernel;
        const KernelInfo& info = infos.at(choice.kernel);
        EXPECT_EQ(info.strategy, choice.strategy);
        EXPECT_EQ(info.isa, isa);
        EXPECT_EQ(info.dtype, dtype);
        EXPECT_EQ(info.rank, 3);
        EXPECT_TRUE(info.runnable);
      }
    }
  }
}

TEST(KernelChoice, OfWholeVectorsOfChannelsDoesNotDependOnTheInputShape) {
  const ConvolutionTranspose layer(
      {.input_size = 3, .output_size = 40, .filter_shape = 3, .arithmetic = Arithmetic::kDirect});
  const std::string kernel = layer.kernel_choice({1, 1, 3}).kernel;
  EXPECT_EQ(layer.kernel_choice({64, 1, 1, 3}).kernel, kernel);
  EXPECT_EQ(layer.kernel_choice({0, 500, 500, 3}).kernel, kernel);
}

TEST(KernelTable, NamesAreUniqueAndSayWhatTheKernelIs) {
  std::set<std::string> names;
  for (const KernelInfo& info : kernel_infos()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(info.name.starts_with(info.strategy + "_")) << info.name;
    EXPECT_NE(info.name.find(to_string(info.dtype)), std::string::npos) << info.name;
    EXPECT_NE(info.name.find(to_string(info.isa)), std::string::npos) << info.name;
  }
  for (const internal::TileKernel& row : internal::wide_kernels()) {
    EXPECT_EQ(row.name, "wide_" + std::string(to_string(row.dtype)) + "_" +
                            std::string(to_string(row.isa)) + "_" + std::to_string(row.pixels) +
                            "x" + std::to_string(row.vectors));
  }
}

TEST(KernelTable, HasTilesOfListedRowsForEveryBlockOfTheWideStrategy) {
  for (const internal::TileKernel& wide : internal::wide_kernels()) {
    const internal::TileKernel* last = nullptr;
    for (const internal::TileKernel& row : internal::listed_kernels()) {
      if (row.isa != wide.isa || row.dtype != wide.dtype || row.vectors != wide.vectors) continue;
      EXPECT_EQ(row.name, "wide_" + std::string(to_string(row.dtype)) + "_" +
                              std::string(to_string(row.isa)) + "_" + std::to_string(row.pixels) +
                              "x" + std::to_string(row.vectors) + "_listed");
      EXPECT_EQ(row.lanes, wide.lanes) << row.name;
      EXPECT_GT(row.most_inputs, 0) << row.name;
      EXPECT_EQ(internal::kChunkPixels % row.pixels, 0) << row.name;
      if (last != nullptr) {
        EXPECT_LT(row.pixels, last->pixels) << row.name;
      }
      last = &row;
    }
    ASSERT_NE(last, nullptr) << wide.name;
    EXPECT_EQ(last->pixels, 1) << last->name;
  }
}

TEST(KernelTable, OfTheNarrowStrategyMakesUpEveryNumberOfRows) {
  for (const Isa isa : internal::built_isas()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      std::set<int> heights;
      for (const internal::TileKernel& row : internal::narrow_kernels()) {
        if (row.isa != isa || row.dtype != dtype) continue;
        EXPECT_TRUE(heights.insert(row.pixels).second) << row.name;
        EXPECT_EQ(row.name, "narrow_" + std::string(to_string(dtype)) + "_" +
                                std::string(to_string(isa)) + "_" + std::to_string(row.pixels) +
                                "x" + std::to_string(row.vectors));
      }
      EXPECT_TRUE(heights.count(1)) << to_string(isa);
    }
  }
}

TEST(KernelTable, IsInTheSameOrderForEveryIsa) {
  // By dtype, widest first, then tallest first, down to one pixel; then the same activations.
  std::map<std::string, std::vector<std::string>> epilogues;
  for (const Isa isa : internal::built_isas()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const internal::TileKernel* last = nullptr;
      for (const internal::TileKernel& row : internal::wide_kernels()) {
        if (row.isa != isa || row.dtype != dtype) continue;
        if (last != nullptr && last->vectors == row.vectors) {
          EXPECT_LT(row.pixels, last->pixels) << row.name;
          EXPECT_EQ(row.lanes, last->lanes) << row.name;
          EXPECT_EQ(row.cost, last->cost) << row.name;
        } else if (last != nullptr) {
          EXPECT_LT(row.vectors, last->vectors) << row.name;
          EXPECT_EQ(last->pixels, 1) << last->name;
        }
        last = &row;
      }
      ASSERT_NE(last, nullptr) << to_string(isa);
      EXPECT_EQ(last->vectors, 1) << last->name;
      EXPECT_EQ(last->pixels, 1) << last->name;
      std::vector<std::string> activations;
      for (const internal::EpilogueKernel& row : internal::epilogue_kernels()) {
        if (row.isa != isa || row.dtype != dtype) continue;
        activations.push_back(
            std::string(row.name).substr(0, std::string(row.name).find("_float")));
      }
      EXPECT_FALSE(activations.empty());
      epilogues[std::string(to_string(isa)) + std::string(to_string(dtype))] = activations;
    }
  }
  for (const auto& [key, list] : epilogues) EXPECT_EQ(list, epilogues.begin()->second) << key;
}

TEST(KernelTable, HasEveryFusedActivationForEveryBuiltIsa) {
  for (const Isa isa : internal::built_isas()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      for (const std::string_view name : activation_names()) {
        const auto* row = internal::find_epilogue(Activation(name).kind(), dtype, isa);
        ASSERT_NE(row, nullptr) << name;
        EXPECT_EQ(row->isa, isa);
        EXPECT_EQ(row->dtype, dtype);
      }
    }
  }
}

TEST(KernelTable, RunnableIsasAreBuilt) {
  const auto built = internal::built_isas();
  for (const Isa isa : runnable_isas()) {
    EXPECT_NE(std::find(built.begin(), built.end(), isa), built.end()) << to_string(isa);
  }
}

TEST(KernelChoice, ComesBackWithFiniteWeights) {
  // Neither of these takes weights that are not finite; setting finite ones again brings it back.
  const Dims wide_shape{1, 56, 56, 64}, narrow_shape{1, 64, 64, 56};
  ConvolutionTranspose2D many({.input_size = 64,
                               .output_size = 64,
                               .filter_shape = 3,
                               .padding = "SAME",
                               .expected_input_shape = wide_shape});
  ConvolutionTranspose2D few({.input_size = 56,
                              .output_size = 1,
                              .filter_shape = 9,
                              .strides = 4,
                              .padding = "SAME",
                              .arithmetic = Arithmetic::kDirect,
                              .expected_input_shape = narrow_shape});
  for (const auto& [layer, shape] : {std::pair(&many, wide_shape), std::pair(&few, narrow_shape)}) {
    const std::string before = layer->kernel_choice(shape).strategy;
    EXPECT_NE(before, "wide");
    const Tensor finite = layer->kernel().value();
    Tensor broken = finite;
    broken.values<float>()[0] = std::numeric_limits<float>::infinity();
    layer->kernel().assign(broken);
    EXPECT_EQ(std::string(layer->kernel_choice(shape).strategy), "wide");
    layer->kernel().assign(finite);
    EXPECT_EQ(std::string(layer->kernel_choice(shape).strategy), before);
  }
}

}  // namespace
}  // namespace upconv
