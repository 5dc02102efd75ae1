// How fast a layer runs, and what bounds it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "config.h"
#include "upconv/isa.h"
#include "upconv/tensor.h"

namespace upconv::tools {

/// What a layer can be held back by.
enum class Bound {
  kCompute,   ///< multiply-adds
  kMemory,    ///< reading input and weights, writing the output
  kBoth,      ///< the two, within 20% of each other
  kOverhead,  ///< neither: the call is so short that its fixed costs are most of it
};

/// "compute", "memory", "both", "overhead".
std::string_view to_string(Bound bound);

/// The words for it that the command prints in its help.
inline constexpr const char* kBoundRule =
    "compute time: operations that reach the output / measured multiply-add peak.\n"
    "memory time: bytes of input, output and the weights that reach it / measured rate of reading\n"
    "and writing buffers of the same sizes. The longer of the two is the bound, \"both\" when they "
    "are within\n"
    "20% of each other, and its share of the measured time is fraction_of_bound. When that is\n"
    "below a half and the call takes less than 10 us, or 50 us on several threads, the bound is\n"
    "\"overhead\" instead: the fixed costs of a call.";

struct Measurement {
  double min_ms = 0;
  double median_ms = 0;
  double gflops = 0;  ///< 1e9 per second, on 2 * prod(input shape) * taps * output_size
  double peak_gflops = 0;
  double fraction_of_peak = 0;
  Bound bound = Bound::kOverhead;
  double fraction_of_bound = 0;
  std::string kernel;
  std::string strategy;
  Arithmetic arithmetic{};  ///< what that strategy computes with
  std::string reason;       ///< why that strategy
  Isa isa{};
  int threads = 1;
  double one_thread_ms = 0;       ///< the best call on one thread, measured in turn with `threads`
  double gain = 1;                ///< one_thread_ms / min_ms
  double bound_gain = 1;          ///< the bound's time on one thread / on `threads`
  double pack_ms = 0;             ///< setting the kernel: a copy and the packing
  double copy_ms = 0;             ///< reading and writing the kernel once: its copy into new memory
  double packed_copy_ms = 0;      ///< reading it, and writing as many bytes as are packed, likewise
  double new_shape_first_ms = 0;  ///< the first call with every extent one longer ...
  double new_shape_warm_ms = 0;   ///< ... and the best of the next three
  std::size_t packed_bytes = 0;
  std::size_t scratch_bytes = 0;
};

struct MeasureOptions {
  int threads = 1;
  std::optional<Isa> isa;
  double seconds = 1;  ///< most time to repeat the call
};

/// Runs a layer on an input shape: checks the result, then times it, until the best and the third
/// best time differ by less than 3%, or for so many seconds.
/// @throws CheckFailed when the result is wrong, else as ConvolutionTranspose.
Measurement measure(const LayerConfig& config, const Dims& input_shape,
                    const MeasureOptions& options);

}  // namespace upconv::tools
