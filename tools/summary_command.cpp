// upconv summary: what a configuration describes.
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "commands.h"
#include "config.h"

namespace upconv::tools {

namespace {

/// How each layer would compute an input of that shape.
std::string choices(const ModelConfig& model, Dims shape) {
  std::ostringstream text;
  for (LayerConfig config : model.layers) {
    config.input = shape;  // what the layer is told to expect
    const auto layer = make_layer(config);
    const Dims output = layer->output_shape(shape);
    const KernelChoice choice = layer->kernel_choice(shape);
    text << layer->name() << ": " << to_string(shape) << " -> " << to_string(output) << " by "
         << choice.kernel << ", strategy " << choice.strategy << ", arithmetic "
         << to_string(choice.arithmetic) << "; " << choice.reason << '\n';
    shape = output;
  }
  return text.str();
}

}  // namespace

void add_summary_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("summary", "Print the layers, their shapes and numbers of parameters.");
  const auto path = std::make_shared<std::string>();
  const auto input_shape = std::make_shared<std::string>();
  command->add_option("--config", *path, "layer.json: the layer")->required();
  command->add_option("--input-shape", *input_shape,
                      "1,85,85,56: say also how each layer computes such an input, and why");
  command->callback([path, input_shape] {
    const ModelConfig model = read_config(*path);
    std::string text = make_model(model)->summary();
    if (!text.ends_with('\n')) text += '\n';
    if (!input_shape->empty()) text += choices(model, parse_shape(*input_shape, "--input-shape"));
    std::cout << text;
  });
}

}  // namespace upconv::tools
