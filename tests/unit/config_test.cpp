// layer.json: what is accepted and what it means, and the words in which the rest is refused.
#include "config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temporary_folder.h"
#include "upconv/error.h"

namespace upconv::tools {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

ConvolutionTransposeOptions parse(const std::string& text) {
  const ModelConfig config = parse_config(text, "layer.json");
  EXPECT_FALSE(config.sequential);
  EXPECT_EQ(config.layers.size(), 1U);
  return config.layers.at(0).options;
}

/// A layer with the required keys and more.
std::string layer(const std::string& more) {
  return R"({"input_size": 3, "output_size": 4, "filter_shape": [3, 5])" +
         (more.empty() ? "" : ", " + more) + "}";
}

/// The message of the Error that a text gives; it is checked to be one line that names the file.
std::string refusal(const std::string& text) {
  try {
    parse_config(text, "layer.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("layer.json: "), Not(HasSubstr("\n"))));
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return "";
}

TEST(Config, DefaultsAreTheLayers) {
  const ConvolutionTransposeOptions options = parse(layer(""));
  EXPECT_EQ(options.input_size, 3);
  EXPECT_EQ(options.output_size, 4);
  EXPECT_THAT(options.filter_shape.values(), ElementsAre(3, 5));
  EXPECT_EQ(options.rank, 2);
  EXPECT_THAT(options.strides.values(), ElementsAre(1));
  EXPECT_THAT(options.dilations.values(), ElementsAre(1));
  EXPECT_EQ(options.padding.kind(), Padding::Kind::kValid);
  EXPECT_FALSE(options.output_padding.has_value());
  EXPECT_EQ(options.activation_fn.kind(), ActivationKind::kLinear);
  EXPECT_EQ(options.dtype, DType::kFloat32);
  EXPECT_EQ(options.arithmetic, Arithmetic::kFast);
  EXPECT_EQ(options.device, Device::kCpu);
  EXPECT_EQ(options.name, "ConvolutionTranspose");
  EXPECT_TRUE(options.use_bias);
}

TEST(Config, EveryKey) {
  const ConvolutionTransposeOptions options = parse(
      R"({"rank": 3, "input_size": 2, "output_size": 7, "filter_shape": 4, "strides": [1, 2, 3],
          "dilations": 2, "padding": [[1, 2], [0, 0], [-1, 3]], "output_padding": [0, 1, 2],
          "activation": "gelu_tanh", "name": "up", "dtype": "float64", "use_bias": false,
          "arithmetic": "direct", "device": "opencl"})");
  EXPECT_EQ(options.rank, 3);
  EXPECT_THAT(options.filter_shape.values(), ElementsAre(4));
  EXPECT_THAT(options.strides.values(), ElementsAre(1, 2, 3));
  EXPECT_THAT(options.dilations.values(), ElementsAre(2));
  EXPECT_EQ(options.padding.kind(), Padding::Kind::kExplicit);
  EXPECT_THAT(options.padding.pairs(), ElementsAre(Pair(1, 2), Pair(0, 0), Pair(-1, 3)));
  ASSERT_TRUE(options.output_padding.has_value());
  EXPECT_THAT(options.output_padding->values(), ElementsAre(0, 1, 2));
  EXPECT_EQ(options.activation_fn.kind(), ActivationKind::kGeluTanh);
  EXPECT_EQ(options.name, "up");
  EXPECT_EQ(options.dtype, DType::kFloat64);
  EXPECT_EQ(options.arithmetic, Arithmetic::kDirect);
  EXPECT_EQ(options.device, Device::kOpencl);
  EXPECT_FALSE(options.use_bias);
}

TEST(Config, PaddingWordsInAnyCase) {
  EXPECT_EQ(parse(layer(R"("padding": "SaMe")")).padding.kind(), Padding::Kind::kSame);
  EXPECT_EQ(parse(layer(R"("padding": "VALID")")).padding.kind(), Padding::Kind::kValid);
}

TEST(Config, NullIsAbsentWhereItMayBe) {
  const ConvolutionTransposeOptions options =
      parse(layer(R"("output_padding": null, "activation": null)"));
  EXPECT_FALSE(options.output_padding.has_value());
  EXPECT_EQ(options.activation_fn.kind(), ActivationKind::kLinear);
  EXPECT_THAT(refusal(layer(R"("strides": null)")), HasSubstr("strides is null"));
}

TEST(Config, EveryActivationByName) {
  for (const std::string_view name : activation_names()) {
    const std::string quoted = "\"" + std::string(name) + "\"";
    EXPECT_EQ(parse(layer("\"activation\": " + quoted)).activation_fn.name(), name);
    EXPECT_EQ(parse(layer("\"activation\": {\"name\": " + quoted + "}")).activation_fn.name(),
              name);
  }
}

TEST(Config, ActivationParameters) {
  EXPECT_EQ(parse(layer(R"("activation": "leaky_relu")")).activation_fn.alpha(), 0.2);
  EXPECT_EQ(
      parse(layer(R"("activation": {"name": "leaky_relu", "alpha": 0.1})")).activation_fn.alpha(),
      0.1);
  const Activation clamp =
      parse(layer(R"("activation": {"name": "clamp", "min": -1, "max": 6.5})")).activation_fn;
  EXPECT_EQ(clamp.kind(), ActivationKind::kClamp);
  EXPECT_EQ(clamp.min(), -1);
  EXPECT_EQ(clamp.max(), 6.5);
  const Activation half =
      parse(layer(R"("activation": {"name": "clamp", "min": 2})")).activation_fn;
  EXPECT_EQ(half.min(), 2);
  EXPECT_EQ(half.max(), std::numeric_limits<double>::infinity());
}

TEST(Config, AnEntryOfAList) {
  const ModelConfig config =
      parse_config(R"({"name": "entry", "source": "a paper", "input": [1, 8, 8, 3], "config": )" +
                       layer("") + "}",
                   "layer.json");
  ASSERT_EQ(config.layers.size(), 1U);
  EXPECT_EQ(config.layers[0].options.name, "entry");
  EXPECT_EQ(config.layers[0].options.output_size, 4);
  ASSERT_TRUE(config.layers[0].input.has_value());
  EXPECT_EQ(*config.layers[0].input, (Dims{1, 8, 8, 3}));
  EXPECT_EQ(parse(R"({"name": "entry", "config": )" + layer(R"("name": "inner")") + "}").name,
            "inner");
}

TEST(Config, AList) {
  const ModelConfig config = parse_config(R"({"layers": [)" + layer(R"("name": "a")") +
                                              R"(, {"name": "b", "config": )" + layer("") + "}]}",
                                          "model.json");
  EXPECT_TRUE(config.sequential);
  ASSERT_EQ(config.layers.size(), 2U);
  EXPECT_EQ(config.layers[0].options.name, "a");
  EXPECT_EQ(config.layers[1].options.name, "b");
  EXPECT_EQ(config.layers[1].where, "model.json: layers[1]");
}

TEST(Config, NamesOfNestedKeysInMessages) {
  EXPECT_THAT(refusal(R"({"layers": [)" + layer("") + R"(, {"config": )" +
                      layer(R"("strides": [1, 2.5])") + "}]}"),
              HasSubstr("layers[1].config.strides[1] is 2.5; it must be an integer"));
}

/// A text, and what its message must say.
struct Refused {
  const char* name;
  std::string text;
  std::vector<std::string> says;
};

/// Else its bytes are printed, those of its padding too.
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }

class ConfigRefuses : public ::testing::TestWithParam<Refused> {};

TEST_P(ConfigRefuses, AndSaysWhy) {
  const std::string message = refusal(GetParam().text);
  for (const std::string& words : GetParam().says) EXPECT_THAT(message, HasSubstr(words));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, ConfigRefuses,
    ::testing::Values(
        Refused{"Empty", "", {"not JSON"}}, Refused{"Cut", R"({"input_size": 3,)", {"not JSON"}},
        Refused{"TrailingText", layer("") + " x", {"not JSON"}},
        Refused{"NotUtf8", "{\"name\": \"\xff\"}", {"not JSON"}},
        Refused{"Array", "[]", {"value is []", "an object"}},
        Refused{"Number", "3", {"value is 3", "an object"}},
        Refused{"Deep", std::string(100000, '['), {"nested"}},
        Refused{"UnknownKey", layer(R"("stridez": 2)"), {"stridez", "unknown", "strides"}},
        Refused{"Groups", layer(R"("groups": 1)"), {"groups"}},
        Refused{"PyTorch49523GroupsOfInt64Min",
                layer(R"("groups": -9223372036854775808)"),
                {"groups", "unknown"}},
        Refused{"UnknownKeyWithControlCharacters", layer(R"("a\nb": 1)"), {"a\\nb"}},
        Refused{"DuplicateKey", layer(R"("strides": 1, "strides": 2)"), {"\"strides\"", "twice"}},
        Refused{"DuplicateKeyInActivation",
                layer(R"("activation": {"name": "clamp", "min": 0, "min": 1})"),
                {"\"min\"", "twice"}},
        Refused{"MissingInputSize",
                R"({"output_size": 4, "filter_shape": 3})",
                {"input_size", "missing"}},
        Refused{"MissingOutputSize",
                R"({"input_size": 4, "filter_shape": 3})",
                {"output_size", "missing"}},
        Refused{"MissingFilterShape",
                R"({"input_size": 4, "output_size": 3})",
                {"filter_shape", "missing"}},
        Refused{"Rank0", layer(R"("rank": 0)"), {"rank is 0", "1, 2 or 3"}},
        Refused{"Rank4", layer(R"("rank": 4)"), {"rank is 4", "1, 2 or 3"}},
        Refused{"RankText", layer(R"("rank": "2")"), {"rank is \"2\"", "integer"}},
        Refused{"RankReal", layer(R"("rank": 2.0)"), {"rank is 2.0", "integer"}},
        Refused{"SizeReal",
                R"({"input_size": 1e2, "output_size": 4, "filter_shape": 3})",
                {"input_size is 100.0", "integer"}},
        Refused{"SizeBool",
                R"({"input_size": true, "output_size": 4, "filter_shape": 3})",
                {"input_size is true", "integer"}},
        Refused{"SizeTooLong",
                R"({"input_size": 9223372036854775808, "output_size": 4, "filter_shape": 3})",
                {"input_size is 9223372036854775808", "63 bits"}},
        Refused{"FilterTooLong",
                R"({"input_size": 3, "output_size": 4, "filter_shape": [3, 3, 3]})",
                {"filter_shape is [3,3,3]", "2 integers"}},
        Refused{"StridesTooShort", layer(R"("strides": [2])"), {"strides is [2]", "2 integers"}},
        Refused{"StridesText", layer(R"("strides": "2")"), {"strides is \"2\""}},
        Refused{"DilationsElement",
                layer(R"("dilations": [1, "x"])"),
                {"dilations[1] is \"x\"", "integer"}},
        Refused{"OutputPaddingReal",
                layer(R"("output_padding": 0.5)"),
                {"output_padding is 0.5", "integer"}},
        Refused{
            "PaddingWord", layer(R"("padding": "causal")"), {"padding is \"causal\"", "\"same\""}},
        Refused{"PaddingNumber", layer(R"("padding": 1)"), {"padding is 1", "pairs"}},
        Refused{"PaddingPairs",
                layer(R"("padding": [[1, 1]])"),
                {"padding is [[1,1]]", "2 [begin, end]"}},
        Refused{"PaddingPair", layer(R"("padding": [[1, 1], 1])"), {"padding[1] is 1", "pair"}},
        Refused{"PaddingTriple",
                layer(R"("padding": [[1, 1], [1, 2, 3]])"),
                {"padding[1] is [1,2,3]", "pair"}},
        Refused{"PaddingElement",
                layer(R"("padding": [[1, 1], [1, 1.5]])"),
                {"padding[1][1] is 1.5", "integer"}},
        Refused{"ActivationUnknown",
                layer(R"("activation": "swish")"),
                {"activation is \"swish\"", "hard_swish"}},
        Refused{"ActivationNumber", layer(R"("activation": 1)"), {"activation is 1"}},
        Refused{"ActivationNoName",
                layer(R"("activation": {"alpha": 1})"),
                {"activation.name", "missing"}},
        Refused{"ActivationForeignParameter",
                layer(R"("activation": {"name": "relu", "alpha": 1})"),
                {"activation.alpha", "unknown"}},
        Refused{"ActivationAlphaText",
                layer(R"("activation": {"name": "leaky_relu", "alpha": "1"})"),
                {"activation.alpha is \"1\"", "number"}},
        Refused{"ClampReversed",
                layer(R"("activation": {"name": "clamp", "min": 1, "max": 0})"),
                {"activation is", "min"}},
        Refused{"NameNumber", layer(R"("name": 1)"), {"name is 1", "string"}},
        Refused{"DTypeHalf", layer(R"("dtype": "float16")"), {"dtype is \"float16\"", "float64"}},
        Refused{"DTypeNumber", layer(R"("dtype": 32)"), {"dtype is 32", "string"}},
        Refused{"DeviceUnknown",
                layer(R"("device": "tpu")"),
                {"device is \"tpu\"", "\"cpu\", \"gpu\", \"cuda\" or \"opencl\""}},
        Refused{"ArithmeticQuick",
                layer(R"("arithmetic": "quick")"),
                {"arithmetic is \"quick\"", "\"fast\" or \"direct\""}},
        Refused{"UseBiasNumber", layer(R"("use_bias": 0)"), {"use_bias is 0", "true or false"}},
        Refused{"EntryUnknownKey",
                R"({"config": )" + layer("") + R"(, "outputs": 1})",
                {"outputs", "unknown"}},
        Refused{"EntryConfigNotAnObject", R"({"config": 3})", {"config is 3", "an object"}},
        Refused{"EntryInput",
                R"({"config": )" + layer("") + R"(, "input": [1, "x"]})",
                {"input[1] is \"x\""}},
        Refused{"LayersEmpty", R"({"layers": []})", {"layers is []", "at least one"}},
        Refused{"LayersObject", R"({"layers": {}})", {"layers is {}", "list"}},
        Refused{"LayersNumber", R"({"layers": [1]})", {"layers[0] is 1", "an object"}},
        Refused{"LayersAndMore",
                R"({"layers": [)" + layer("") + R"(], "strides": 2})",
                {"strides", "unknown"}},
        Refused{"LayersNested", R"({"layers": [{"layers": []}]})", {"layers[0]", "missing"}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Config, LongValuesAreCutInMessages) {
  const std::string message = refusal(layer("\"padding\": \"" + std::string(10000, 'x') + "\""));
  EXPECT_LT(message.size(), 400U);
}

TEST(Config, AListOfLayersForBenchmarks) {
  const std::vector<LayerConfig> layers = parse_layer_list(
      R"([{"name": "a", "input": [8, 3], "config": {"rank": 1, "input_size": 3, "output_size": 4,
           "filter_shape": 3}}])",
      "layers.json");
  ASSERT_EQ(layers.size(), 1U);
  EXPECT_EQ(layers[0].options.name, "a");
  EXPECT_EQ(layers[0].where, "layers.json: [0]");
  EXPECT_THROW(parse_layer_list("{}", "layers.json"), Error);
  EXPECT_THROW(parse_layer_list("[]", "layers.json"), Error);
}

