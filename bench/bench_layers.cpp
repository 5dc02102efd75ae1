// upconv_bench: Google Benchmark over the layers of bench/layers.json, one thread, each instruction
// set that this machine runs. A result is checked against the definition before it is timed.
//
//   upconv_bench [--layers=FILE] [--benchmark_filter=pose_32/avx2] [--benchmark_... ]
//
// Each is repeated, and the repetitions of all come in random order, so that what slows the machine
// for a while slows no one layer; --benchmark_enable_random_interleaving=false and
// --benchmark_repetitions=1 are quicker.
//
// Counters: GFLOP/s, in 1e9 per second on 2 * prod(input shape) * taps * output_size; of_peak, its
// share of the multiply-add peak of that instruction set, measured beside it.
#include <benchmark/benchmark.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config.h"
#include "upconv/convolution_transpose.h"
#include "upconv/error.h"
#include "upconv/isa.h"
#include "upconv/kernels.h"
#include "verify.h"

namespace {

using upconv::ConvolutionTranspose;
using upconv::Index;
using upconv::Isa;
using upconv::Tensor;
using upconv::tools::LayerConfig;

bool failed = false;  // Google Benchmark does not tell

void fail(benchmark::State& state, const std::string& text) {
  failed = true;
  state.SkipWithError(text.c_str());
}

/// @param checked whether the result was compared before; a repetition need not do it again
void run_layer(benchmark::State& state, const LayerConfig& config, Isa isa,
               const std::shared_ptr<bool>& checked) {
  try {
    const std::unique_ptr<ConvolutionTranspose> layer = upconv::tools::make_layer(config, isa);
    const upconv::Dims& shape = *config.input;
    const upconv::tools::Problem problem = upconv::tools::make_problem(layer->options(), shape);
    upconv::tools::assign(*layer, problem);
    layer->drop_kernel();

    Tensor output(layer->dtype(), layer->output_shape(shape));
    Tensor scratch(upconv::DType::kFloat64,
                   {static_cast<Index>(layer->scratch_bytes(shape) / sizeof(double) + 1)});
    const upconv::CallOptions options{.scratch = std::as_writable_bytes(scratch.values<double>())};
    (*layer)(problem.input, output.view(), options);
    if (!std::exchange(*checked, true)) {
      const auto difference = upconv::tools::find_difference(layer->options(), problem, output);
      if (difference) return fail(state, *difference);
    }

    const double peak = upconv::measure_peak_gflops(isa, layer->dtype());
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    for (auto _ : state) (*layer)(problem.input, output.view(), options);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

    const double operations = upconv::tools::count_operations(layer->options(), shape).all;
    const double gflops = operations * static_cast<double>(state.iterations()) / seconds / 1e9;
    state.counters["GFLOP/s"] = gflops;
    state.counters["of_peak"] = gflops / peak;
    state.SetLabel(layer->kernel_choice(shape).kernel);
  } catch (const upconv::Error& error) {
    fail(state, error.what());
  }
}

/// Takes --layers=FILE off the arguments.
std::string take_layers(int& argc, char** argv) {
  constexpr std::string_view kOption = "--layers=";
  std::string path = UPCONV_LAYERS;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(kOption)) {
      path = argument.substr(kOption.size());
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return path;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string path = take_layers(argc, argv);
    const std::vector<LayerConfig> layers = upconv::tools::read_layer_list(path);
    for (const LayerConfig& layer : layers) {
      if (!layer.input) continue;
      for (const Isa isa : upconv::runnable_isas()) {
        const std::string name = layer.options.name + "/" + std::string(to_string(isa));
        benchmark::RegisterBenchmark(name.c_str(), run_layer, layer, isa,
                                     std::make_shared<bool>(false))
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
    }
    // Our defaults before what was given: of two options of one name the later counts.
    std::vector<std::string> texts = {argv[0], "--benchmark_enable_random_interleaving=true",
                                      "--benchmark_repetitions=3", "--benchmark_min_time=0.2",
                                      "--benchmark_report_aggregates_only=true"};
    texts.insert(texts.end(), argv + 1, argv + argc);
    std::vector<char*> arguments;
    arguments.reserve(texts.size());
    for (std::string& text : texts) arguments.push_back(text.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return failed ? 1 : 0;
  } catch (const upconv::Error& error) {
    std::cerr << "upconv_bench: error: " << error.what() << '\n';
    return 2;
  }
}
