// Which kernel runs a layer, by name, and the table of all kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "config.h"
#include "kernel_table.h"
#include "upconv/upconv.h"

namespace upconv {
namespace {

/// Layers of bench/layers.json, each for another reason.
struct Row {
  const char* layer;
  const char* reason;
  /// "<pixels>x<vectors>" of the first kernel, by "<dtype>_<isa>".
  std::map<std::string, std::string> tile;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"dcgan_32_rgb",
       "3 channels",
       {{"float32_sse41", "12x1"},
        {"float32_avx2", "12x1"},
        {"float32_avx512", "24x1"},
        {"float64_sse41", "6x2"},
        {"float64_avx2", "12x1"},
        {"float64_avx512", "24x1"}}},
      {"fsrcnn_x3",
       "1 channel",
       {{"float32_sse41", "12x1"},
        {"float32_avx2", "12x1"},
        {"float32_avx512", "24x1"},
        {"float64_sse41", "12x1"},
        {"float64_avx2", "12x1"},
        {"float64_avx512", "24x1"}}},
      {"fcn8s_k16",
       "21 channels",
       {{"float32_sse41", "4x3"},
        {"float32_avx2", "4x3"},
        {"float32_avx512", "12x2"},
        {"float64_sse41", "4x3"},
        {"float64_avx2", "4x3"},
        {"float64_avx512", "8x3"}}},
      {"vnet_32",
       "16 channels, rank 3",
       {{"float32_sse41", "6x2"},
        {"float32_avx2", "6x2"},
        {"float32_avx512", "24x1"},
        {"float64_sse41", "4x3"},
        {"float64_avx2", "6x2"},
        {"float64_avx512", "12x2"}}},
      {"vae_14",
       "32 channels",
       {{"float32_sse41", "4x3"},
        {"float32_avx2", "6x2"},
        {"float32_avx512", "12x2"},
        {"float64_sse41", "4x3"},
        {"float64_avx2", "4x3"},
        {"float64_avx512", "12x2"}}},
      {"hifigan_4",
       "32 channels, rank 1",
       {{"float32_sse41", "4x3"},
        {"float32_avx2", "6x2"},
        {"float32_avx512", "12x2"},
        {"float64_sse41", "4x3"},
        {"float64_avx2", "4x3"},
        {"float64_avx512", "12x2"}}},
      {"conv_56",
       "64 channels, stride 1",
       {{"float32_sse41", "4x3"},
        {"float32_avx2", "4x3"},
        {"float32_avx512", "12x2"},
        {"float64_sse41", "4x3"},
        {"float64_avx2", "4x3"},
        {"float64_avx512", "8x3"}}},
      {"pose_32",
       "256 channels",
       {{"float32_sse41", "4x3"},
        {"float32_avx2", "4x3"},
        {"float32_avx512", "8x3"},
        {"float64_sse41", "4x3"},
        {"float64_avx2", "4x3"},
        {"float64_avx512", "8x3"}}},
  };
  return all;
}

TEST(KernelChoice, OfTheBenchmarkLayersIsTheOneOfThisTable) {
  std::map<std::string, tools::LayerConfig> layers;
  for (const tools::LayerConfig& config : tools::read_layer_list(UPCONV_LAYERS)) {
    layers.emplace(config.options.name, config);
  }
  for (const Row& row : rows()) {
    ASSERT_TRUE(layers.count(row.layer)) << row.layer;
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      tools::LayerConfig config = layers.at(row.layer);
      config.options.dtype = dtype;
      const auto layer = tools::make_layer(config);
      for (const Isa isa : runnable_isas()) {
        const std::string key = std::string(to_string(dtype)) + "_" + std::string(to_string(isa));
        if (!row.tile.count(key)) continue;  // neon, until its choices are tuned
        const KernelChoice choice = layer->kernel_choice(*config.input, isa);
        EXPECT_EQ(choice.kernel, "wide_" + key + "_" + row.tile.at(key))
            << row.layer << ": " << row.reason;
        EXPECT_EQ(choice.strategy, "wide");
        EXPECT_EQ(choice.isa, isa);
      }
      EXPECT_EQ(layer->kernel_choice(*config.input).isa, default_isa());
    }
  }
}

TEST(KernelChoice, IsARunnableKernelOfTheTableForEveryNumberOfChannels) {
  std::map<std::string, KernelInfo> infos;
  for (const KernelInfo& info : kernel_infos()) infos.emplace(info.name, info);
  for (Index channels = 1; channels <= 130; ++channels) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const ConvolutionTranspose layer(
          {.input_size = 1, .output_size = channels, .filter_shape = 2, .rank = 1, .dtype = dtype});
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

TEST(KernelChoice, DoesNotDependOnTheInputShape) {
  const ConvolutionTranspose layer({.input_size = 3, .output_size = 40, .filter_shape = 3});
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

}  // namespace
}  // namespace upconv
