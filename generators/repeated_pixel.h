// Pixels that are all the same: what outputs that no tap reaches are, and what sums start with.
#pragma once

#include "Halide.h"

namespace upconv::generators {

/// Defines y(i) for `pixels` pixels of `channels` channels each, from pixel `first` on. What a
/// channel is may be dear (an activation), so that it is computed for one *unit* of pixels, which
/// is at least a vector, and copied to the others:
///
///   y[(first + p) * channels + c] = value(c),                           p < unit
///   y[(first + g * unit) * channels + e] = y[first * channels + e],     0 < g < pixels / unit
///
/// and the pixels behind the last whole unit are like the first.
class RepeatedPixel {
 public:
  Halide::Func y{"y"};

  template <typename Value>
  RepeatedPixel(Halide::Type type, int channels, int lanes, const Halide::Expr& first,
                const Halide::Expr& pixels, Value value)
      : lanes_(lanes), unit_(channels >= lanes ? 1 : lanes) {
    using Halide::Expr;
    const int elements = unit_ * channels, vectors = (elements + lanes - 1) / lanes;
    const auto at = [&](const Expr& pixel, const Expr& element) {
      return Halide::unsafe_promise_clamped((first + pixel) * channels + element, 0, kMost);
    };
    Halide::Var i("i");
    y(i) = Halide::undef(type);
    values_ = Halide::RDom(0, channels, 0, Halide::min(pixels, unit_), "values");
    y(at(values_[1], values_[0])) = value(values_[0]);
    // The last vector of a unit may overlap the one before.
    copies_ = Halide::RDom(0, lanes, 0, vectors, 1, Halide::max(pixels / unit_ - 1, 0), "copies");
    const Expr element = Halide::min(copies_[1] * lanes, elements - lanes) + copies_[0];
    y(at(copies_[2] * unit_, element)) = y(at(0, element));
    if (unit_ == 1) return;
    rest_ = Halide::RDom(0, channels, pixels / unit_ * unit_,
                         Halide::select(pixels > unit_, pixels % unit_, 0), "rest");
    y(at(rest_[1], rest_[0])) = y(at(0, rest_[0]));
  }

  /// Vectors along channels, and of the copies along what lies next to one another; of few
  /// channels all in a row.
  void schedule() {
    if (unit_ == 1) y.update(0).allow_race_conditions().vectorize(values_[0], lanes_);
    y.update(1)
        .allow_race_conditions()
        .reorder(copies_[0], copies_[1], copies_[2])
        .vectorize(copies_[0]);
    if (unit_ > 1) y.update(1).unroll(copies_[1]);
  }

 private:
  static constexpr int kMost = 2147483646;
  int lanes_, unit_;
  Halide::RDom values_, copies_, rest_;
};

}  // namespace upconv::generators
