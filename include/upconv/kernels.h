// What kernels this build holds.
#pragma once

#include <string>
#include <vector>

#include "upconv/dtype.h"
#include "upconv/isa.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// One row of the table of kernels.
struct KernelInfo {
  std::string name;      ///< "wide_float32_avx2_4x3": strategy, dtype, ISA, pixels x vectors
  std::string strategy;  ///< "wide", "epilogue" ...
  /// Highest rank it serves; every kernel serves all ranks from 1 to this.
  int rank;
  DType dtype;
  Isa isa;
  bool runnable;  ///< on this machine
};

/// Every kernel in this build, in the table's order.
std::vector<KernelInfo> kernel_infos();

/// Measures the machine's multiply-add rate for an ISA and dtype with a register-only loop, on
/// `threads` threads at once. @return multiply-adds counted twice, in 1e9 per second.
/// @throws Error kInvalidArgument when the ISA is not runnable here.
double measure_peak_gflops(Isa isa, DType dtype, int threads = 1);

/// Measures the rate of a loop that reads `read_bytes` and writes `write_bytes`, in 1e9 bytes per
/// second, on `threads` threads at once.
double measure_bandwidth_gbs(std::size_t read_bytes, std::size_t write_bytes, int threads = 1);

}  // namespace upconv::UPCONV_ABI
