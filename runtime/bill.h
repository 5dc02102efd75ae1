// What a call of a strategy takes, as a bill: how many of each thing there are, times the price of
// one. The prices are in the strategies' files, beside what they are of; `./dev bench --choices`
// writes down the items of each bill with the measured times, and bench/choices/fit.py finds the
// prices from them: those of today from 1,236 layers on AVX2 of a Zen 3 core, and what differs with
// AVX-512 from 672 on an Emerald Rapids one.
#pragma once

#include <vector>

#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// A count as bills have it.
inline double real(Index value) { return static_cast<double>(value); }

/// As many bytes stay in some cache; more come from memory.
inline constexpr double kCachedBytes = 16 << 20;

/// What one of something takes, in vector multiply-adds at full rate.
struct Price {
  const char* name;
  double of_one;
};

struct Bill {
  struct Item {
    Price price;
    double count;
  };

  double total = 0;
  std::vector<Item>* items = nullptr;  ///< where to write the items too; null: nowhere

  void add(const Price& price, double count) {
    total += count * price.of_one;
    if (items != nullptr) items->push_back({price, count});
  }
};

}  // namespace upconv::UPCONV_ABI::internal