class ConfigFile : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
};

TEST_F(ConfigFile, IsNamedInMessages) {
  const std::filesystem::path path = folder_ / "my layer.json";
  test::write_bytes(path, layer(R"("stridez": 2)"));
  try {
    read_config(path);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("my layer.json"), HasSubstr("stridez")));
  }
}

TEST_F(ConfigFile, ThatIsMissingOrAFolderIsIo) {
  for (const std::filesystem::path& path : {folder_ / "nowhere.json", folder_.path()}) {
    try {
      read_config(path);
      FAIL() << "accepted " << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kIo);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
    }
  }
}

TEST(MakeLayer, IsZeroAndOfTheConfiguration) {
  const ModelConfig config = parse_config(layer(R"("strides": [2, 3])"), "layer.json");
  const std::unique_ptr<ConvolutionTranspose> made = make_layer(config.layers[0]);
  EXPECT_EQ(made->kernel().shape(), (Dims{3, 5, 3, 4}));
  for (const float value : made->kernel().value().values<float>()) EXPECT_EQ(value, 0);
  EXPECT_EQ(made->output_shape({2, 4, 4, 3}), (Dims{2, 9, 14, 4}));
}

TEST(MakeLayer, NamesTheFileForRangesToo) {
  const ModelConfig config = parse_config(layer(R"("strides": [2, 0])"), "layer.json");
  try {
    make_layer(config.layers[0]);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("layer.json: "), HasSubstr("strides[1] is 0")));
  }
}

TEST(MakeModel, OfAListIsASequential) {
  const ModelConfig config = parse_config(
      R"({"layers": [{"input_size": 3, "output_size": 4, "filter_shape": 2, "strides": 2},
                     {"input_size": 4, "output_size": 5, "filter_shape": 2, "strides": 2}]})",
      "model.json");
  EXPECT_EQ(make_model(config)->output_shape({1, 4, 4, 3}), (Dims{1, 16, 16, 5}));
}

}  // namespace
}  // namespace upconv::tools
