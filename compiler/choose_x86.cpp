// NAME_isa of a library for several instruction sets: compiled when upconvc is, and put into such
// libraries as it is, under their names. It calls nothing.
#include "x86_features.h"

/// The best instruction set of this machine, as RunIsa of choose.h; 0 for none.
extern "C" int upconvc_isa() {
  // CPUID takes a microsecond or more in a virtual machine. Threads that race store the same.
  static int found = -1;
  int isa = __atomic_load_n(&found, __ATOMIC_RELAXED);
  if (isa < 0) {
    const upconv::internal::X86Features has = upconv::internal::x86_features();
    isa = has.avx512 ? 3 : has.avx2 ? 2 : has.sse41 ? 1 : 0;
    __atomic_store_n(&found, isa, __ATOMIC_RELAXED);
  }
  return isa;
}
