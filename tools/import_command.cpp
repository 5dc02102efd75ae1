// upconv import: another library's weights as a file for `apply`.
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "config.h"
#include "onnx_file.h"
#include "upconv/error.h"

namespace upconv::tools {

namespace {

struct Options {
  std::string config, weights, kernel, bias, order, output;
};

constexpr std::array kOrders = {
    std::pair{"keras", Convention::kKeras},       std::pair{"tensorflow", Convention::kTensorFlow},
    std::pair{"pytorch", Convention::kPyTorch},   std::pair{"onnx", Convention::kOnnx},
    std::pair{"openvino", Convention::kOpenVino}, std::pair{"onednn", Convention::kOneDnn}};

std::optional<Convention> parse_order(const std::string& name) {
  if (name.empty()) return {};
  for (const auto& [known, convention] : kOrders) {
    if (name == known) return convention;
  }
  throw Error(ErrorKind::kInvalidArgument,
              "--order is \"" + name +
                  "\"; it must be keras, tensorflow, pytorch, onnx, openvino or onednn");
}

const Tensor& find(const std::vector<NamedTensor>& arrays, const std::string& name,
                   const std::string& file) {
  std::string known;
  for (const NamedTensor& each : arrays) {
    if (each.name == name) return each.tensor;
    known += (known.empty() ? "\"" : ", \"") + each.name + "\"";
  }
  throw Error(ErrorKind::kInvalidArgument, file + " has no initialiser \"" + name +
                                               "\" of floating point; it has " +
                                               (known.empty() ? "none" : known));
}

/// Initialisers of a model, which the library itself does not read.
void assign_initializers(ConvolutionTranspose& layer, const Options& options,
                         std::optional<Convention> order) {
  if (options.bias.empty() == layer.has_bias()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        options.config + (layer.has_bias() ? ": the layer has a bias; --bias must name it"
                                           : ": the layer has no bias; --bias must not be given"));
  }
  const std::vector<NamedTensor> arrays = read_onnx_initializers(options.weights);
  const Tensor kernel = kernel_from(order.value_or(Convention::kOnnx),
                                    find(arrays, options.kernel, options.weights), layer.options());
  const Tensor* const bias =
      layer.has_bias() ? &find(arrays, options.bias, options.weights) : nullptr;
  layer.kernel().assign(Tensor::cast(kernel, layer.dtype()));
  if (bias) layer.bias().assign(Tensor::cast(*bias, layer.dtype()));
}

void import_weights(const Options& options) {
  const std::optional<Convention> order = parse_order(options.order);
  const ModelConfig config = read_config(options.config);
  if (config.sequential) {
    throw Error(ErrorKind::kInvalidArgument,
                options.config + " is a list of layers; it must be one layer");
  }
  const std::unique_ptr<ConvolutionTranspose> layer = make_layer(config.layers.front());
  if (options.weights.ends_with(".onnx")) {
    assign_initializers(*layer, options, order);
  } else {
    layer->load(options.weights, {options.kernel, options.bias, order});
  }
  layer->save(options.output);
}

}  // namespace

void add_import_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("import", "Make a weights file from another library's.");
  const auto options = std::make_shared<Options>();
  command->add_option("--config", options->config, "layer.json: the layer")->required();
  command->add_option("--weights", options->weights, "a .safetensors, .npz or .onnx file")
      ->required();
  command->add_option("--kernel", options->kernel, "name of the kernel in it")->required();
  command->add_option("--bias", options->bias, "name of the bias, if the layer has one");
  command->add_option("--order", options->order,
                      "whose order the kernel is in: keras, tensorflow, pytorch, onnx, openvino or "
                      "onednn (ours; onnx for .onnx)");
  command->add_option("--output", options->output, "a .npz or .safetensors file for apply")
      ->required();
  command->callback([options] { import_weights(*options); });
}

}  // namespace upconv::tools
