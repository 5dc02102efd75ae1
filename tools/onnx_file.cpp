#include "onnx_file.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>

#include "upconv/error.h"

namespace upconv::tools {

namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

[[noreturn]] void fail(ErrorKind kind, const std::string& where, const std::string& text) {
  throw Error(kind, where + ": " + text);
}

onnx::ModelProto read_model(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::ifstream file(path, std::ios::binary);
  std::error_code code;
  if (!file || !std::filesystem::is_regular_file(path, code)) {
    fail(ErrorKind::kIo, where, "cannot be read");
  }
  constexpr std::uintmax_t kMost = std::uintmax_t{1} << 31;
  if (std::filesystem::file_size(path, code) >= kMost) {
    fail(ErrorKind::kLimitExceeded, where, "the file is 2 GiB or larger; protobuf reads no such");
  }
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&file) || !model.has_graph()) {
    fail(ErrorKind::kCorruptFile, where, "it is not an ONNX model");
  }
  return model;
}

/// Elements that are either bytes or a repeated field.
template <Element T, typename Field>
Tensor read_values(const onnx::TensorProto& proto, const Field& field, DType dtype,
                   const std::string& where) {
  Dims shape;
  Index count = 1;
  constexpr Index kMost = Index{1} << 31;
  if (proto.dims_size() > static_cast<int>(kMaxAxes)) {
    fail(ErrorKind::kUnsupported, where,
         "it has " + std::to_string(proto.dims_size()) + " axes; at most " +
             std::to_string(kMaxAxes) + " are supported");
  }
  for (const std::int64_t extent : proto.dims()) {
    if (extent < 0 || (extent > 0 && count > kMost / extent)) {
      fail(ErrorKind::kCorruptFile, where, "its shape has the extent " + std::to_string(extent));
    }
    shape.push_back(extent);
    count *= extent;
  }
  const auto elements = static_cast<std::size_t>(count);
  const bool raw = proto.has_raw_data();
  const std::size_t given =
      raw ? proto.raw_data().size() / sizeof(T) : static_cast<std::size_t>(field.size());
  if (given != elements || (raw && proto.raw_data().size() % sizeof(T) != 0)) {
    fail(ErrorKind::kCorruptFile, where,
         "it holds " + std::to_string(given) + " elements; its shape " + to_string(shape) +
             " has " + std::to_string(elements));
  }
  Tensor tensor(dtype, shape);
  if (elements == 0) return tensor;
  T* const to = tensor.values<T>().data();
  if (raw) {
    std::memcpy(to, proto.raw_data().data(), elements * sizeof(T));
  } else {
    std::copy(field.begin(), field.end(), to);
  }
  return tensor;
}

/// Nothing for a type that is no floating point of ours.
std::optional<Tensor> read_tensor(const onnx::TensorProto& proto, const std::string& where) {
  const bool single = proto.data_type() == onnx::TensorProto::FLOAT;
  if (!single && proto.data_type() != onnx::TensorProto::DOUBLE) return std::nullopt;
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    fail(ErrorKind::kUnsupported, where,
         "its data is in another file, which is never followed; save the model with its weights "
         "inside (PyTorch: external_data=False)");
  }
  return single ? read_values<float>(proto, proto.float_data(), DType::kFloat32, where)
                : read_values<double>(proto, proto.double_data(), DType::kFloat64, where);
}

std::vector<NamedTensor> initializers_of(const onnx::GraphProto& graph, const std::string& file) {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& name, const onnx::TensorProto& proto) {
    std::optional<Tensor> tensor = read_tensor(proto, file + ": initializer \"" + name + "\"");
    if (tensor) tensors.push_back({name, std::move(*tensor)});
  };
  for (const onnx::TensorProto& proto : graph.initializer()) add(proto.name(), proto);
  for (const onnx::NodeProto& node : graph.node()) {
    if (node.op_type() != "Constant" || node.output_size() != 1) continue;
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.name() == "value" && attribute.has_t()) add(node.output(0), attribute.t());
    }
  }
  return tensors;
}

std::vector<Index> integers(const onnx::AttributeProto& attribute) {
  return {attribute.ints().begin(), attribute.ints().end()};
}

