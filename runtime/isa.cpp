// Which kernels may run here.
#include "upconv/isa.h"

#include <algorithm>
#include <cstdlib>

#include "files.h"
#include "kernel_table.h"
#include "options.h"
#include "strategy.h"
#include "upconv/error.h"

#if defined(__x86_64__)
#include "x86_features.h"
#endif

namespace upconv::UPCONV_ABI {

namespace {

#if defined(__x86_64__)

bool machine_runs(Isa isa) {
  static const internal::X86Features has = internal::x86_features();
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

/// 512-bit operations are done in two halves. So does Zen 4, which of AMD's family 19h is what has
/// AVX-512 (AMD, Software Optimization Guide for the AMD Zen4 Microarchitecture, 2.11).
bool halves_avx512() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || c != signature_AMD_ecx ||
      d != signature_AMD_edx || !__get_cpuid(1, &a, &b, &c, &d)) {
    return false;
  }
  constexpr unsigned kExtended = 0xf;  // a family of 15 is continued in another field
  return (a >> 8 & 0xf) == kExtended && (a >> 20 & 0xff) + kExtended == 0x19;
}

double machine_vector_time(Isa isa) {
  static const bool halves = halves_avx512();
  return isa == Isa::kAvx512 && halves ? 2 : 1;
}

#elif defined(__aarch64__)

double machine_vector_time(Isa) { return 1; }

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

double internal::vector_time(Isa isa) { return machine_vector_time(isa); }

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

}  // namespace upconv::UPCONV_ABI
