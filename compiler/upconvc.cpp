// upconvc: a layer, or several, as static libraries for one or more targets.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "autoschedule.h"
#include "choose.h"
#include "compile.h"
#include "guarded.h"
#include "input.h"
#include "numbers.h"
#include "plan.h"
#include "program.h"
#include "targets.h"
#include "upconv/error.h"
#include "upconv/version.h"

namespace {

namespace fs = std::filesystem;
using namespace upconv;
using namespace upconv::compiler;
using tools::parse;
using tools::refuse;

struct Options {
  std::string config, weights, name, output, shape, tile, strategy, autoscheduler;
  std::vector<std::string> targets, emit;
};

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

/// A folder beside the results that is gone when all is done, or when something failed.
class Workplace {
 public:
  explicit Workplace(const fs::path& output)
      : output_(output), path_(output / (".upconvc-" + std::to_string(::getpid()))) {
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
    fs::remove(output_, ignored);  // when it is empty: nothing was made
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path output_, path_;
};

/// Compiles all layers for one target into a folder; several that run one after the other also as
/// one, under the name `chain`.
void compile_for(const std::string& name, std::vector<std::vector<LayerPlan>> layers,
                 const std::optional<std::string>& chain, const fs::path& prefix,
                 const std::set<Emit>& emit, const std::vector<std::string>& command) {
  fs::create_directories(prefix);
  std::vector<fs::path> objects;
  for (std::vector<LayerPlan>& variants : layers) {
    if (::isatty(STDERR_FILENO) != 0) {
      std::cerr << "upconvc: compiling " << variants.front().spec.name << " for " << name << "\n";
    }
    for (fs::path& object : compile_layer(variants, prefix, emit, command)) {
      objects.push_back(std::move(object));
    }
  }
  if (chain) compile_chain({.name = *chain, .layers = layers}, objects, prefix, command);
  fs::remove_all(prefix / "objects");
}

/// @return exit status
int compile(const Options& options, const std::vector<std::string>& command) {
  const std::set<Emit> emit = parse_emit(options.emit);
  const std::vector<std::string>& strategies = strategy_names();
  if (!options.strategy.empty() &&
      std::find(strategies.begin(), strategies.end(), options.strategy) == strategies.end()) {
    std::string rule;
    for (const std::string& name : strategies) {
      rule += (rule.empty() ? "" : &name == &strategies.back() ? " or " : ", ") + name;
    }
    refuse("--strategy", options.strategy, rule);
  }
  if (!options.autoscheduler.empty() && !(options.strategy + options.tile).empty()) {
    refuse("--autoscheduler", options.autoscheduler,
           "alone: it decides what --strategy and --tile would");
  }
  const Layers read = read_layers({.model = options.config,
                                   .weights = options.weights,
                                   .name = options.name,
                                   .shape = options.shape});
  std::optional<std::string> chain;
  if (read.chained && read.layers.size() > 1) chain = options.name;
  // Every mistake is found before anything is compiled.
  std::map<std::string, std::vector<std::vector<LayerPlan>>> targets;
  for (const std::string& name : options.targets) {
    std::vector<std::vector<LayerPlan>>& plans = targets[name];
    plans.clear();
    const std::vector<std::string> parts = split_targets(name);
    for (const LayerSpec& layer : read.layers) {
      std::vector<LayerPlan>& variants = plans.emplace_back();
      for (const std::string& part : parts) {
        const TargetInfo target = find_target(part, layer.dtype());
        if (!options.autoscheduler.empty()) check_autoscheduler(options.autoscheduler, target);
        variants.push_back(make_plan(layer, target,
                                     {.tile = parse_tile(options.tile, target.tiles),
                                      .strategy = options.strategy,
                                      .autoscheduler = options.autoscheduler}));
      }
    }
  }
  const fs::path output = options.output;
  const HeldSignals held;
  try {
    const Workplace workplace(output);
    const int status = run_guarded([&] {
      return tools::run_program("upconvc", [&] {
        for (const auto& [name, plans] : targets) {
          compile_for(name, plans, chain, workplace.path() / name, emit, command);
        }
        return tools::kDone;
      });
    });
    if (status != tools::kDone) return status;  // it has said why
    for (const auto& [name, plans] : targets) {
      if (fs::exists(output / name)) fs::rename(output / name, workplace.path() / (name + ".old"));
      fs::rename(workplace.path() / name, output / name);
      std::cout << (output / name).string() << "\n";
    }
  } catch (const Interrupted& interrupted) {
    end_by(interrupted.signal);  // the workplace is gone
  }
  return tools::kDone;
}

/// Halide's errors as ours; its warnings (emulated types, say) are of no use to who compiles a
/// layer.
class Reporter final : public Halide::CompileTimeErrorReporter {
 public:
  void warning(const char* /*text*/) override {}
  void error(const char* text) override { throw Error(ErrorKind::kUnsupported, text); }
};

int run(int argc, const char* const* argv) {
  CLI::App app("Compiles a transposed convolution to a static library.", "upconvc");
  Options options;
  app.set_version_flag("--version", "upconvc " UPCONV_VERSION);
  app.add_option("config", options.config,
                 "layer.json: a layer or a list of layers; or an ONNX model")
      ->required();
  app.add_option("--weights", options.weights,
                 "w.npz: kernel and bias become constants (else the caller packs them)");
  app.add_option("--target", options.targets, "what to compile for; may be given several times")
      ->required();
  app.add_option("--name", options.name, "what all names in the header begin with")->required();
  app.add_option("-o,--output", options.output, "folder: gets a folder for each target")
      ->required();
  app.add_option("--input-shape", options.shape,
                 "1,16,16,128: [images, spatial..., channels]; ? is an argument of the call (all), "
                 "64? one of at most 64");
  app.add_option(
      "--strategy", options.strategy,
      "wide; combined: phases become channels; narrow: vectors along outputs; scatter: products of "
      "all taps, added; or winograd: transforms (by the layer)");
  app.add_option("--tile", options.tile, "PIXELSxVECTORS: the register tile (by the channels)");
  app.add_option("--autoscheduler", options.autoscheduler,
                 "adams2019, li2018 or mullapudi2016: schedules the layer, of constant extents "
                 "(anderson2021 schedules for GPUs, and upconvc makes no code for them)");
  app.add_option("--emit", options.emit, "stmt, asm, llvm, html: also write that")->delimiter(',');
  std::string footer =
      "Exit status: 0 done; 2 a mistake in usage, configuration, shape or value; "
      "1 all else.\nTargets:";
  for (const auto& [name, halide] : target_names()) footer += "\n  " + name + " = " + halide;
  app.footer(footer +
             "\nor any that Halide knows, in its words; sse41+avx2+avx512 is a library that "
             "chooses when it "
             "runs.");
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
  return compile(options, command);
}

}  // namespace

int main(int argc, char** argv) {
  return upconv::tools::run_program("upconvc", [&] { return run(argc, argv); });
}
