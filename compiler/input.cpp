#include "input.h"

#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "config.h"
#include "onnx_file.h"
#include "upconv/conventions.h"
#include "upconv/error.h"
#include "upconv/sequential.h"

namespace upconv::compiler {

namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& rule) {
  throw Error(ErrorKind::kInvalidArgument, option + " is \"" + text + "\"; it must be " + rule);
}

void check_name(const std::string& name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  bool right = !name.empty() && letter(name.front());
  for (const char c : name) right = right && (letter(c) || (c >= '0' && c <= '9'));
  if (!right) refuse("--name", name, "a C identifier: letters, digits and _, no digit first");
}

/// `1,16,?,64?,128`: images, extents, channels; ? is an argument of the call, 64? one of at
/// most 64.
void parse_shape(const std::string& text, LayerSpec& spec) {
  const Index channels = spec.checked.options.input_size;
  const auto refuse_shape = [&] {
    refuse("--input-shape", text,
           "the images, " + std::to_string(spec.rank()) +
               " extents and the input channels, with commas between, each at least 1, or ? for an "
               "argument of the call, or 64? for one that is at most 64, as in 1,16,?," +
               std::to_string(channels));
  };
  std::vector<std::optional<Index>> values, most;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view part = rest.substr(0, comma);
    const bool known = !part.ends_with('?');
    if (!known) part.remove_suffix(1);
    std::optional<Index> number;
    if (known || !part.empty()) {
      const char* const end = part.data() + part.size();
      const auto [stop, error] = std::from_chars(part.data(), end, number.emplace());
      if (error != std::errc{} || stop != end || *number < 1) refuse_shape();
    }
    values.push_back(known ? number : std::nullopt);
    most.push_back(known ? std::nullopt : number);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (values.size() != static_cast<std::size_t>(spec.rank()) + 2) refuse_shape();
  if (most.back() || (values.back() && *values.back() != channels)) refuse_shape();
  spec.images = values.front();
  spec.extents.assign(values.begin() + 1, values.end() - 1);
  spec.most_images = most.front();
  spec.most_extents.assign(most.begin() + 1, most.end() - 1);
}

/// What the layer before leaves as the input of the next.
void continue_shape(const LayerSpec& before, LayerSpec& next) {
  const auto require_equal = [&](const std::string& what, const std::string& value,
                                 const std::string& other, const std::string& must) {
    if (value == must) return;
    throw Error(ErrorKind::kShapeMismatch,
                next.checked.label + " cannot follow " + before.checked.label + ": its " + what +
                    " is " + value + "; it must be the other's " + other + ", " + must);
  };
  const ConvolutionTransposeOptions &from = before.checked.options, &to = next.checked.options;
  require_equal("rank", std::to_string(to.rank), "rank", std::to_string(from.rank));
  require_equal("input_size", std::to_string(to.input_size), "output_size",
                std::to_string(from.output_size));
  require_equal("dtype", std::string(to_string(to.dtype)), "dtype",
                std::string(to_string(from.dtype)));
  next.images = before.images;
  next.most_images = before.most_images;
  for (std::size_t axis = 0; axis < next.extents.size(); ++axis) {
    const auto output = [&](std::optional<Index> input) -> std::optional<Index> {
      if (!input) return std::nullopt;
      return infer_window(before.checked.axes[axis], *input, before.checked.label).output;
    };
    next.extents[axis] = output(before.extents[axis]);
    next.most_extents[axis] = output(before.most_extents[axis]);
  }
}

LayerSpec spec_of(const std::string& name, const ConvolutionTransposeOptions& options) {
  LayerSpec spec{.name = name, .checked = internal::check_options(options)};
  spec.extents.resize(static_cast<std::size_t>(spec.rank()));
  spec.most_extents.resize(static_cast<std::size_t>(spec.rank()));
  return spec;
}

void refuse_gpu(const ConvolutionTransposeOptions& options) {
  if (options.device == Device::kCpu) return;
  throw Error(ErrorKind::kUnsupported,
              internal::label(options.name) + ": device is \"" +
                  std::string(to_string(options.device)) +
                  "\"; it must be \"cpu\", since upconvc makes no code for GPUs");
}

