// What the machine can do at most: the rates that benchmarks are measured against.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "upconv/error.h"
#include "upconv/isa.h"
#include "upconv/kernels.h"
#include "upconv/tensor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace upconv {

namespace {

// -------------------------------------------------------------------------------------------------
// Multiply-adds
//
// Loops of nothing but multiply-adds over so many independent registers that their latency is
// hidden: two a cycle at a latency of 4 need 8. SSE has no instruction for it: a multiplication and
// an addition count as one. The empty asm keeps the compiler from leaving any out.
//
// One function per instruction set, since the target attribute is a function's; each takes the
// number of steps, and returns a sum of its registers so that they have a use.

// NOLINTBEGIN(modernize-loop-convert): GCC keeps an array in registers only when it is indexed.

/// A loop and how many multiply-adds one of its steps is.
struct PeakLoop {
  double (*run)(std::int64_t steps);
  double multiply_adds;
};

#if defined(__x86_64__)

constexpr int kSse41Registers = 12;
constexpr int kAvx2Registers = 12;
constexpr int kAvx512Registers = 24;

template <Element T>
__attribute__((noinline, target("sse4.1"))) double run_sse41(std::int64_t steps) {
  if constexpr (std::is_same_v<T, float>) {
    __m128 v[kSse41Registers];
#pragma GCC unroll 12
    for (int i = 0; i < kSse41Registers; ++i) v[i] = _mm_set1_ps(1);
    __m128 scale = _mm_set1_ps(0.999F);
    const __m128 shift = _mm_set1_ps(1e-9F);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
      for (int i = 0; i < kSse41Registers; ++i) {
        asm volatile("" : "+x"(scale));  // or the product would be computed once
        v[i] = _mm_add_ps(v[i], _mm_mul_ps(scale, shift));
        asm volatile("" : "+x"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 12
    for (int i = 0; i < kSse41Registers; ++i) sum += v[i][0];
    return sum;
  } else {
    __m128d v[kSse41Registers];
#pragma GCC unroll 12
    for (int i = 0; i < kSse41Registers; ++i) v[i] = _mm_set1_pd(1);
    __m128d scale = _mm_set1_pd(0.999);
    const __m128d shift = _mm_set1_pd(1e-9);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
      for (int i = 0; i < kSse41Registers; ++i) {
        asm volatile("" : "+x"(scale));  // or the product would be computed once
        v[i] = _mm_add_pd(v[i], _mm_mul_pd(scale, shift));
        asm volatile("" : "+x"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 12
    for (int i = 0; i < kSse41Registers; ++i) sum += v[i][0];
    return sum;
  }
}

template <Element T>
__attribute__((noinline, target("avx2,fma"))) double run_avx2(std::int64_t steps) {
  if constexpr (std::is_same_v<T, float>) {
    __m256 v[kAvx2Registers];
#pragma GCC unroll 12
    for (int i = 0; i < kAvx2Registers; ++i) v[i] = _mm256_set1_ps(1);
    const __m256 scale = _mm256_set1_ps(0.999F);
    const __m256 shift = _mm256_set1_ps(1e-9F);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
      for (int i = 0; i < kAvx2Registers; ++i) {
        v[i] = _mm256_fmadd_ps(v[i], scale, shift);
        asm volatile("" : "+x"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 12
    for (int i = 0; i < kAvx2Registers; ++i) sum += v[i][0];
    return sum;
  } else {
    __m256d v[kAvx2Registers];
#pragma GCC unroll 12
    for (int i = 0; i < kAvx2Registers; ++i) v[i] = _mm256_set1_pd(1);
    const __m256d scale = _mm256_set1_pd(0.999);
    const __m256d shift = _mm256_set1_pd(1e-9);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
      for (int i = 0; i < kAvx2Registers; ++i) {
        v[i] = _mm256_fmadd_pd(v[i], scale, shift);
        asm volatile("" : "+x"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 12
    for (int i = 0; i < kAvx2Registers; ++i) sum += v[i][0];
    return sum;
  }
}

template <Element T>
__attribute__((noinline, target("avx512f"))) double run_avx512(std::int64_t steps) {
  if constexpr (std::is_same_v<T, float>) {
    __m512 v[kAvx512Registers];
#pragma GCC unroll 24
    for (int i = 0; i < kAvx512Registers; ++i) v[i] = _mm512_set1_ps(1);
    const __m512 scale = _mm512_set1_ps(0.999F);
    const __m512 shift = _mm512_set1_ps(1e-9F);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
      for (int i = 0; i < kAvx512Registers; ++i) {
        v[i] = _mm512_fmadd_ps(v[i], scale, shift);
        asm volatile("" : "+v"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 24
    for (int i = 0; i < kAvx512Registers; ++i) sum += v[i][0];
    return sum;
  } else {
    __m512d v[kAvx512Registers];
#pragma GCC unroll 24
    for (int i = 0; i < kAvx512Registers; ++i) v[i] = _mm512_set1_pd(1);
    const __m512d scale = _mm512_set1_pd(0.999);
    const __m512d shift = _mm512_set1_pd(1e-9);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
      for (int i = 0; i < kAvx512Registers; ++i) {
        v[i] = _mm512_fmadd_pd(v[i], scale, shift);
        asm volatile("" : "+v"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 24
    for (int i = 0; i < kAvx512Registers; ++i) sum += v[i][0];
    return sum;
  }
}

template <Element T>
PeakLoop peak_loop(Isa isa) {
  switch (isa) {
    case Isa::kSse41:
      return {run_sse41<T>, kSse41Registers * 16.0 / sizeof(T)};
    case Isa::kAvx2:
      return {run_avx2<T>, kAvx2Registers * 32.0 / sizeof(T)};
    case Isa::kAvx512:
      return {run_avx512<T>, kAvx512Registers * 64.0 / sizeof(T)};
    case Isa::kNeon:
      break;
  }
  return {};
}

#elif defined(__aarch64__)

constexpr int kNeonRegisters = 24;

// NEON's multiply-add overwrites the sum, not a factor: the registers are what is added to.
template <Element T>
__attribute__((noinline)) double run_neon(std::int64_t steps) {
  if constexpr (std::is_same_v<T, float>) {
    float32x4_t v[kNeonRegisters];
#pragma GCC unroll 24
    for (int i = 0; i < kNeonRegisters; ++i) v[i] = vdupq_n_f32(1);
    const float32x4_t scale = vdupq_n_f32(0.999F);
    const float32x4_t shift = vdupq_n_f32(1e-9F);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
      for (int i = 0; i < kNeonRegisters; ++i) {
        v[i] = vfmaq_f32(v[i], scale, shift);
        asm volatile("" : "+w"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 24
    for (int i = 0; i < kNeonRegisters; ++i) sum += v[i][0];
    return sum;
  } else {
    float64x2_t v[kNeonRegisters];
#pragma GCC unroll 24
    for (int i = 0; i < kNeonRegisters; ++i) v[i] = vdupq_n_f64(1);
    const float64x2_t scale = vdupq_n_f64(0.999);
    const float64x2_t shift = vdupq_n_f64(1e-9);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
      for (int i = 0; i < kNeonRegisters; ++i) {
        v[i] = vfmaq_f64(v[i], scale, shift);
        asm volatile("" : "+w"(v[i]));
      }
    }
    double sum = 0;
#pragma GCC unroll 24
    for (int i = 0; i < kNeonRegisters; ++i) sum += v[i][0];
    return sum;
  }
}

template <Element T>
PeakLoop peak_loop(Isa isa) {
  if (isa == Isa::kNeon) return {run_neon<T>, kNeonRegisters * 16.0 / sizeof(T)};
  return {};
}

#endif

// NOLINTEND(modernize-loop-convert)

// -------------------------------------------------------------------------------------------------
// Bytes
//
// Reads and writes take turns in blocks of a page, so that they overlap as they do in a layer. The
// vectors are the widest that are common; with them each level of cache gives what it has.

constexpr std::size_t kBlock = 4096;

/// Reads and writes whole blocks: block i of each while there is one. `value` is what is written.
using Sweep = std::int64_t (*)(const std::byte* from, std::size_t from_blocks, std::byte* to,
                               std::size_t to_blocks, std::int64_t value);

#if defined(__x86_64__)

__attribute__((noinline, target("avx2"))) std::int64_t sweep_avx2(const std::byte* from,
                                                                  std::size_t from_blocks,
                                                                  std::byte* to,
                                                                  std::size_t to_blocks,
                                                                  std::int64_t value) {
  __m256i sum[4];
  for (__m256i& one : sum) one = _mm256_setzero_si256();
  const __m256i written = _mm256_set1_epi64x(value);
  for (std::size_t block = 0; block < std::max(from_blocks, to_blocks); ++block) {
    if (block < from_blocks) {
      const auto* const vectors = reinterpret_cast<const __m256i*>(from + block * kBlock);
      for (std::size_t i = 0; i < kBlock / sizeof(__m256i); i += 4) {
        sum[0] = _mm256_xor_si256(sum[0], _mm256_load_si256(vectors + i));
        sum[1] = _mm256_xor_si256(sum[1], _mm256_load_si256(vectors + i + 1));
        sum[2] = _mm256_xor_si256(sum[2], _mm256_load_si256(vectors + i + 2));
        sum[3] = _mm256_xor_si256(sum[3], _mm256_load_si256(vectors + i + 3));
      }
    }
    if (block < to_blocks) {
      auto* const vectors = reinterpret_cast<__m256i*>(to + block * kBlock);
      for (std::size_t i = 0; i < kBlock / sizeof(__m256i); ++i) {
        _mm256_store_si256(vectors + i, written);
      }
    }
  }
  const __m256i all =
      _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3]));
  return _mm256_extract_epi64(all, 0) ^ _mm256_extract_epi64(all, 1) ^
         _mm256_extract_epi64(all, 2) ^ _mm256_extract_epi64(all, 3);
}

#endif

__attribute__((noinline)) std::int64_t sweep_plain(const std::byte* from, std::size_t from_blocks,
                                                   std::byte* to, std::size_t to_blocks,
                                                   std::int64_t value) {
  std::int64_t sum[8] = {};
  for (std::size_t block = 0; block < std::max(from_blocks, to_blocks); ++block) {
    if (block < from_blocks) {
      const auto* const words = reinterpret_cast<const std::int64_t*>(from + block * kBlock);
      for (std::size_t i = 0; i < kBlock / sizeof(std::int64_t); i += 8) {
        for (std::size_t k = 0; k < 8; ++k) sum[k] ^= words[i + k];
      }
    }
    if (block < to_blocks) {
      auto* const words = reinterpret_cast<std::int64_t*>(to + block * kBlock);
      std::fill(words, words + kBlock / sizeof(std::int64_t), value);
    }
  }
  std::int64_t all = 0;
  for (const std::int64_t one : sum) all ^= one;
  return all;
}

Sweep sweep() {
#if defined(__x86_64__)
  const std::vector<Isa>& isas = runnable_isas();
  if (std::find(isas.begin(), isas.end(), Isa::kAvx2) != isas.end()) return sweep_avx2;
#endif
  return sweep_plain;
}

// -------------------------------------------------------------------------------------------------
// Timing

using Clock = std::chrono::steady_clock;

template <typename Function>
double seconds_of(const Function& function) {
  const Clock::time_point start = Clock::now();
  function();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What one thread does: a function of the number of repetitions, and what one is worth.
struct Work {
  std::function<void(std::int64_t repetitions)> run;
  double amount;
};

/// Runs work on several threads at once, each with its own, made on it by `make`, in runs of about
/// five milliseconds that start together. @return the best sum of the threads' rates, per second.
double best_rate(int threads, const std::function<Work()>& make) {
  constexpr int kRuns = 10;
  constexpr double kRunSeconds = 5e-3;
  if (threads < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                "threads is " + std::to_string(threads) + "; it must be at least 1");
  }
  std::mutex mutex;
  double rates[kRuns] = {};
  bool failed = false;
  std::barrier start(threads);
  const auto body = [&] {
    Work work{[](std::int64_t) {}, 0};
    std::int64_t repetitions = 1;
    try {
      work = make();
      // How many repetitions fill a run; this also warms up clocks and caches.
      while (seconds_of([&] { work.run(repetitions); }) < kRunSeconds) repetitions *= 2;
    } catch (...) {
      const std::lock_guard lock(mutex);
      failed = true;
    }
    for (double& rate : rates) {
      start.arrive_and_wait();
      const double seconds = seconds_of([&] { work.run(repetitions); });
      const std::lock_guard lock(mutex);
      rate += work.amount * static_cast<double>(repetitions) / seconds;
    }
  };
  std::vector<std::thread> others;
  try {
    others.reserve(static_cast<std::size_t>(threads - 1));
    while (others.size() + 1 < static_cast<std::size_t>(threads)) others.emplace_back(body);
  } catch (const std::system_error&) {
    {
      const std::lock_guard lock(mutex);
      failed = true;
    }
    for (int missing = threads - 1 - static_cast<int>(others.size()); missing > 0; --missing) {
      start.arrive_and_drop();
    }
  }
  body();
  for (std::thread& thread : others) thread.join();
  if (failed) {
    throw Error(ErrorKind::kOutOfMemory,
                "the system refuses memory or threads for a measurement "
                "on " +
                    std::to_string(threads) + " threads");
  }
  return *std::max_element(std::begin(rates), std::end(rates));
}

/// Somewhere for results to go that the compiler cannot see the end of.
template <typename T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace

double measure_peak_gflops(Isa isa, DType dtype, int threads) {
  const std::vector<Isa>& isas = runnable_isas();
  const PeakLoop loop = dtype == DType::kFloat32 ? peak_loop<float>(isa) : peak_loop<double>(isa);
  if (!loop.run || std::find(isas.begin(), isas.end(), isa) == isas.end()) {
    std::string list;
    for (const Isa one : isas) list += (list.empty() ? "" : ", ") + std::string(to_string(one));
    throw Error(ErrorKind::kInvalidArgument, "ISA is \"" + std::string(to_string(isa)) +
                                                 "\"; it must be one that this machine runs (" +
                                                 list + ")");
  }
  const auto run = [loop](std::int64_t repetitions) {
    const double sum = loop.run(repetitions);
    keep(sum);
  };
  return best_rate(threads, [&] { return Work{run, 2 * loop.multiply_adds}; }) / 1e9;
}

double measure_bandwidth_gbs(std::size_t read_bytes, std::size_t write_bytes, int threads) {
  const auto blocks_of_each = [threads](std::size_t bytes) {
    const std::size_t share = bytes / static_cast<std::size_t>(std::max(threads, 1));
    return share / kBlock + (share % kBlock ? 1 : 0);
  };
  const std::size_t from_blocks = blocks_of_each(read_bytes);
  const std::size_t to_blocks =
      std::max<std::size_t>(blocks_of_each(write_bytes), from_blocks ? 0 : 1);
  const auto make = [&] {
    // Made, and touched first, on the thread that uses it.
    const auto buffer = [](std::size_t blocks) {
      return std::make_shared<Tensor>(
          Tensor::zeros(DType::kFloat64, {static_cast<Index>(blocks * kBlock / sizeof(double))}));
    };
    const auto from = buffer(from_blocks);
    const auto to = buffer(to_blocks);
    const auto run = [from, to, from_blocks, to_blocks, function = sweep()](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t sum = function(static_cast<const std::byte*>(from->data()), from_blocks,
                                          static_cast<std::byte*>(to->data()), to_blocks, i);
        keep(sum);
      }
    };
    return Work{run, static_cast<double>((from_blocks + to_blocks) * kBlock)};
  };
  return best_rate(threads, make) / 1e9;
}

}  // namespace upconv
