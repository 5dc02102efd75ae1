// Bytes: what caches and memory give at most, the rate that benchmarks are measured against.
//
// Reads and writes take turns in blocks of a page, so that they overlap as they do in a layer. The
// vectors are the widest that the machine has; with them each level of cache gives what it has.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "measure.h"
#include "upconv/isa.h"
#include "upconv/kernels.h"
#include "upconv/tensor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace upconv::UPCONV_ABI {

namespace {

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

__attribute__((noinline, target("avx512f"))) std::int64_t sweep_avx512(const std::byte* from,
                                                                       std::size_t from_blocks,
                                                                       std::byte* to,
                                                                       std::size_t to_blocks,
                                                                       std::int64_t value) {
  __m512i sum[4];
  for (__m512i& one : sum) one = _mm512_setzero_si512();
  const __m512i written = _mm512_set1_epi64(value);
  for (std::size_t block = 0; block < std::max(from_blocks, to_blocks); ++block) {
    if (block < from_blocks) {
      const std::byte* const bytes = from + block * kBlock;
      for (std::size_t i = 0; i < kBlock; i += sizeof(sum)) {
        for (std::size_t k = 0; k < 4; ++k) {
          sum[k] = _mm512_xor_si512(sum[k], _mm512_load_si512(bytes + i + k * sizeof(__m512i)));
        }
      }
    }
    if (block < to_blocks) {
      std::byte* const bytes = to + block * kBlock;
      for (std::size_t i = 0; i < kBlock; i += sizeof(written)) {
        _mm512_store_si512(bytes + i, written);
      }
    }
  }
  alignas(64) std::int64_t words[8];
  _mm512_store_si512(
      words, _mm512_xor_si512(_mm512_xor_si512(sum[0], sum[1]), _mm512_xor_si512(sum[2], sum[3])));
  std::int64_t all = 0;
  for (const std::int64_t word : words) all ^= word;
  return all;
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
      std::fill_n(words, kBlock / sizeof(std::int64_t), value);
    }
  }
  std::int64_t all = 0;
  for (const std::int64_t one : sum) all ^= one;
  return all;
}

Sweep sweep() {
#if defined(__x86_64__)
  const std::vector<Isa>& isas = runnable_isas();
  const auto runs = [&](Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); };
  if (runs(Isa::kAvx512)) return sweep_avx512;
  if (runs(Isa::kAvx2)) return sweep_avx2;
#endif
  return sweep_plain;
}

}  // namespace

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
        internal::keep(sum);
      }
    };
    return internal::Work{run, static_cast<double>((from_blocks + to_blocks) * kBlock)};
  };
  return internal::best_rate(threads, make) / 1e9;
}

}  // namespace upconv::UPCONV_ABI
