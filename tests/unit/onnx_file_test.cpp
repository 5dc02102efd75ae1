// ONNX files as protobuf writes them.
#include "onnx_file.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "checks.h"
#include "errors.h"
#include "temporary_folder.h"

namespace upconv::tools {
namespace {

class OnnxFileTest : public testing::Test {
 protected:
  std::filesystem::path write() const {
    std::filesystem::path path = folder_.path() / "model.onnx";
    std::ofstream file(path, std::ios::binary);
    EXPECT_TRUE(model_.SerializeToOstream(&file));
    return path;
  }

  onnx::TensorProto* add_initializer(const std::string& name, const std::vector<Index>& shape) {
    onnx::TensorProto* const tensor = model_.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    Index count = 1;
    for (const Index extent : shape) {
      tensor->add_dims(extent);
      count *= extent;
    }
    for (Index n = 0; n < count; ++n) tensor->add_float_data(static_cast<float>(n));
    return tensor;
  }

  onnx::NodeProto* add_node(const std::string& type, const std::vector<std::string>& inputs,
                            const std::string& output) {
    onnx::NodeProto* const node = model_.mutable_graph()->add_node();
    node->set_op_type(type);
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(output);
    return node;
  }

  static void set(onnx::NodeProto* node, const std::string& name,
                  const std::vector<Index>& values) {
    onnx::AttributeProto* const attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const Index value : values) attribute->add_ints(value);
  }

  test::TemporaryFolder folder_;
  onnx::ModelProto model_;
};

TEST_F(OnnxFileTest, InitializersOfEitherStorage) {
  add_initializer("a", {2, 3});
  onnx::TensorProto* const raw = model_.mutable_graph()->add_initializer();
  raw->set_name("raw");
  raw->set_data_type(onnx::TensorProto::DOUBLE);
  raw->add_dims(1);
  const double value = 0.1;
  raw->set_raw_data(&value, sizeof(value));
  add_initializer("shape", {1})->set_data_type(onnx::TensorProto::INT64);
  onnx::AttributeProto* const attribute = add_node("Constant", {}, "constant")->add_attribute();
  attribute->set_name("value");
  attribute->mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  attribute->mutable_t()->add_float_data(7);

  const std::vector<NamedTensor> tensors = read_onnx_initializers(write());
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].tensor.shape(), (Dims{2, 3}));
  EXPECT_EQ(tensors[0].tensor.values<float>()[5], 5);
  EXPECT_EQ(tensors[1].tensor.values<double>()[0], 0.1);
  EXPECT_EQ(tensors[2].name, "constant");
  EXPECT_EQ(tensors[2].tensor.values<float>()[0], 7);
}

TEST_F(OnnxFileTest, ConvTransposeWithItsActivation) {
  add_initializer("w", {3, 4, 2, 2});
  add_initializer("b", {4});
  onnx::NodeProto* const node = add_node("ConvTranspose", {"x", "w", "b"}, "y");
  set(node, "strides", {2, 1});
  set(node, "pads", {0, 1, 2, 3});
  onnx::AttributeProto* const alpha = add_node("LeakyRelu", {"y"}, "z")->add_attribute();
  alpha->set_name("alpha");
  alpha->set_f(0.5F);

  const std::vector<OnnxConvTransposeNode> nodes = read_onnx_conv_transposes(write());
  ASSERT_EQ(nodes.size(), 1u);
  EXPECT_EQ(nodes[0].name, "y");
  EXPECT_EQ(nodes[0].strides, (std::vector<Index>{2, 1}));
  EXPECT_EQ(nodes[0].pads, (std::vector<Index>{0, 1, 2, 3}));
  EXPECT_TRUE(nodes[0].dilations.empty());
  EXPECT_EQ(nodes[0].kernel.shape(), (Dims{3, 4, 2, 2}));
  EXPECT_EQ(nodes[0].bias->shape(), Dims{4});
  EXPECT_EQ(nodes[0].activation, "LeakyRelu");
  EXPECT_EQ(nodes[0].alpha, 0.5);
}

TEST_F(OnnxFileTest, AnActivationBesideAnotherReaderIsNotFused) {
  add_initializer("w", {3, 4, 2, 2});
  add_node("ConvTranspose", {"x", "w"}, "y");
  add_node("Relu", {"y"}, "z");
  add_node("Neg", {"y"}, "n");
  const auto nodes = read_onnx_conv_transposes(write());
  EXPECT_EQ(nodes[0].activation, "");
  EXPECT_FALSE(nodes[0].bias.has_value());
}

TEST_F(OnnxFileTest, AnActivationWithParametersOfItsOwnIsNotFused) {
  add_initializer("w", {3, 4, 2, 2});
  add_node("ConvTranspose", {"x", "w"}, "y");
  onnx::AttributeProto* const gamma = add_node("Selu", {"y"}, "z")->add_attribute();
  gamma->set_name("gamma");
  gamma->set_f(2);
  EXPECT_EQ(read_onnx_conv_transposes(write())[0].activation, "");
  model_.mutable_graph()->mutable_node(1)->clear_attribute();
  EXPECT_EQ(read_onnx_conv_transposes(write())[0].activation, "Selu");
}

TEST_F(OnnxFileTest, AllThatIsUnsupportedIsNamedAtOnce) {
  onnx::NodeProto* const node = add_node("ConvTranspose", {"x", "w"}, "y");
  onnx::AttributeProto* const group = node->add_attribute();
  group->set_name("group");
  group->set_i(3);
  node->add_attribute()->set_name("colour");
  const auto error = test::error_of([&] { read_onnx_conv_transposes(write()); });
  EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
  for (const char* const part : {"model.onnx", "\"y\"", "colour", "group is 3", "W (\"w\")"}) {
    EXPECT_NE(error.text.find(part), std::string::npos) << part << " in " << error.text;
  }
}

TEST_F(OnnxFileTest, CorruptFiles) {
  const auto kind_of = [&] {
    return test::error_of([&] { read_onnx_initializers(write()); }).kind;
  };
  EXPECT_EQ(kind_of(), ErrorKind::kCorruptFile);  // no graph
  add_initializer("a", {2, 3})->add_float_data(1);
  EXPECT_EQ(kind_of(), ErrorKind::kCorruptFile);  // an element too many
  model_.mutable_graph()->mutable_initializer(0)->set_dims(0, -1);
  EXPECT_EQ(kind_of(), ErrorKind::kCorruptFile);
  model_.mutable_graph()->mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
  const auto external = test::error_of([&] { read_onnx_initializers(write()); });
  EXPECT_EQ(external.kind, ErrorKind::kUnsupported);
  for (const char* const part : {"model.onnx", "\"a\"", "another file", "external_data=False"}) {
    EXPECT_NE(external.text.find(part), std::string::npos) << part << " in " << external.text;
  }
  const std::filesystem::path text = folder_.path() / "text.onnx";
  std::ofstream(text) << "not a model";
  EXPECT_EQ(test::error_of([&] { read_onnx_initializers(text); }).kind, ErrorKind::kCorruptFile);
  EXPECT_EQ(test::error_of([&] { read_onnx_initializers(folder_.path() / "absent"); }).kind,
            ErrorKind::kIo);
}

}  // namespace
}  // namespace upconv::tools
