// The peers' own values (README.md here): every stored case on every ISA, TFP 0.25's weight files,
// and files that NumPy wrote.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "checks.h"
#include "config.h"
#include "temporary_folder.h"
#include "terms.h"

namespace upconv::test {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

fs::path golden(const std::string& name) { return fs::path(UPCONV_GOLDEN) / name; }

Json read_json(const std::string& name) {
  std::ifstream file(golden(name));
  EXPECT_TRUE(file) << golden(name);
  return Json::parse(file);
}

std::map<std::string, Tensor> read_arrays(const std::string& name) {
  std::map<std::string, Tensor> arrays;
  for (NamedTensor& array : read_npz(golden(name))) {
    arrays.emplace(array.name, std::move(array.tensor));
  }
  return arrays;
}

/// The case's layer and input as a problem of the reference, for the magnitude of its sums.
Problem problem_of(const ConvolutionTransposeOptions& options, const Dims& input) {
  const std::size_t rank = static_cast<std::size_t>(options.rank);
  Problem problem;
  const Index* spatial = input.end() - 1 - rank;
  problem.batch.assign(input.begin(), spatial);
  problem.input.assign(spatial, input.end() - 1);
  problem.input_size = options.input_size;
  problem.output_size = options.output_size;
  problem.filter = options.filter_shape.values();
  problem.strides = options.strides.values();
  problem.dilations = options.dilations.values();
  problem.pairs = options.padding.pairs();
  if (options.padding.kind() != Padding::Kind::kExplicit) {
    problem.padding = to_string(options.padding);
  }
  if (options.output_padding) problem.output_padding = options.output_padding->values();
  return problem;
}

/// The case's layer in the peer's own terms, its kernel by way of the peer's order.
Tensor in_the_peers_terms(const Json& terms, Isa isa, const ConvolutionTranspose& ours,
                          const Tensor& x) {
  PeerLayer peer = parse_terms(terms);
  peer.options.isa = isa;
  peer.options.use_bias = ours.has_bias();
  ConvolutionTranspose layer(peer.options);
  const Tensor theirs = kernel_to(peer.convention, ours.kernel(), peer.options);
  EXPECT_EQ(to_string(theirs.shape()), to_string(kernel_shape(peer.convention, peer.options)));
  layer.kernel().assign(kernel_from(peer.convention, theirs, peer.options));
  EXPECT_TRUE(same_bits(layer.kernel(), ours.kernel()));
  if (ours.has_bias()) layer.bias().assign(ours.bias());
  return layer(x, {.output_lengths = peer.output_lengths});
}

struct Peer {
  std::string name;
  std::size_t cases;
};

/// Else its bytes are printed, those of its padding too.
void PrintTo(const Peer& peer, std::ostream* out) { *out << peer.name; }

class Golden : public testing::TestWithParam<std::tuple<Peer, Isa>> {};

TEST_P(Golden, EveryCaseHasThePeersValues) {
  const auto& [peer, isa] = GetParam();
  const Json cases = read_json(peer.name + ".json");
  ASSERT_EQ(cases.size(), peer.cases);
  std::map<std::string, Tensor> arrays = read_arrays(peer.name + ".npz");
  for (const Json& entry : cases) {
    const std::string name = entry.at("name"), index = entry.at("index");
    SCOPED_TRACE(name + ": " + entry.at("config").dump());
    const tools::ModelConfig model = tools::parse_config(entry.at("config").dump(), name);
    const auto layer = tools::make_layer(model.layers.at(0), isa);
    const Tensor& x = arrays.at(index + "_x");
    const Tensor& kernel = arrays.at(index + "_kernel");
    const Tensor& expected = arrays.at(index + "_y");
    layer->kernel().assign(kernel);
    std::vector<double> bias;
    if (layer->has_bias()) {
      layer->bias().assign(arrays.at(index + "_bias"));
      bias = values_of(arrays.at(index + "_bias"));
    }
    const Tensor y = (*layer)(x);
    if (entry.contains("terms")) {
      ASSERT_TRUE(same_bits(in_the_peers_terms(entry.at("terms"), isa, *layer, x), y));
    }
    if (entry.at("exact").get<bool>()) {
      // Equal as numbers: peers differ in the sign of zero.
      ASSERT_EQ(to_string(y.shape()), to_string(expected.shape()));
      ASSERT_EQ(y.dtype(), expected.dtype());
      ASSERT_EQ(values_of(y), values_of(expected));
      continue;
    }
    ASSERT_EQ(to_string(y.shape()), to_string(expected.shape()));
    const ConvolutionTransposeOptions& options = layer->options();
    const std::vector<double> size =
        reference_magnitude(problem_of(options, x.shape()), values_of(x), values_of(kernel), bias);
    const double eps = options.dtype == DType::kFloat32 ? std::numeric_limits<float>::epsilon()
                                                        : std::numeric_limits<double>::epsilon();
    const Index weights = kernel.size() / options.output_size;  // of one output channel
    const double terms = static_cast<double>(weights + 16);
    const std::vector<double> got = values_of(y), want = values_of(expected);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], terms * eps * (size[i] + 1)) << "element " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Peers, Golden,
    testing::Combine(testing::Values(Peer{"keras", 85}, Peer{"keras_jax", 46},
                                     Peer{"tensorflow", 57}, Peer{"torch", 99},
                                     Peer{"onnxruntime", 83}, Peer{"onnx", 42}, Peer{"tfp", 26},
                                     Peer{"terms_keras", 400}, Peer{"terms_tensorflow", 400},
                                     Peer{"terms_pytorch", 400}, Peer{"terms_onnx", 400},
                                     Peer{"terms_openvino", 400}, Peer{"terms_onednn", 400}),
                     testing::ValuesIn(isas())),
    [](const auto& test) {
      return std::get<0>(test.param).name + "_" + std::string(to_string(std::get<1>(test.param)));
    });

