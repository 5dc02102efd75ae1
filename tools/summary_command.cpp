// upconv summary: what a configuration describes.
#include <iostream>
#include <memory>
#include <string>

#include "commands.h"
#include "config.h"

namespace upconv::tools {

void add_summary_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("summary", "Print the layers, their shapes and numbers of parameters.");
  const auto path = std::make_shared<std::string>();
  command->add_option("--config", *path, "layer.json: the layer")->required();
  command->callback([path] {
    const std::string text = make_model(read_config(*path))->summary();
    std::cout << text << (text.ends_with('\n') ? "" : "\n");
  });
}

}  // namespace upconv::tools
