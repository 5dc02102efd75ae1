// upconvc: a layer, or several, as static libraries for one or more targets.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compile.h"
#include "config.h"
#include "plan.h"
#include "program.h"
#include "targets.h"
#include "upconv/error.h"

namespace {

namespace fs = std::filesystem;
using namespace upconv;
using namespace upconv::compiler;

struct Options {
  std::string config, weights, name, output, shape, tile, strategy;
  std::vector<std::string> targets, emit;
};

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& rule) {
  throw Error(ErrorKind::kInvalidArgument, option + " is \"" + text + "\"; it must be " + rule);
}

template <typename T>
bool parse(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end;
}

/// `1,16,?,128`: images, extents, channels; ? is an argument of the call.
void parse_shape(const std::string& text, LayerSpec& spec) {
  const auto rank = static_cast<std::size_t>(spec.rank());
  const std::string rule = "the images, " + std::to_string(rank) +
                           " extents and the input channels, with commas between, each at least 1 "
                           "or ? for an argument of the call, as in 1,16,?," +
                           std::to_string(spec.checked.options.input_size);
  std::vector<std::optional<Index>> values;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    Index value = 0;
    if (part == "?") {
      values.emplace_back();
    } else if (parse(part, value) && value >= 1) {
      values.emplace_back(value);
    } else {
      refuse("--input-shape", text, rule);
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (values.size() != rank + 2) refuse("--input-shape", text, rule);
  if (values.back() && *values.back() != spec.checked.options.input_size) {
    refuse("--input-shape", text, rule);
  }
  spec.images = values.front();
  spec.extents.assign(values.begin() + 1, values.end() - 1);
}

/// `12x2`: a tile of 12 pixels and 2 vectors, as kernels are named.
std::optional<TileRow> parse_tile(const std::string& text, const std::vector<TileRow>& known) {
  if (text.empty()) return std::nullopt;
  const std::size_t cross = text.find('x');
  TileRow row;
  int pixels = 0;
  const std::string rule = "PIXELSxVECTORS, as in 12x2, each from 1 to 32";
  if (cross == std::string::npos || !parse(std::string_view(text).substr(0, cross), pixels) ||
      !parse(std::string_view(text).substr(cross + 1), row.vectors) || pixels < 1 ||
      row.vectors < 1 || pixels > 32 || row.vectors > 32) {
    refuse("--tile", text, rule);
  }
  row.unroll = known.front().unroll;
  row.cost = row.vectors;
  for (int height = pixels; height > 1; height = (height + 1) / 2) row.heights.push_back(height);
  row.heights.push_back(1);
  return row;
}

std::set<Emit> parse_emit(const std::vector<std::string>& words) {
  const std::vector<std::pair<std::string, Emit>> known = {{"stmt", Emit::kStmt},
                                                           {"asm", Emit::kAssembly},
                                                           {"llvm", Emit::kLlvm},
                                                           {"html", Emit::kHtml}};
  std::set<Emit> emit;
  for (const std::string& word : words) {
    bool found = false;
    for (const auto& [name, what] : known) {
      if (word == name) emit.insert(what);
      found = found || word == name;
    }
    if (!found) refuse("--emit", word, "stmt, asm, llvm or html");
  }
  return emit;
}

void check_name(const std::string& name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  bool right = !name.empty() && letter(name.front());
  for (const char c : name) right = right && (letter(c) || (c >= '0' && c <= '9'));
  if (!right) refuse("--name", name, "a C identifier: letters, digits and _, no digit first");
}

LayerSpec read_spec(const Options& options) {
  const tools::ModelConfig config = tools::read_config(options.config);
  if (config.sequential) {
    throw Error(ErrorKind::kUnsupported,
                options.config + ": it is a list of layers; upconvc compiles one layer at a time");
  }
  const tools::LayerConfig& layer = config.layers.front();
  // Made for its checks, and to read the weights as every tool does.
  const std::unique_ptr<ConvolutionTranspose> made = tools::make_layer(layer);
  LayerSpec spec{.name = options.name, .checked = internal::check_options(layer.options)};
  if (!options.weights.empty()) {
    made->load(options.weights);
    spec.kernel = made->kernel().value();
    if (made->has_bias()) spec.bias = made->bias().value();
  }
  spec.extents.resize(static_cast<std::size_t>(spec.rank()));
  if (!options.shape.empty()) parse_shape(options.shape, spec);
  return spec;
}

/// A folder beside the results that is gone when all is done, or when something failed.
class Workplace {
 public:
  explicit Workplace(const fs::path& output)
      : path_(output / (".upconvc-" + std::to_string(::getpid()))) {
    std::error_code code;
    fs::create_directories(path_, code);
    if (code) {
      throw Error(ErrorKind::kIo, output.string() + ": cannot be written: " + code.message());
    }
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void compile(const Options& options, const std::vector<std::string>& command) {
  check_name(options.name);
  const std::set<Emit> emit = parse_emit(options.emit);
  const std::vector<std::string>& strategies = strategy_names();
  if (!options.strategy.empty() &&
      std::find(strategies.begin(), strategies.end(), options.strategy) == strategies.end()) {
    refuse("--strategy", options.strategy, strategies[0] + " or " + strategies[1]);
  }
  const LayerSpec spec = read_spec(options);
  std::vector<LayerPlan> plans;  // every mistake is found before anything is compiled
  for (const std::string& name : options.targets) {
    const TargetInfo target = find_target(name, spec.dtype());
    plans.push_back(
        make_plan(spec, target, parse_tile(options.tile, target.tiles), options.strategy));
  }
  const fs::path output = options.output;
  const Workplace workplace(output);
  for (const LayerPlan& plan : plans) {
    if (::isatty(STDERR_FILENO) != 0) {
      std::cerr << "upconvc: compiling " << spec.name << " for " << plan.target.name << "\n";
    }
    const fs::path prefix = workplace.path() / plan.target.name;
    fs::create_directories(prefix);
    compile_layer(plan, prefix, emit, command);
  }
  for (const LayerPlan& plan : plans) {
    const fs::path target = output / plan.target.name;
    if (fs::exists(target)) fs::rename(target, workplace.path() / (plan.target.name + ".old"));
    fs::rename(workplace.path() / plan.target.name, target);
    std::cout << target.string() << "\n";
  }
}

/// Halide's errors as ours; its warnings (emulated types, say) are of no use to who compiles a layer.
class Reporter final : public Halide::CompileTimeErrorReporter {
 public:
  void warning(const char* /*text*/) override {}
  void error(const char* text) override { throw Error(ErrorKind::kUnsupported, text); }
};

int run(int argc, const char* const* argv) {
  CLI::App app("Compiles a transposed convolution to a static library.", "upconvc");
  Options options;
  app.set_version_flag("--version", "upconvc " UPCONV_VERSION);
  app.add_option("config", options.config, "layer.json: the layer")->required();
  app.add_option("--weights", options.weights,
                 "w.npz: kernel and bias become constants (else the caller packs them)");
  app.add_option("--target", options.targets, "what to compile for; may be given several times")
      ->required();
  app.add_option("--name", options.name, "what all names in the header begin with")->required();
  app.add_option("-o,--output", options.output, "folder: gets a folder for each target")
      ->required();
  app.add_option("--input-shape", options.shape,
                 "1,16,16,128: [images, spatial..., channels]; ? is an argument of the call (all)");
  app.add_option("--strategy", options.strategy,
                 "wide, or combined: phases become channels (by the layer)");
  app.add_option("--tile", options.tile, "PIXELSxVECTORS: the register tile (by the channels)");
  app.add_option("--emit", options.emit, "stmt, asm, llvm, html: also write that")->delimiter(',');
  std::string footer =
      "Exit status: 0 done; 2 a mistake in usage, configuration, shape or value; "
      "1 all else.\nTargets:";
  for (const auto& [name, halide] : target_names()) footer += "\n  " + name + " = " + halide;
  app.footer(footer + "\nor any that Halide knows, in its words.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return tools::kDone;
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << '\n';
    return tools::kDone;
  } catch (const CLI::ParseError& error) {
    return tools::report("upconvc", std::string(error.what()) + "; see upconvc --help",
                         tools::kUsage);
  }
  std::vector<std::string> command(argv, argv + argc);
  command.front() = "upconvc";
  Reporter reporter;
  Halide::set_custom_compile_time_error_reporter(&reporter);
  compile(options, command);
  return tools::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  return upconv::tools::run_program("upconvc", [&] { return run(argc, argv); });
}