class TfpFiles : public testing::TestWithParam<Isa> {
 protected:
  static std::unique_ptr<Layer> model(const std::string& weights) {
    const Json configs = read_json("tfp_weights.json");
    return tools::make_model(tools::parse_config(configs.at(weights).dump(), weights), GetParam());
  }
};

TEST_P(TfpFiles, WeightsOfALayerLoadAndGiveItsValues) {
  const auto layer = model("tfp_weights.npz");
  layer->load(golden("tfp_weights.npz"));
  const auto io = read_arrays("tfp_weights_io.npz");
  EXPECT_EQ(values_of((*layer)(io.at("x"))), values_of(io.at("y")));
}

TEST_P(TfpFiles, WeightsOfASequentialLoadAndGiveItsValues) {
  const auto layer = model("tfp_sequential_weights.npz");
  layer->load(golden("tfp_sequential_weights.npz"));
  const auto io = read_arrays("tfp_weights_io.npz");
  EXPECT_EQ(values_of((*layer)(io.at("sequential_x"))), values_of(io.at("sequential_y")));
}

TEST_P(TfpFiles, SavedAsTfpDoesHoldsTheSameArrays) {
  const auto layer = model("tfp_weights.npz");
  layer->load(golden("tfp_weights.npz"));
  const TemporaryFolder folder;
  const fs::path path = folder / "w.npz";
  dynamic_cast<ConvolutionTranspose&>(*layer).save(path, /*kernel_2d=*/true);
  const std::vector<NamedTensor> ours = read_npz(path), tfps = read_npz(golden("tfp_weights.npz"));
  ASSERT_EQ(ours.size(), tfps.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(ours[i].name, tfps[i].name);
    EXPECT_TRUE(same_bits(ours[i].tensor, tfps[i].tensor)) << ours[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, TfpFiles, testing::ValuesIn(isas()), isa_name);

/// What numpy_files.json says of an array: its shape, its first values and the sum of all.
void check_array(const Json& described, const ConstTensorView& array) {
  EXPECT_EQ(to_string(array.shape()),
            to_string(Dims(described.at("shape").get<std::vector<Index>>())));
  const std::vector<double> values = values_of(array);
  double sum = 0;
  for (const double value : values) sum += value;
  if (!described.at("sum").is_null()) {
    EXPECT_EQ(sum, described.at("sum").get<double>());
  }
  std::size_t i = 0;
  for (const Json& first : described.at("first")) {
    ASSERT_LT(i, values.size());
    const double expected =
        first.is_string() ? std::stod(first.get<std::string>()) : first.get<double>();
    EXPECT_EQ(values[i++], expected);
  }
}

/// Reads a file that NumPy wrote and hands each array, in the list's order, to check_array.
void check_file(const Json& entry, const fs::path& path) {
  const Json& arrays = entry.at("arrays");
  if (path.extension() == ".npy") {
    const Tensor array = read_npy(path);  // refused files come with no array
    check_array(arrays.at(0), array);
    return;
  }
  const bool use_bias = entry.at("expect") != "accept_without_bias";
  ConvolutionTranspose layer(
      {.input_size = 2, .output_size = 3, .filter_shape = {3, 2}, .use_bias = use_bias});
  layer.load(path);
  for (const Json& described : arrays) {
    Json shaped = described;
    const bool is_bias = described.at("shape").size() == 1;
    if (!is_bias) shaped["shape"] = {3, 2, 2, 3};  // 2-D in the file is 4-D in the layer
    check_array(shaped, is_bias ? layer.bias() : layer.kernel());
  }
}

TEST(NumpyFiles, AreReadOrRefusedAsTheirListSays) {
  const Json list = read_json("numpy_files.json");
  ASSERT_EQ(list.size(), 42U);
  for (const Json& entry : list) {
    const std::string file = entry.at("file"), expect = entry.at("expect");
    SCOPED_TRACE(file);
    if (expect.starts_with("accept") && !expect.ends_with("or_refuse")) {
      EXPECT_NO_THROW(check_file(entry, golden(file)));
      continue;
    }
    // Reading what is there is right for some; reading anything else never is.
    try {
      check_file(entry, golden(file));
      EXPECT_NE(expect, "refuse");
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
      EXPECT_TRUE(error.kind() == ErrorKind::kUnsupported ||
                  error.kind() == ErrorKind::kCorruptFile ||
                  error.kind() == ErrorKind::kShapeMismatch)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace upconv::test
