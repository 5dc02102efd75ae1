// What an x86-64 processor has and its operating system saves, for the library and for what upconvc
// makes. It needs no library.
#pragma once

#include <cpuid.h>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI::internal {

struct X86Features {
  bool sse41 = false, avx2 = false, avx512 = false;
};

/// CPUID says what the processor has, XCR0 what the operating system saves. Both are needed: a
/// virtual machine may mask the register state and leave the feature bits.
/// (Intel SDM volume 1, 13.3 and 15.2.)
inline X86Features x86_features() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  X86Features has;
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

}  // namespace upconv::UPCONV_ABI::internal
