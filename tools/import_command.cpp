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
#include "upconv/npz.h"

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

/// What the library itself does not find by name: the initialisers of a model, or arrays that are a
/// file each, under their paths.
std::vector<NamedTensor> read_arrays(const Options& options) {
  if (!options.weights.empty()) return read_onnx_initializers(options.weights);
  std::vector<NamedTensor> arrays = {{options.kernel, read_npy(options.kernel)}};
  if (!options.bias.empty()) arrays.push_back({options.bias, read_npy(options.bias)});
  return arrays;
}

void assign_arrays(ConvolutionTranspose& layer, const Options& options,
                   std::optional<Convention> order) {
  if (options.bias.empty() == layer.has_bias()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        options.config + (layer.has_bias() ? ": the layer has a bias; --bias must name it"
                                           : ": the layer has no bias; --bias must not be given"));
  }
  const std::vector<NamedTensor> arrays = read_arrays(options);
  Tensor kernel = find(arrays, options.kernel, options.weights);
  if (order) kernel = kernel_from(*order, kernel, layer.options());
  layer.kernel().assign(Tensor::cast(kernel, layer.dtype()));
  if (!layer.has_bias()) return;
  layer.bias().assign(Tensor::cast(find(arrays, options.bias, options.weights), layer.dtype()));
}

void import_weights(const Options& options) {
  const std::optional<Convention> order = parse_order(options.order);
  const ModelConfig config = read_config(options.config);
  if (config.sequential) {
    throw Error(ErrorKind::kInvalidArgument,
                options.config + " is a list of layers; it must be one layer");
  }
  const std::unique_ptr<ConvolutionTranspose> layer = make_layer(config.layers.front());
  if (options.weights.empty()) {
    assign_arrays(*layer, options, order);
  } else if (options.weights.ends_with(".onnx")) {
    assign_arrays(*layer, options, order.value_or(Convention::kOnnx));
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
  command->add_option("--weights", options->weights, "a .safetensors, .npz or .onnx file");
  command
      ->add_option("--kernel", options->kernel,
                   "name of the kernel in it; without --weights a .npy file")
      ->required();
  command->add_option("--bias", options->bias, "the bias, likewise, if the layer has one");
  command->add_option("--order", options->order,
                      "whose order the kernel is in: keras, tensorflow, pytorch, onnx, openvino or "
                      "onednn (ours; onnx for .onnx)");
  command->add_option("--output", options->output, "a .npz or .safetensors file for apply")
      ->required();
  command->callback([options] { import_weights(*options); });
}

}  // namespace upconv::tools
