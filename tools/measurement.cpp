#include "measurement.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "commands.h"
#include "upconv/error.h"
#include "upconv/executor.h"
#include "upconv/kernels.h"
#include "verify.h"

namespace upconv::tools {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Times {
  double min = 0;
  double median = 0;
};

/// Times a call. One sample is so many calls that the clock's own cost does not show.
template <typename Call>
Times time(const Call& call, double most_seconds) {
  constexpr double kSampleSeconds = 100e-6;
  constexpr std::size_t kFewest = 5;
  constexpr double kAlike = 1.03;
  std::int64_t calls = 1;
  while (true) {
    const Clock::time_point start = Clock::now();
    for (std::int64_t i = 0; i < calls; ++i) call();
    const double seconds = seconds_since(start);
    if (seconds >= kSampleSeconds) break;
    calls *= 2;
  }
  std::vector<double> samples;
  const Clock::time_point begin = Clock::now();
  while (true) {
    const Clock::time_point start = Clock::now();
    for (std::int64_t i = 0; i < calls; ++i) call();
    samples.push_back(seconds_since(start) / static_cast<double>(calls));
    if (samples.size() < kFewest) continue;
    const double elapsed = seconds_since(begin);
    if (elapsed >= most_seconds) break;
    // A short call is settled only after a part of the time: clocks need it to rise.
    if (elapsed < most_seconds / 5) continue;
    std::nth_element(samples.begin(), samples.begin() + 2, samples.end());
    const double best = *std::min_element(samples.begin(), samples.begin() + 3);
    if (samples[2] < kAlike * best) break;
  }
  std::sort(samples.begin(), samples.end());
  return {samples.front(), samples[samples.size() / 2]};
}

}  // namespace

std::string_view to_string(Bound bound) {
  switch (bound) {
    case Bound::kCompute:
      return "compute";
    case Bound::kMemory:
      return "memory";
    case Bound::kOverhead:
      break;
  }
  return "overhead";
}

Measurement measure(const LayerConfig& config, const Dims& input_shape,
                    const MeasureOptions& options) {
  LayerConfig told = config;  // what it will be called with, as a program would say
  told.input = input_shape;
  const std::unique_ptr<ConvolutionTranspose> layer = make_layer(told, options.isa);
  const ConvolutionTransposeOptions& of = layer->options();
  Tensor output(of.dtype, layer->output_shape(input_shape));
  const Problem problem = make_problem(of, input_shape);

  Measurement result;
  result.threads = options.threads;
  const KernelChoice choice = layer->kernel_choice(input_shape);
  result.kernel = choice.kernel;
  result.strategy = choice.strategy;
  result.arithmetic = choice.arithmetic;
  result.isa = choice.isa;

  double pack = 0;
  constexpr int kPacks = 3;
  for (int i = 0; i < kPacks; ++i) {
    const Clock::time_point start = Clock::now();
    layer->kernel().assign(problem.kernel);
    const double seconds = seconds_since(start);
    pack = i == 0 ? seconds : std::min(pack, seconds);
  }
  result.pack_ms = pack * 1e3;
  assign(*layer, problem);
  result.packed_bytes = layer->packed_bytes();
  result.scratch_bytes = layer->scratch_bytes(input_shape, options.threads);

  // One thread is a plain call; more are kept ready, as a program would.
  std::unique_ptr<ThreadPool> pool;
  if (options.threads > 1) pool = std::make_unique<ThreadPool>(options.threads);
  Tensor scratch(DType::kFloat64, {static_cast<Index>(result.scratch_bytes / sizeof(double) + 1)});
  const CallOptions call_options{
      .threads = options.threads,
      .executor = pool.get(),
      .scratch = std::as_writable_bytes(scratch.values<double>()),
  };
  const auto call = [&] { (*layer)(problem.input, output.view(), call_options); };
  call();
  ConvolutionTransposeOptions used = of;
  used.arithmetic = choice.arithmetic;
  if (const auto difference = find_difference(used, problem, output)) {
    throw CheckFailed(config.where + ": " + *difference + " (kernel " + choice.kernel + ")");
  }

  // The peak before and after, so that a clock that changes in between does not flatter.
  const double peak_before = measure_peak_gflops(result.isa, of.dtype, options.threads);
  const Times times = time(call, options.seconds);
  const double peak_after = measure_peak_gflops(result.isa, of.dtype, options.threads);

  const std::size_t read_bytes =
      static_cast<std::size_t>(problem.input.size() + problem.kernel.size()) * size_of(of.dtype);
  const std::size_t write_bytes = static_cast<std::size_t>(output.size()) * size_of(of.dtype);
  const double bandwidth = measure_bandwidth_gbs(read_bytes, write_bytes, options.threads);
  const Operations operations = count_operations(of, input_shape);

  result.min_ms = times.min * 1e3;
  result.median_ms = times.median * 1e3;
  result.gflops = operations.all / times.min / 1e9;
  result.peak_gflops = std::max(peak_before, peak_after);
  result.fraction_of_peak = result.gflops / result.peak_gflops;
  const double compute_time = operations.in_window / result.peak_gflops / 1e9;
  const double memory_time = static_cast<double>(read_bytes + write_bytes) / bandwidth / 1e9;
  const double bound_time = std::max(compute_time, memory_time);
  result.fraction_of_bound = bound_time / times.min;
  result.bound = compute_time >= memory_time ? Bound::kCompute : Bound::kMemory;
  const double short_call = options.threads == 1 ? 10e-6 : 50e-6;  // as kBoundRule says
  if (times.min < short_call && result.fraction_of_bound < 0.5) result.bound = Bound::kOverhead;
  return result;
}

}  // namespace upconv::tools
