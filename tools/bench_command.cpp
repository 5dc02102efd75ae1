// upconv bench: how fast a layer runs, and what bounds it.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "commands.h"
#include "config.h"
#include "measurement.h"
#include "upconv/error.h"

namespace upconv::tools {

namespace {

struct Options {
  std::string config, layers, only, input_shape, isa;
  std::string threads = "1";
  std::string seconds = "1";
  bool json = false;
};

[[noreturn]] void fail(const std::string& text) { throw Error(ErrorKind::kInvalidArgument, text); }

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

/// Four digits or so, whatever the size.
std::string milliseconds(double value) {
  return fixed(value, value < 0.1 ? 5 : value < 10 ? 3 : 1);
}

std::string percent(double fraction) { return fixed(100 * fraction, 0) + "%"; }

nlohmann::ordered_json to_json(const Measurement& of) {
  return {{"min_ms", of.min_ms},
          {"median_ms", of.median_ms},
          {"gflops", of.gflops},
          {"peak_gflops", of.peak_gflops},
          {"fraction_of_peak", of.fraction_of_peak},
          {"bound", to_string(of.bound)},
          {"fraction_of_bound", of.fraction_of_bound},
          {"kernel", of.kernel},
          {"strategy", of.strategy},
          {"arithmetic", to_string(of.arithmetic)},
          {"reason", of.reason},
          {"isa", to_string(of.isa)},
          {"threads", of.threads},
          {"one_thread_ms", of.one_thread_ms},
          {"gain", of.gain},
          {"bound_gain", of.bound_gain},
          {"pack_ms", of.pack_ms},
          {"copy_ms", of.copy_ms},
          {"packed_copy_ms", of.packed_copy_ms},
          {"new_shape_first_ms", of.new_shape_first_ms},
          {"new_shape_warm_ms", of.new_shape_warm_ms},
          {"packed_bytes", of.packed_bytes},
          {"scratch_bytes", of.scratch_bytes}};
}

void print(const Measurement& of, const Dims& input_shape) {
  const auto line = [](const char* name, const std::string& value) {
    std::cout << std::left << std::setw(11) << name << value << '\n';
  };
  line("input", to_string(input_shape));
  line("kernel", of.kernel + " (strategy " + of.strategy + ", arithmetic " +
                     std::string(to_string(of.arithmetic)) + ")");
  line("because", of.reason);
  line("isa", std::string(to_string(of.isa)) + ", " + std::to_string(of.threads) +
                  (of.threads == 1 ? " thread" : " threads"));
  line("time",
       milliseconds(of.min_ms) + " ms at best, " + milliseconds(of.median_ms) + " ms median");
  line("rate", fixed(of.gflops, 1) + " GFLOP/s, " + percent(of.fraction_of_peak) + " of the " +
                   fixed(of.peak_gflops, 1) + " measured here");
  line("bound", of.bound == Bound::kOverhead
                    ? "overhead: the fixed costs of a call"
                    : std::string(to_string(of.bound)) + ", " + percent(of.fraction_of_bound) +
                          " of what it allows");
  if (of.threads > 1) {
    line("gain", fixed(of.gain, 2) + " times as fast as one thread; the bound " +
                     fixed(of.bound_gain, 2) + " times");
  }
  line("weights",
       milliseconds(of.pack_ms) + " ms to set, " + fixed(of.pack_ms / of.packed_copy_ms, 1) +
           " times a copy of as many bytes; " + std::to_string(of.packed_bytes) + " bytes packed");
  line("new shape", milliseconds(of.new_shape_first_ms) + " ms the first call, " +
                        milliseconds(of.new_shape_warm_ms) + " ms the next");
  line("scratch", std::to_string(of.scratch_bytes) + " bytes");
}

void bench_one(const Options& options, const MeasureOptions& measure_options) {
  const ModelConfig model = read_config(options.config);
  if (model.sequential) {
    fail(options.config + ": layers is a list of " + std::to_string(model.layers.size()) +
         "; bench takes the configuration of one layer");
  }
  const LayerConfig& layer = model.layers.front();
  if (options.input_shape.empty() && !layer.input) {
    fail("--input-shape is missing; it is required, since " + options.config + " has no input");
  }
  const Dims shape = options.input_shape.empty()
                         ? *layer.input
                         : parse_shape(options.input_shape, "--input-shape");
  const Measurement result = measure(layer, shape, measure_options);
  if (options.json) {
    std::cout << to_json(result).dump(1) << '\n';
  } else {
    print(result, shape);
  }
}

void bench_list(const Options& options, const MeasureOptions& measure_options) {
  if (!options.input_shape.empty()) {
    fail("--input-shape is \"" + options.input_shape + "\"; with --layers each layer has its own");
  }
  std::vector<LayerConfig> layers = read_layer_list(options.layers);
  std::size_t width = 5;
  std::string names;
  std::erase_if(layers, [&](const LayerConfig& layer) {
    names += (names.empty() ? "" : ", ") + layer.options.name;
    return !options.only.empty() && layer.options.name != options.only;
  });
  if (layers.empty()) {
    fail("--only is \"" + options.only + "\"; the layers of " + options.layers + " are " + names);
  }
  for (const LayerConfig& layer : layers) {
    if (!layer.input) fail(layer.where + ": input is missing; bench needs it");
    width = std::max(width, layer.options.name.size());
  }

  auto list = nlohmann::ordered_json::array();
  const auto line = [&](const std::string& name, const std::vector<std::string>& values,
                        const std::string& kernel) {
    std::cout << std::left << std::setw(static_cast<int>(width)) << name << std::right;
    for (const std::string& value : values) std::cout << std::setw(11) << value;
    std::cout << "  " << kernel << std::endl;  // a line as soon as it is known
  };
  const bool several = measure_options.threads > 1;
  if (!options.json) {
    std::vector<std::string> titles = {"min ms",   "median ms", "GFLOP/s", "of peak", "bound",
                                       "of bound", "pack ms",   "x copy",  "1st/next"};
    if (several) titles.insert(titles.end(), {"gain", "of bound's"});
    line("layer", titles, "kernel");
  }
  for (const LayerConfig& layer : layers) {
    const Measurement result = measure(layer, *layer.input, measure_options);
    if (options.json) {
      nlohmann::ordered_json entry = {{"name", layer.options.name}};
      entry.update(to_json(result));
      list.push_back(std::move(entry));
    } else {
      std::vector<std::string> values = {
          milliseconds(result.min_ms),
          milliseconds(result.median_ms),
          fixed(result.gflops, 1),
          percent(result.fraction_of_peak),
          std::string(to_string(result.bound)),
          percent(result.fraction_of_bound),
          milliseconds(result.pack_ms),
          fixed(result.pack_ms / result.packed_copy_ms, 1),
          fixed(result.new_shape_first_ms / result.new_shape_warm_ms, 2)};
      if (several) {
        values.insert(values.end(),
                      {fixed(result.gain, 2), percent(result.gain / result.bound_gain)});
      }
      line(layer.options.name, values, result.kernel);
    }
  }
  if (options.json) std::cout << list.dump(1) << '\n';
}

void bench(const Options& options) {
  const MeasureOptions measure_options{.threads = parse_threads(options.threads),
                                       .isa = parse_isa_option(options.isa),
                                       .seconds = parse_seconds(options.seconds)};
  if (options.config.empty() == options.layers.empty()) {
    fail(options.config.empty() ? "--config is missing; it, or --layers, is required"
                                : "--config and --layers are both given; one of them may be");
  }
  if (!options.only.empty() && options.layers.empty()) {
    fail("--only is \"" + options.only + "\"; it may be given with --layers alone");
  }
  if (options.layers.empty()) {
    bench_one(options, measure_options);
  } else {
    bench_list(options, measure_options);
  }
}

}  // namespace

void add_bench_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "bench", "Check a layer's result on an input of that shape, then measure its speed.");
  const auto options = std::make_shared<Options>();
  command->add_option("--config", options->config, "layer.json: the layer");
  command->add_option("--input-shape", options->input_shape,
                      "1,85,85,56: [batch..., spatial..., input_size] (the file's input, if any)");
  command->add_option("--layers", options->layers,
                      "instead of both: a list of layers with their inputs, as bench/layers.json");
  command->add_option("--only", options->only, "with --layers: the layer of this name");
  command->add_option("--threads", options->threads, "threads to use (1)");
  command->add_option("--isa", options->isa, "instruction set to use (the best)");
  command->add_option("--seconds", options->seconds, "most time to repeat one layer (1)");
  command->add_flag("--json", options->json, "print a JSON object, or a list of them");
  command->footer(kBoundRule);
  command->callback([options] { bench(*options); });
}

}  // namespace upconv::tools
