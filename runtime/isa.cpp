// Which kernels may run here: CPUID says what the processor has, XCR0 what the operating system
// saves. Both are needed: a virtual machine may mask the register state and leave the feature bits.
// (Intel SDM volume 1, 13.3 and 15.2.)
#include "upconv/isa.h"

#include <algorithm>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "files.h"
#include "kernel_table.h"
#include "options.h"
#include "upconv/error.h"

namespace upconv {

namespace {

#if defined(__x86_64__)

struct CpuFeatures {
  bool sse41 = false, avx2 = false, avx512 = false;
};

CpuFeatures detect() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  CpuFeatures has;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return has;
  const auto bit = [](unsigned word, int n) { return (word >> n & 1u) != 0; };
  has.sse41 = bit(c, 19);
  // The kernels are compiled for Haswell and Skylake-X, whose scalar code uses BMI, LZCNT and
  // MOVBE.
  const bool avx_fma_f16c = bit(c, 28) && bit(c, 12) && bit(c, 29) && bit(c, 22);
  unsigned xcr0 = 0;
  if (bit(c, 27)) {  // OSXSAVE: xgetbv exists
    unsigned high = 0;
    __asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
  }
  constexpr unsigned kYmm = 0x6;   // XMM and YMM state
  constexpr unsigned kZmm = 0xe6;  // and opmask, upper ZMM, ZMM16-31
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d)) return has;
  const bool lzcnt = bit(c, 5);
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return has;
  const bool bmi = bit(b, 3) && bit(b, 8) && lzcnt;
  has.avx2 = has.sse41 && avx_fma_f16c && bmi && bit(b, 5) && (xcr0 & kYmm) == kYmm;
  const bool f_dq_cd_bw_vl = bit(b, 16) && bit(b, 17) && bit(b, 28) && bit(b, 30) && bit(b, 31);
  has.avx512 = has.avx2 && f_dq_cd_bw_vl && (xcr0 & kZmm) == kZmm;
  return has;
}

bool machine_runs(Isa isa) {
  static const CpuFeatures has = detect();
  switch (isa) {
    case Isa::kSse41:
      return has.sse41;
    case Isa::kAvx2:
      return has.avx2;
    case Isa::kAvx512:
      return has.avx512;
    case Isa::kNeon:
      return false;
  }
  return false;
}

#elif defined(__aarch64__)

bool machine_runs(Isa isa) { return isa == Isa::kNeon; }

#endif

constexpr Isa kAll[] = {Isa::kSse41, Isa::kAvx2, Isa::kAvx512, Isa::kNeon};

std::string join(std::span<const Isa> isas) {
  std::string text;
  for (const Isa isa : isas) {
    if (!text.empty()) text += ", ";
    text += to_string(isa);
  }
  return text;
}

}  // namespace

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::kSse41:
      return "sse41";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
  }
  return "";
}

std::optional<Isa> parse_isa(std::string_view name) {
  for (const Isa isa : kAll) {
    if (to_string(isa) == name) return isa;
  }
  return std::nullopt;
}

const std::vector<Isa>& runnable_isas() {
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> runnable;
    for (const Isa isa : internal::built_isas()) {
      if (machine_runs(isa)) runnable.push_back(isa);
    }
    if (runnable.empty()) {
      throw Error(ErrorKind::kUnsupported,
                  "this machine runs none of the built instruction sets (" +
                      join(internal::built_isas()) + ")");
    }
    return runnable;
  }();
  return isas;
}

void internal::require_runnable(const std::string& what, Isa isa) {
  const std::vector<Isa>& runnable = runnable_isas();
  if (std::find(runnable.begin(), runnable.end(), isa) != runnable.end()) return;
  throw Error(ErrorKind::kUnsupported, what + ": isa is " + std::string(to_string(isa)) +
                                           "; this machine runs " + join(runnable));
}

Isa default_isa() {
  // Read once: a process does not change its mind between two layers. A wrong value throws at every
  // use, since a static that throws is initialised again.
  static const Isa chosen = [] {
    const std::vector<Isa>& runnable = runnable_isas();
    const char* forced = std::getenv("UPCONV_ISA");
    if (forced == nullptr || *forced == '\0') return runnable.back();
    const std::optional<Isa> isa = parse_isa(forced);
    if (isa && std::find(runnable.begin(), runnable.end(), *isa) != runnable.end()) return *isa;
    throw Error(ErrorKind::kInvalidArgument,
                "UPCONV_ISA is \"" + internal::printable(std::string_view(forced)) +
                    "\"; it must be one of " + join(internal::built_isas()) +
                    " (this machine runs " + join(runnable) + ")");
  }();
  return chosen;
}

}  // namespace upconv
