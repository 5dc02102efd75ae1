// How rates are measured: the same for multiply-adds and for bytes.
#pragma once

#include <cstdint>
#include <functional>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI::internal {

/// What one thread does: a function of the number of repetitions, and what one is worth.
struct Work {
  std::function<void(std::int64_t repetitions)> run;
  double amount;
};

/// Runs work on several threads at once, each with its own, made on it by `make`, in runs of about
/// five milliseconds that start together. @return the best sum of the threads' rates, per second.
/// @throws Error kInvalidArgument for threads below 1, kOutOfMemory when a thread cannot be had or
///         a `make` throws.
double best_rate(int threads, const std::function<Work()>& make);

/// Somewhere for results to go that the compiler cannot see the end of.
template <typename T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace upconv::UPCONV_ABI::internal
