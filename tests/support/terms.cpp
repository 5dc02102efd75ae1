#include "terms.h"

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace upconv::test {

namespace {

using Json = nlohmann::json;
using List = std::vector<Index>;

/// Fills the fields of a description from the keys of an object, all of which must be used.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  void read(const char* key, Index& value) { set<Index>(key, value); }
  void read(const char* key, int& value) { set<int>(key, value); }
  void read(const char* key, bool& value) { set<bool>(key, value); }
  void read(const char* key, std::string& value) { set<std::string>(key, value); }
  void read(const char* key, List& value) { set<List>(key, value); }
  void read(const char* key, Padding::Pairs& value) { set<Padding::Pairs>(key, value); }
  void read(const char* key, Dims& value) {
    if (const Json* const found = find(key)) value = Dims(found->get<List>());
  }
  void read(const char* key, std::optional<Dims>& value) {
    if (const Json* const found = find(key)) value = Dims(found->get<List>());
  }
  void read(const char* key, PerAxis& value) {
    if (const Json* const found = find(key)) value = found->get<List>();
  }
  void read(const char* key, std::optional<PerAxis>& value) {
    if (const Json* const found = find(key)) value = found->get<List>();
  }
  void read(const char* key, PyTorchPadding& value) {
    const Json* const found = find(key);
    if (!found) return;
    value = found->is_string() ? PyTorchPadding(found->get<std::string>())
                               : PyTorchPadding(found->get<List>());
  }

  void require_all_used() const {
    for (const auto& item : object_.items()) {
      if (!used_.contains(item.key())) throw std::runtime_error("unknown key " + item.key());
    }
  }

 private:
  template <typename T>
  void set(const char* key, T& value) {
    if (const Json* const found = find(key)) value = found->get<T>();
  }
  const Json* find(const std::string& key) {
    used_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  const Json& object_;
  std::set<std::string> used_;
};

ConvolutionTransposeOptions keras(Fields& fields) {
  KerasConvTranspose layer;
  fields.read("input_channels", layer.input_channels);
  fields.read("filters", layer.filters);
  fields.read("kernel_size", layer.kernel_size);
  fields.read("strides", layer.strides);
  fields.read("padding", layer.padding);
  fields.read("output_padding", layer.output_padding);
  fields.read("dilation_rate", layer.dilation_rate);
  fields.read("use_bias", layer.use_bias);
  fields.read("rank", layer.rank);
  return from_keras(layer);
}

ConvolutionTransposeOptions tensorflow(Fields& fields) {
  TensorFlowConvTranspose op;
  fields.read("filters", op.filters);
  fields.read("output_shape", op.output_shape);
  fields.read("strides", op.strides);
  fields.read("padding", op.padding);
  fields.read("explicit_paddings", op.explicit_paddings);
  fields.read("dilations", op.dilations);
  return from_tensorflow(op);
}

ConvolutionTransposeOptions pytorch(Fields& fields) {
  PyTorchConvTranspose module;
  fields.read("in_channels", module.in_channels);
  fields.read("out_channels", module.out_channels);
  fields.read("kernel_size", module.kernel_size);
  fields.read("stride", module.stride);
  fields.read("padding", module.padding);
  fields.read("output_padding", module.output_padding);
  fields.read("dilation", module.dilation);
  fields.read("groups", module.groups);
  fields.read("bias", module.bias);
  fields.read("rank", module.rank);
  return from_pytorch(module);
}

ConvolutionTransposeOptions onnx(Fields& fields) {
  OnnxConvTranspose node;
  fields.read("w", node.w);
  fields.read("auto_pad", node.auto_pad);
  fields.read("dilations", node.dilations);
  fields.read("group", node.group);
  fields.read("kernel_shape", node.kernel_shape);
  fields.read("output_padding", node.output_padding);
  fields.read("output_shape", node.output_shape);
  fields.read("pads", node.pads);
  fields.read("strides", node.strides);
  fields.read("bias", node.bias);
  return from_onnx(node);
}

ConvolutionTransposeOptions openvino(Fields& fields) {
  OpenVinoConvolutionBackpropData op;
  fields.read("filters", op.filters);
  fields.read("strides", op.strides);
  fields.read("pads_begin", op.pads_begin);
  fields.read("pads_end", op.pads_end);
  fields.read("dilations", op.dilations);
  fields.read("auto_pad", op.auto_pad);
  fields.read("output_padding", op.output_padding);
  fields.read("output_shape", op.output_shape);
  return from_openvino(op);
}

ConvolutionTransposeOptions onednn(Fields& fields) {
  OneDnnDeconvolution primitive;
  fields.read("weights", primitive.weights);
  fields.read("strides", primitive.strides);
  fields.read("dilates", primitive.dilates);
  fields.read("padding_l", primitive.padding_l);
  fields.read("padding_r", primitive.padding_r);
  fields.read("bias", primitive.bias);
  return from_onednn(primitive);
}

struct Reader {
  const char* name;
  Convention convention;
  ConvolutionTransposeOptions (*read)(Fields&);
};

constexpr Reader kReaders[] = {
    {"keras", Convention::kKeras, keras},
    {"tensorflow", Convention::kTensorFlow, tensorflow},
    {"pytorch", Convention::kPyTorch, pytorch},
    {"onnx", Convention::kOnnx, onnx},
    {"openvino", Convention::kOpenVino, openvino},
    {"onednn", Convention::kOneDnn, onednn},
};

}  // namespace

PeerLayer parse_terms(const Json& terms) {
  Fields fields(terms);
  std::string name;
  fields.read("convention", name);
  for (const Reader& reader : kReaders) {
    if (name != reader.name) continue;
    PeerLayer layer{reader.convention, reader.read(fields), {}};
    fields.read("output_lengths", layer.output_lengths);
    fields.require_all_used();
    return layer;
  }
  throw std::runtime_error("unknown convention " + name);
}

}  // namespace upconv::test
