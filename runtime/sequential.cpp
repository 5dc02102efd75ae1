#include "upconv/sequential.h"

#include "files.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

std::string quoted_name(const char* kind, const std::string& name) {
  return std::string(kind) + " \"" + internal::printable(std::string_view(name)) + "\"";
}

/// `name`, or TFP's default for it. Runs before anything else of a Sequential is made.
std::string checked_name(const std::vector<std::unique_ptr<Layer>>& layers, std::string name) {
  if (layers.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "Sequential has 0 layers; it must have at least 1");
  }
  std::string joined;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!layers[i]) {
      throw Error(ErrorKind::kInvalidArgument,
                  "Sequential: layer " + std::to_string(i) + " is null; it must be a layer");
    }
    if (i > 0) joined += '_';
    joined += layers[i]->name();
  }
  if (name.empty()) return joined;
  return name;
}

std::vector<std::unique_ptr<Layer>> clones(const std::vector<std::unique_ptr<Layer>>& layers,
                                           std::size_t begin, std::size_t end) {
  std::vector<std::unique_ptr<Layer>> copies;
  copies.reserve(end - begin);
  for (std::size_t i = begin; i < end; ++i) copies.push_back(layers[i]->clone());
  return copies;
}

}  // namespace

// ---- FunctionLayer

FunctionLayer::FunctionLayer(Function function, std::string name, ShapeFunction output_shape)
    : Layer(std::move(name)),
      function_(std::move(function)),
      output_shape_(std::move(output_shape)) {
  if (!function_) {
    throw Error(ErrorKind::kInvalidArgument, quoted_name("FunctionLayer", this->name()) +
                                                 ": function is empty; it must be callable");
  }
}

Tensor FunctionLayer::operator()(const ConstTensorView& x, const CallOptions& options) const {
  const auto refuse = [&](const char* text) {
    throw Error(ErrorKind::kUnsupported, quoted_name("FunctionLayer", name()) + text);
  };
  if (options.residual) refuse(": a residual is given; only a ConvolutionTranspose can add one");
  if (options.output_lengths) {
    refuse(": output_lengths is given; only a ConvolutionTranspose can be asked for it");
  }
  return function_(x);
}

Dims FunctionLayer::output_shape(const Dims& input_shape) const {
  if (!output_shape_) {
    throw Error(ErrorKind::kUnsupported,
                quoted_name("FunctionLayer", name()) +
                    ": output shape is unknown; it must be made with a ShapeFunction to know it");
  }
  return output_shape_(input_shape);
}

std::unique_ptr<Layer> FunctionLayer::clone() const {
  return std::make_unique<FunctionLayer>(*this);
}

// ---- Sequential

Sequential::Sequential(std::vector<std::unique_ptr<Layer>> layers, std::string name)
    : Layer(checked_name(layers, std::move(name))), layers_(std::move(layers)) {}

Sequential::Sequential(const Sequential& other)
    : Layer(other), layers_(clones(other.layers_, 0, other.size())) {}

Sequential& Sequential::operator=(const Sequential& other) {
  if (this != &other) *this = Sequential(other);
  return *this;
}

Layer& Sequential::layer(std::size_t index) {
  return const_cast<Layer&>(std::as_const(*this).layer(index));
}

const Layer& Sequential::layer(std::size_t index) const {
  if (index >= size()) {
    throw Error(ErrorKind::kInvalidArgument,
                quoted_name("Sequential", name()) + ": index is " + std::to_string(index) +
                    "; it must be below the number of layers, " + std::to_string(size()));
  }
  return *layers_[index];
}

Sequential Sequential::slice(std::size_t begin, std::size_t end) const {
  if (begin >= end || end > size()) {
    throw Error(ErrorKind::kInvalidArgument,
                quoted_name("Sequential", name()) + ": slice is [" + std::to_string(begin) + ", " +
                    std::to_string(end) + "); it must hold at least 1 of " +
                    std::to_string(size()) + " layers");
  }
  Sequential part(clones(layers_, begin, end), name());
  part.also_track() = also_track();
  return part;
}

Tensor Sequential::operator()(const ConstTensorView& x, const CallOptions& options) const {
  CallOptions inner = options;
  inner.residual.reset();
  inner.output_lengths.reset();
  const bool single = size() == 1;
  Tensor y = layer(0)(x, single ? options : inner);
  for (std::size_t i = 1; i < size(); ++i) {
    y = (*layers_[i])(y, i + 1 == size() ? options : inner);
  }
  return y;
}

Dims Sequential::output_shape(const Dims& input_shape) const {
  Dims shape = input_shape;
  for (const std::unique_ptr<Layer>& each : layers_) shape = each->output_shape(shape);
  return shape;
}

std::unique_ptr<Layer> Sequential::clone() const { return std::make_unique<Sequential>(*this); }

std::vector<Module*> Sequential::own_modules() {
  std::vector<Module*> modules;
  modules.reserve(size());
  for (const std::unique_ptr<Layer>& each : layers_) modules.push_back(each.get());
  return modules;
}

// ---- Layer on layer

Sequential Layer::operator()(const Layer& first) const {
  return Sequential(make_layers(first, *this));
}

}  // namespace upconv::UPCONV_ABI