std::vector<LayerSpec> read_json(const InputOptions& options) {
  const tools::ModelConfig config = tools::read_config(options.model);
  // Made for its checks, and to read the weights as every tool does.
  std::vector<std::unique_ptr<Layer>> made;
  for (const tools::LayerConfig& layer : config.layers) {
    refuse_gpu(layer.options);
    made.push_back(tools::make_layer(layer));
  }
  std::optional<Sequential> all;
  std::unique_ptr<Layer> only;
  if (config.sequential) {
    all.emplace(std::move(made));
  } else {
    only = std::move(made.front());
  }
  Layer& model = all ? static_cast<Layer&>(*all) : *only;
  if (!options.weights.empty()) model.load(options.weights);

  std::vector<LayerSpec> specs;
  for (std::size_t n = 0; n < config.layers.size(); ++n) {
    const bool several = config.layers.size() > 1;
    specs.push_back(spec_of(several ? options.name + "_" + std::to_string(n) : options.name,
                            config.layers[n].options));
    LayerSpec& spec = specs.back();
    if (!options.weights.empty()) {
      const auto& layer = dynamic_cast<const ConvolutionTranspose&>(all ? all->layer(n) : *only);
      spec.kernel = layer.kernel().value();
      if (layer.has_bias()) spec.bias = layer.bias().value();
    }
    if (n > 0) {
      continue_shape(specs[n - 1], spec);
    } else if (!options.shape.empty()) {
      parse_shape(options.shape, spec);
    }
  }
  return specs;
}

/// The activation that an ONNX operator is; nothing where ours has other parameters.
std::optional<Activation> onnx_activation(const tools::OnnxConvTransposeNode& node) {
  constexpr double kLeakyRelu = 0.01;  // what ONNX says where there is no alpha
  static const std::map<std::string, Activation> plain = {{"Relu", Activation::relu()},
                                                          {"Selu", Activation::selu()},
                                                          {"Sigmoid", Activation::sigmoid()},
                                                          {"Tanh", Activation::tanh()},
                                                          {"Softplus", Activation::softplus()},
                                                          {"HardSwish", Activation::hard_swish()},
                                                          {"Elu", Activation::elu()}};
  if (node.activation == "LeakyRelu")
    return Activation::leaky_relu(node.alpha.value_or(kLeakyRelu));
  const auto found = plain.find(node.activation);
  if (found == plain.end() || node.alpha.value_or(1) != 1) return std::nullopt;
  return found->second;
}

std::vector<LayerSpec> read_onnx(const InputOptions& options) {
  const std::string file = options.model.string();
  const auto nodes = tools::read_onnx_conv_transposes(options.model);
  if (nodes.empty()) {
    throw Error(ErrorKind::kInvalidArgument, file + ": it has no ConvTranspose");
  }
  if (!options.weights.empty()) {
    refuse("--weights", options.weights.string(), "absent: an ONNX model has its own");
  }
  if (!options.shape.empty() && nodes.size() > 1) {
    refuse("--input-shape", options.shape,
           "absent for " + file + ", which has " + std::to_string(nodes.size()) + " layers");
  }
  std::vector<LayerSpec> specs;
  for (const tools::OnnxConvTransposeNode& node : nodes) {
    try {
      ConvolutionTransposeOptions layer = from_onnx({.w = node.kernel.shape(),
                                                     .auto_pad = node.auto_pad,
                                                     .dilations = node.dilations,
                                                     .group = node.group,
                                                     .kernel_shape = node.kernel_shape,
                                                     .output_padding = node.output_padding,
                                                     .output_shape = node.output_shape,
                                                     .pads = node.pads,
                                                     .strides = node.strides,
                                                     .bias = node.bias.has_value()});
      layer.name = node.name;
      layer.dtype = node.kernel.dtype();
      if (const auto activation = onnx_activation(node)) layer.activation_fn = *activation;
      const bool several = nodes.size() > 1;
      specs.push_back(spec_of(
          several ? options.name + "_" + std::to_string(specs.size()) : options.name, layer));
      LayerSpec& spec = specs.back();
      spec.kernel = kernel_from(Convention::kOnnx, node.kernel, layer);
      if (node.bias) {
        if (!(node.bias->shape() == spec.checked.bias_shape)) {
          throw Error(ErrorKind::kShapeMismatch, "B has shape " + to_string(node.bias->shape()) +
                                                     "; it must be " +
                                                     to_string(spec.checked.bias_shape));
        }
        spec.bias = Tensor::cast(*node.bias, layer.dtype);
      }
      if (!options.shape.empty()) parse_shape(options.shape, spec);
    } catch (const Error& error) {
      throw Error(error.kind(), node.where + ": " + error.what());
    }
  }
  return specs;
}

}  // namespace

Layers read_layers(const InputOptions& options) {
  check_name(options.name);
  if (options.model.extension() == ".onnx") return {.layers = read_onnx(options)};
  return {.layers = read_json(options), .chained = true};
}

}  // namespace upconv::compiler
