#include "scatter_add.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "chunk.h"
#include "kernel_buffer.h"
#include "phases.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// to[e] += from[e], or = where kOnce, for e < run.
template <Element T, bool kOnce>
void add_run(const T* __restrict from, T* __restrict to, Index run) {
  for (Index e = 0; e < run; ++e) to[e] = kOnce ? from[e] : to[e] + from[e];
}

/// For i < count, runs that do not overlap. A length that the compiler knows becomes a few vectors.
template <Element T, bool kOnce, Index kRun>
void add_runs(const T* from, Index from_step, T* to, Index to_step, Index count) {
  for (Index i = 0; i < count; ++i) {
    add_run<T, kOnce>(from + i * from_step, to + i * to_step, kRun);
  }
}

template <Element T>
using AddRuns = void (*)(const T*, Index, T*, Index, Index);

template <Element T, bool kOnce, Index... kRuns>
constexpr std::array<AddRuns<T>, sizeof...(kRuns)> by_length(
    std::integer_sequence<Index, kRuns...> /*lengths*/) {
  return {add_runs<T, kOnce, kRuns>...};
}

/// The same for any length.
template <Element T, bool kOnce>
void add_runs(const T* from, Index from_step, T* to, Index to_step, Index count, Index run) {
  static constexpr auto kByLength = by_length<T, kOnce>(std::make_integer_sequence<Index, 17>());
  if (from_step == run && to_step == run) {
    add_run<T, kOnce>(from, to, count * run);
    return;
  }
  if (run < static_cast<Index>(kByLength.size())) {
    kByLength[static_cast<std::size_t>(run)](from, from_step, to, to_step, count);
    return;
  }
  for (Index i = 0; i < count; ++i) {
    add_run<T, kOnce>(from + i * from_step, to + i * to_step, run);
  }
}

/// The whole row by its kernel. @return false where that cannot
template <Element T>
bool gather_products(const ScatterRow& row, const ScatterTaps& d, const ScatterTaps& h,
                     const T* products, T* y) {
  const Index run = row.taps * row.channels, shift = row.stride * row.channels;
  const Index begin = std::max<Index>(row.begin, 0) * row.channels;
  const Index end = std::min(row.end * row.channels, (row.inputs - 1) * shift + run);
  if (end - begin < row.adder->lanes) return false;
  const auto far = [](const ScatterTaps& taps) {
    return std::abs(taps.to_step) > kLargestOffset / std::max<Index>(taps.taps, 1);
  };
  if (end > kLargestOffset || far(d) || far(h)) return false;
  const auto narrow = [](Index value) { return static_cast<std::int32_t>(value); };
  Buffer<1> from = flat(products), sums = flat(y), to = flat(y);
  row.adder->function(&from.raw, &sums.raw, narrow(row.inputs), narrow(row.pitch), narrow(run),
                      narrow(shift), narrow(begin), narrow(end), narrow(d.taps),
                      narrow(d.from_step), narrow(d.to_step), narrow(h.taps), narrow(h.from_step),
                      narrow(h.to_step), &to.raw);
  return true;
}

}  // namespace

template <Element T>
void add_products(const ScatterRow& row, const ScatterTaps& d, const ScatterTaps& h,
                  const T* products, T* y) {
  if (row.adder != nullptr && gather_products(row, d, h, products, y)) return;
  const auto add_all = row.once ? add_runs<T, true> : add_runs<T, false>;
  // Taps go in groups whose outputs are one run of y, and no two inputs' runs overlap: `stride` of
  // them where outputs are neighbours, else one. Later taps first: for an output, they are those of
  // the inputs before.
  const bool neighbours = row.dilation == 1 && row.step == row.channels;
  const Index together = neighbours ? std::min(row.stride, row.taps) : 1;
  for (Index first = (row.taps - 1) / together * together; first >= 0; first -= together) {
    const Index taps = std::min(together, row.taps - first), shift = first * row.dilation;
    // Outputs [begin, end) of the group's taps for inputs [i, i + count).
    const auto add = [&](Index i, Index count, Index begin, Index end) {
      const T* from = products + i * row.pitch + (first + begin) * row.channels;
      T* to = y + (i * row.stride + shift + begin) * row.step;
      for (Index jd = 0; jd < d.taps; ++jd) {
        for (Index jh = 0; jh < h.taps; ++jh) {
          add_all(from + jd * d.from_step + jh * h.from_step, row.pitch,
                  to + jd * d.to_step + jh * h.to_step, row.stride * row.step, count,
                  (end - begin) * row.channels);
        }
      }
    };
    // Inputs with some output, and those with all.
    const Index some = std::max<Index>(ceil_div(row.begin - shift - taps + 1, row.stride), 0);
    const Index some_end = std::min(ceil_div(row.end - shift, row.stride), row.inputs);
    const Index all = std::max(ceil_div(row.begin - shift, row.stride), some);
    const Index all_end = std::min(floor_div(row.end - shift - taps, row.stride) + 1, row.inputs);
    const auto add_part = [&](Index i) {
      const Index at = i * row.stride + shift;
      add(i, 1, std::max<Index>(row.begin - at, 0), std::min(row.end - at, taps));
    };
    for (Index i = some; i < std::min(all, some_end); ++i) add_part(i);
    if (all < all_end) add(all, all_end - all, 0, taps);
    for (Index i = std::max(all, all_end); i < some_end; ++i) add_part(i);
  }
}

template <Element T>
void copy_runs(const T* from, Index from_step, T* to, Index to_step, Index count, Index run) {
  add_runs<T, true>(from, from_step, to, to_step, count, run);
}

template void copy_runs(const float*, Index, float*, Index, Index, Index);
template void copy_runs(const double*, Index, double*, Index, Index, Index);
template void add_products(const ScatterRow&, const ScatterTaps&, const ScatterTaps&, const float*,
                           float*);
template void add_products(const ScatterRow&, const ScatterTaps&, const ScatterTaps&, const double*,
                           double*);

}  // namespace upconv::UPCONV_ABI::internal
