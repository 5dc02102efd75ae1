#include "measurement.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

/// The best of some runs of a function that is not repeated within a run.
template <typename Function>
double best_seconds(int runs, const Function& function) {
  double best = 0;
  for (int i = 0; i < runs; ++i) {
    const Clock::time_point start = Clock::now();
    function();
    const double seconds = seconds_since(start);
    best = i == 0 ? seconds : std::min(best, seconds);
  }
  return best;
}

/// Seconds of calls.
class Times {
 public:
  void add(const std::vector<double>& samples) {
    samples_.insert(samples_.end(), samples.begin(), samples.end());
    std::sort(samples_.begin(), samples_.end());
  }
  double min() const { return samples_.front(); }
  double median() const { return samples_[samples_.size() / 2]; }

 private:
  std::vector<double> samples_;
};

/// Times a call. One sample is so many calls that the clock's own cost does not show.
template <typename Call>
std::vector<double> sample(const Call& call, double most_seconds) {
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
  return samples;
}

/// Scratch for a call on inputs of that shape, as a program that calls often would hold it.
Tensor scratch_for(const ConvolutionTranspose& layer, const Dims& input_shape, int threads) {
  const std::size_t bytes = layer.scratch_bytes(input_shape, threads);
  return Tensor(DType::kFloat64, {static_cast<Index>(bytes / sizeof(double) + 1)});
}

/// Reads a tensor, again and again, until so many bytes of new memory are written.
void copy_to_fill(const Tensor& from, std::size_t bytes) {
  Tensor to(DType::kFloat32, {static_cast<Index>(bytes / sizeof(float))});
  const std::size_t size = static_cast<std::size_t>(from.size()) * size_of(from.dtype());
  auto* at = static_cast<std::byte*>(to.data());
  for (std::size_t done = 0; done < bytes; done += size) {
    std::memcpy(at + done, from.data(), std::min(size, bytes - done));
  }
  // So that the compiler takes the copy for used.
  asm volatile("" : : "r"(to.data()) : "memory");
}

/// The first call on a shape that the layer has not seen, and warm ones.
void measure_new_shape(const ConvolutionTranspose& layer, const Dims& input_shape,
                       CallOptions call_options, Measurement& result) {
  Dims shape = input_shape;
  const auto rank = static_cast<std::size_t>(layer.options().rank);
  for (std::size_t axis = shape.size() - 1 - rank; axis + 1 < shape.size(); ++axis) ++shape[axis];
  const Tensor input = Tensor::zeros(layer.dtype(), shape);
  Tensor output = Tensor::zeros(layer.dtype(), layer.output_shape(shape));
  Tensor scratch = scratch_for(layer, shape, call_options.threads);
  call_options.scratch = std::as_writable_bytes(scratch.values<double>());
  const auto call = [&] { layer(input, output.view(), call_options); };
  result.new_shape_first_ms = best_seconds(1, call) * 1e3;
  result.new_shape_warm_ms = best_seconds(3, call) * 1e3;
}

/// What was measured on so many threads.
struct Side {
  int threads = 1;
  double peak_gflops = 0;
  Times times{};
};

/// What a call cannot be faster than.
struct Limits {
  double compute_time = 0;
  double memory_time = 0;

  double time() const { return std::max(compute_time, memory_time); }
};

/// Multiply-adds and bytes of a call.
struct Load {
  double operations = 0;  ///< that reach the output
  std::size_t read_bytes = 0;
  std::size_t write_bytes = 0;

  Limits limits(const Side& side) const {
    const double bandwidth = measure_bandwidth_gbs(read_bytes, write_bytes, side.threads);
    return {operations / side.peak_gflops / 1e9,
            static_cast<double>(read_bytes + write_bytes) / bandwidth / 1e9};
  }
};

/// What the two limits make of a call.
void judge(const Limits& limits, double time, Measurement& result) {
  constexpr double kAlike = 0.8;
  result.fraction_of_bound = limits.time() / time;
  result.bound = limits.compute_time >= limits.memory_time ? Bound::kCompute : Bound::kMemory;
  if (std::min(limits.compute_time, limits.memory_time) > kAlike * limits.time()) {
    result.bound = Bound::kBoth;
  }
  const double short_call = result.threads == 1 ? 10e-6 : 50e-6;  // as kBoundRule says
  if (time < short_call && result.fraction_of_bound < 0.5) result.bound = Bound::kOverhead;
}

}  // namespace

std::string_view to_string(Bound bound) {
  switch (bound) {
    case Bound::kCompute:
      return "compute";
    case Bound::kMemory:
      return "memory";
    case Bound::kBoth:
      return "both";
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
  result.reason = choice.reason;
  result.isa = choice.isa;

  // The first ones also get memory from the system, which a program's later ones do not.
  constexpr int kPacks = 8;
  result.pack_ms = best_seconds(kPacks, [&] { layer->kernel().assign(problem.kernel); }) * 1e3;
  result.copy_ms = best_seconds(kPacks, [&] { const Tensor copy(problem.kernel); }) * 1e3;
  assign(*layer, problem);
  result.packed_bytes = layer->packed_bytes();
  result.packed_copy_ms =
      best_seconds(kPacks, [&] { copy_to_fill(problem.kernel, result.packed_bytes); }) * 1e3;
  result.scratch_bytes = layer->scratch_bytes(input_shape, options.threads);

  // One thread is a plain call; more are kept ready, as a program would.
  std::unique_ptr<ThreadPool> pool;
  if (options.threads > 1) pool = std::make_unique<ThreadPool>(options.threads);
  Tensor scratch = scratch_for(*layer, input_shape, options.threads);
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

  // Several threads in turn with one, so that both meet the machine in the same states.
  std::vector<Side> sides = {{.threads = options.threads}};
  if (options.threads > 1) sides.push_back({.threads = 1});
  const int turns = options.threads > 1 ? 8 : 1;
  // Peaks before and after, so that a clock that changes in between does not flatter.
  const auto measure_peaks = [&] {
    for (Side& side : sides) {
      side.peak_gflops =
          std::max(side.peak_gflops, measure_peak_gflops(result.isa, of.dtype, side.threads));
    }
  };
  measure_peaks();
  for (int turn = 0; turn < turns; ++turn) {
    for (Side& side : sides) {
      CallOptions side_options = call_options;
      side_options.threads = side.threads;
      side.times.add(sample([&] { (*layer)(problem.input, output.view(), side_options); },
                            options.seconds / turns));
    }
  }
  measure_peaks();

  const Operations operations = count_operations(of, input_shape);
  const Load load = {operations.in_window, bytes_to_read(operations, problem.input, problem.kernel),
                     static_cast<std::size_t>(output.size()) * size_of(of.dtype)};
  const Side &asked = sides.front(), &alone = sides.back();
  const Limits limits = load.limits(asked);

  result.min_ms = asked.times.min() * 1e3;
  result.median_ms = asked.times.median() * 1e3;
  result.gflops = operations.all / asked.times.min() / 1e9;
  result.peak_gflops = asked.peak_gflops;
  result.fraction_of_peak = result.gflops / result.peak_gflops;
  judge(limits, asked.times.min(), result);
  result.one_thread_ms = alone.times.min() * 1e3;
  result.gain = result.one_thread_ms / result.min_ms;
  if (options.threads > 1) result.bound_gain = load.limits(alone).time() / limits.time();
  measure_new_shape(*layer, input_shape, call_options, result);
  return result;
}

}  // namespace upconv::tools
