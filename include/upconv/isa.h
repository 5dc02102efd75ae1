// Instruction sets: what this build holds kernels for, what this machine runs, what is forced.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// Instruction-set families, worst to best within an architecture.
enum class Isa {
  kSse41,   ///< x86-64 with SSE4.1: 4 float lanes, no fused multiply-add
  kAvx2,    ///< x86-64 with AVX2, FMA, F16C, BMI1 and 2, LZCNT, MOVBE (Haswell and later): 8 lanes
  kAvx512,  ///< x86-64 with AVX-512 F, CD, VL, DQ and BW (Skylake-X and later): 16 lanes
  kNeon,    ///< AArch64: 4 lanes
};

/// "sse41", "avx2", "avx512", "neon".
std::string_view to_string(Isa isa);

/// The Isa of that name, or nothing.
std::optional<Isa> parse_isa(std::string_view name);

/// The ISAs that this build has kernels for and this machine (processor and operating system, by
/// CPUID and XCR0) can run; worst first, never empty.
const std::vector<Isa>& runnable_isas();

/// The ISA a call uses when it names none: UPCONV_ISA when that is set and not empty (read once, at
/// the first use in the process), else the best runnable one.
/// @throws Error kInvalidArgument when UPCONV_ISA is unknown or not runnable here; the message is
///         `UPCONV_ISA is "avx3"; it must be one of sse41, avx2, avx512 (this machine runs sse41,
///         avx2)`.
Isa default_isa();

}  // namespace upconv::UPCONV_ABI
