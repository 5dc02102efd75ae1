// upconv apply: a layer's output for an input, from files to a file.
#include <memory>
#include <string>
#include <utility>

#include "commands.h"
#include "config.h"
#include "upconv/error.h"
#include "upconv/npz.h"

namespace upconv::tools {

namespace {

struct Options {
  std::string config, weights, input, output, isa;
  std::string threads = "1";
};

/// Reads a file; one that is over a limit is a bad file, not a mistake in the command.
template <typename Read>
decltype(auto) read_file(Read&& read) {
  try {
    return std::forward<Read>(read)();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kLimitExceeded) {
      throw Error(ErrorKind::kCorruptFile, error.what());
    }
    throw;
  }
}

void apply(const Options& options) {
  const int threads = parse_threads(options.threads);
  const std::optional<Isa> isa = parse_isa_option(options.isa);
  const ModelConfig config = read_config(options.config);
  const std::unique_ptr<Layer> model = make_model(config, isa);
  read_file([&] { model->load(options.weights); });
  Tensor input = read_file([&] { return read_npy(options.input); });
  const DType dtype = config.layers.front().options.dtype;
  if (input.dtype() != dtype) input = Tensor::cast(input, dtype);
  const auto run = [&] {
    try {
      return (*model)(input, {.threads = threads});
    } catch (const Error& error) {
      throw Error(error.kind(), options.input + ": " + error.what());
    }
  };
  write_npy(options.output, run());
}

}  // namespace

void add_apply_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("apply", "Apply a layer, or a list of layers, to an array.");
  const auto options = std::make_shared<Options>();
  command->add_option("--config", options->config, "layer.json: the layer")->required();
  command->add_option("--weights", options->weights, "w.npz: kernel and bias, as save() or NumPy")
      ->required();
  command
      ->add_option("--input", options->input,
                   "x.npy: [batch..., spatial..., input_size], float32 or float64")
      ->required();
  command->add_option("--output", options->output, "y.npy, written when all is done")->required();
  command->add_option("--threads", options->threads, "threads to use (1)");
  command->add_option("--isa", options->isa, "instruction set to use (the best)");
  command->callback([options] { apply(*options); });
}

}  // namespace upconv::tools
