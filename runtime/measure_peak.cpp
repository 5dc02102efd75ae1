// Multiply-adds: what a processor computes at most, the rate that kernels are measured against.
//
// Loops of nothing but multiply-adds over so many independent registers that their latency is
// hidden: two a cycle at a latency of 4 need 8. There is one loop, `peak_loop`; an instruction set
// says how wide its registers are, how many the loop uses, and what a multiply-add is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "measure.h"
#include "upconv/dtype.h"
#include "upconv/error.h"
#include "upconv/isa.h"
#include "upconv/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace upconv::UPCONV_ABI {

namespace {

template <Element T, std::size_t kBytes, std::size_t kRegisters>
struct Registers {
  using Scalar = T;
  using Vector __attribute__((vector_size(kBytes))) = T;
  static constexpr std::size_t kCount = kRegisters;
  static constexpr std::size_t kElements = kRegisters * kBytes / sizeof(T);
};

// A target attribute is a function's, and a function goes into one with more targets, not into one
// with fewer. So the loop has none and is inlined into each `run`, which has what its
// `multiply_add` needs; only there can `flatten` bring that in. (`multiply_add` takes references
// because without the target a vector is passed by value in another way.) The indices are a pack
// because GCC keeps an array in registers only when every index is a constant.
template <typename Set, std::size_t... kIndex>
__attribute__((always_inline)) inline double peak_loop(std::int64_t steps,
                                                       std::index_sequence<kIndex...>) {
  using Vector = typename Set::Vector;
  using Scalar = typename Set::Scalar;
  Vector v[sizeof...(kIndex)];
  ((v[kIndex] = Vector{} + Scalar{1}), ...);
  const Vector scale = Vector{} + static_cast<Scalar>(0.999);
  const Vector shift = Vector{} + static_cast<Scalar>(1e-9);
  for (std::int64_t step = 0; step < steps; ++step) {
    (Set::multiply_add(v[kIndex], scale, shift), ...);
  }
  // So that they have a use. All lanes are added: taking one out of each vector would confine it
  // to the first 16 registers, and the loop would move vectors to and fro.
  return (v[kIndex] + ...)[0];
}

// In each `multiply_add` the empty asm keeps the compiler from leaving any out.

#if defined(__x86_64__)

/// No instruction does both: a multiplication and an addition count as one.
template <Element T>
struct Sse41 : Registers<T, 16, 12> {
  using typename Registers<T, 16, 12>::Vector;

  __attribute__((target("sse4.1"))) static void multiply_add(Vector& v, const Vector& scale,
                                                             const Vector& shift) {
    Vector factor = scale;
    asm volatile("" : "+x"(factor));  // or the product would be computed once
    v += factor * shift;
    asm volatile("" : "+x"(v));
  }

  __attribute__((flatten, target("sse4.1"))) static double run(std::int64_t steps) {
    return peak_loop<Sse41>(steps, std::make_index_sequence<Sse41::kCount>{});
  }
};

template <Element T>
struct Avx2 : Registers<T, 32, 12> {
  using typename Registers<T, 32, 12>::Vector;

  __attribute__((target("avx2,fma"))) static void multiply_add(Vector& v, const Vector& scale,
                                                               const Vector& shift) {
    if constexpr (std::is_same_v<T, float>) {
      v = _mm256_fmadd_ps(v, scale, shift);
    } else {
      v = _mm256_fmadd_pd(v, scale, shift);
    }
    asm volatile("" : "+x"(v));
  }

  __attribute__((flatten, target("avx2,fma"))) static double run(std::int64_t steps) {
    return peak_loop<Avx2>(steps, std::make_index_sequence<Avx2::kCount>{});
  }
};

template <Element T>
struct Avx512 : Registers<T, 64, 24> {
  using typename Registers<T, 64, 24>::Vector;

  __attribute__((target("avx512f"))) static void multiply_add(Vector& v, const Vector& scale,
                                                              const Vector& shift) {
    if constexpr (std::is_same_v<T, float>) {
      v = _mm512_fmadd_ps(v, scale, shift);
    } else {
      v = _mm512_fmadd_pd(v, scale, shift);
    }
    asm volatile("" : "+v"(v));
  }

  __attribute__((flatten, target("avx512f"))) static double run(std::int64_t steps) {
    return peak_loop<Avx512>(steps, std::make_index_sequence<Avx512::kCount>{});
  }
};

#elif defined(__aarch64__)

/// Its multiply-add overwrites the sum, not a factor: the registers are what is added to.
template <Element T>
struct Neon : Registers<T, 16, 24> {
  using typename Registers<T, 16, 24>::Vector;

  static void multiply_add(Vector& v, const Vector& scale, const Vector& shift) {
    if constexpr (std::is_same_v<T, float>) {
      v = vfmaq_f32(v, scale, shift);
    } else {
      v = vfmaq_f64(v, scale, shift);
    }
    asm volatile("" : "+w"(v));
  }

  __attribute__((flatten)) static double run(std::int64_t steps) {
    return peak_loop<Neon>(steps, std::make_index_sequence<Neon::kCount>{});
  }
};

#endif

/// A loop and how many multiply-adds one of its steps is.
struct Peak {
  double (*run)(std::int64_t steps) = nullptr;
  double multiply_adds = 0;
};

template <typename Set>
constexpr Peak peak_of() {
  return {Set::run, static_cast<double>(Set::kElements)};
}

template <Element T>
Peak find_peak(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kSse41:
      return peak_of<Sse41<T>>();
    case Isa::kAvx2:
      return peak_of<Avx2<T>>();
    case Isa::kAvx512:
      return peak_of<Avx512<T>>();
#elif defined(__aarch64__)
    case Isa::kNeon:
      return peak_of<Neon<T>>();
#endif
    default:
      return {};
  }
}

}  // namespace

double measure_peak_gflops(Isa isa, DType dtype, int threads) {
  const std::vector<Isa>& isas = runnable_isas();
  const Peak peak = dtype == DType::kFloat32 ? find_peak<float>(isa) : find_peak<double>(isa);
  if (!peak.run || std::find(isas.begin(), isas.end(), isa) == isas.end()) {
    std::string list;
    for (const Isa one : isas) list += (list.empty() ? "" : ", ") + std::string(to_string(one));
    throw Error(ErrorKind::kInvalidArgument, "ISA is \"" + std::string(to_string(isa)) +
                                                 "\"; it must be one that this machine runs (" +
                                                 list + ")");
  }
  const auto run = [peak](std::int64_t repetitions) {
    const double sum = peak.run(repetitions);
    internal::keep(sum);
  };
  const auto make = [&] { return internal::Work{run, 2 * peak.multiply_adds}; };
  return internal::best_rate(threads, make) / 1e9;
}

}  // namespace upconv::UPCONV_ABI