/// Attributes into the node; what is not right goes to `wrong`.
void take_attributes(const onnx::NodeProto& proto, OnnxConvTransposeNode& node,
                     std::vector<std::string>& wrong) {
  const std::map<std::string, std::vector<Index>*> lists = {
      {"dilations", &node.dilations},
      {"kernel_shape", &node.kernel_shape},
      {"output_padding", &node.output_padding},
      {"output_shape", &node.output_shape},
      {"pads", &node.pads},
      {"strides", &node.strides}};
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    const std::string& name = attribute.name();
    if (const auto list = lists.find(name); list != lists.end()) {
      *list->second = integers(attribute);
      if (attribute.type() != onnx::AttributeProto::INTS)
        wrong.push_back(name + " is no list of integers");
    } else if (name == "auto_pad") {
      node.auto_pad = attribute.s();
    } else if (name == "group") {
      node.group = attribute.i();
    } else {
      wrong.push_back("attribute " + name + " is unknown");
    }
  }
  if (node.group != 1) {
    wrong.push_back("group is " + std::to_string(node.group) + "; groups are not supported");
  }
}

/// The activation that is all that reads `output`.
void take_activation(const onnx::GraphProto& graph, const std::string& output,
                     OnnxConvTransposeNode& node) {
  static const std::vector<std::string> known = {"Relu",    "LeakyRelu", "Elu",      "Selu",
                                                 "Sigmoid", "Tanh",      "Softplus", "HardSwish"};
  const onnx::NodeProto* reader = nullptr;
  for (const onnx::ValueInfoProto& value : graph.output()) {
    if (value.name() == output) return;
  }
  for (const onnx::NodeProto& other : graph.node()) {
    const bool reads = std::count(other.input().begin(), other.input().end(), output) > 0;
    if (reads && reader != nullptr) return;
    if (reads) reader = &other;
  }
  if (reader == nullptr || std::count(known.begin(), known.end(), reader->op_type()) == 0) return;
  std::optional<double> alpha;
  for (const onnx::AttributeProto& attribute : reader->attribute()) {
    if (attribute.name() != "alpha") return;  // gamma of Selu: ours has one value of it
    alpha = attribute.f();
  }
  node.activation = reader->op_type();
  node.alpha = alpha;
}

}  // namespace

std::vector<NamedTensor> read_onnx_initializers(const std::filesystem::path& path) {
  return initializers_of(read_model(path).graph(), path.string());
}

std::vector<OnnxConvTransposeNode> read_onnx_conv_transposes(const std::filesystem::path& path) {
  const onnx::ModelProto model = read_model(path);
  const onnx::GraphProto& graph = model.graph();
  std::map<std::string, Tensor> known;
  for (NamedTensor& tensor : initializers_of(graph, path.string())) {
    known[tensor.name] = std::move(tensor.tensor);
  }
  std::vector<OnnxConvTransposeNode> nodes;
  std::vector<std::string> wrong;
  for (const onnx::NodeProto& proto : graph.node()) {
    if (proto.op_type() != "ConvTranspose") continue;
    OnnxConvTransposeNode node;
    node.name = proto.name().empty() && proto.output_size() > 0 ? proto.output(0) : proto.name();
    node.where = path.string() + ": ConvTranspose \"" + node.name + "\"";
    std::vector<std::string> here;
    take_attributes(proto, node, here);
    const auto constant = [&](int input, const char* name) -> const Tensor* {
      const auto found = known.find(proto.input(input));
      if (found != known.end()) return &found->second;
      here.push_back(std::string(name) + " (\"" + proto.input(input) +
                     "\") is not a float32 or float64 initializer");
      return nullptr;
    };
    if (proto.input_size() < 2) {
      here.emplace_back("W is missing");
    } else if (const Tensor* const kernel = constant(1, "W")) {
      node.kernel = *kernel;
    }
    if (proto.input_size() > 2 && !proto.input(2).empty()) {
      if (const Tensor* const bias = constant(2, "B")) node.bias = *bias;
    }
    if (proto.output_size() > 0) take_activation(graph, proto.output(0), node);
    for (const std::string& text : here) wrong.push_back("\"" + node.name + "\": " + text);
    nodes.push_back(std::move(node));
  }
  if (!wrong.empty()) {
    std::string text;
    for (const std::string& one : wrong) text += (text.empty() ? "" : "; ") + one;
    fail(ErrorKind::kUnsupported, path.string(), text);
  }
  return nodes;
}

}  // namespace upconv::tools
