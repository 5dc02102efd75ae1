// Runs of products that are added to outputs, or are outputs: the second half of the scatter
// strategy (runtime/scatter_plan.h) in a compiled layer, as an algorithm.
#pragma once

#include <string>
#include <vector>

#include "Halide.h"

namespace upconv::generators {

/// Adds `count` runs, which do not overlap in y, or where there are no sums copies them:
///
///   y[i * to_step + e] (+)= products[i * from_step + e],    0 <= i < count, 0 <= e < run
///
/// A run is some vectors of `lanes`, then at most one of each half of that: a stage each.
class AddedRuns {
 public:
  Halide::Func y{"y"};

  struct Inputs {
    Halide::Func products = {};  ///< (i)
    Halide::Func sums = {};      ///< (i): elements of y; undefined: products are copied
    int run = 1, from_step = 1, to_step = 1;
    Halide::Expr count = 1;
    int lanes = 1;
    Halide::Type type = {};
  };

  explicit AddedRuns(const Inputs& of) {
    y(Halide::Var("i")) = Halide::undef(of.type);
    int begin = 0;
    for (int width = of.lanes; width > 0; width /= 2) {
      const int vectors = (of.run - begin) / width;
      if (vectors == 0) continue;
      const Halide::RDom u(0, width, 0, vectors, 0, of.count, "u_" + std::to_string(width));
      const Halide::Expr e = begin + u[1] * width + u[0];
      const auto at = [&](int step) -> Halide::Expr {
        return Halide::unsafe_promise_clamped(u[2] * step + e, 0, 2147483646);
      };
      const Halide::Expr value = of.products(at(of.from_step));
      y(at(of.to_step)) = of.sums.defined() ? of.sums(at(of.to_step)) + value : value;
      stages_.push_back({u, vectors});
      begin += vectors * width;
    }
  }

  /// Vectors along a run; of a short one all in a row.
  void schedule() {
    constexpr int kShort = 8;
    for (std::size_t n = 0; n < stages_.size(); ++n) {
      const auto& [u, vectors] = stages_[n];
      auto stage = y.update(static_cast<int>(n));
      stage.allow_race_conditions().reorder(u[0], u[1], u[2]).vectorize(u[0]);
      if (vectors <= kShort) stage.unroll(u[1]);
    }
  }

 private:
  struct Stage {
    Halide::RDom u;
    int vectors;
  };
  std::vector<Stage> stages_;
};

/// The same for one run, of which some is cut off: y[e] (+)= products[e], 0 <= e < length.
class AddedPart {
 public:
  Halide::Func y{"y"};

  AddedPart(const Halide::Func& products, const Halide::Func& sums, const Halide::Expr& length,
            int lanes, Halide::Type type)
      : whole_(0, lanes, 0, length / lanes, "whole"),
        rest_(length / lanes * lanes, length % lanes, "rest") {
    y(Halide::Var("i")) = Halide::undef(type);
    for (const Halide::Expr& e : {whole_[1] * lanes + whole_[0], Halide::Expr(rest_)}) {
      const Halide::Expr at = Halide::unsafe_promise_clamped(e, 0, 2147483646);
      y(at) = sums.defined() ? sums(at) + products(at) : products(at);
    }
  }

  void schedule() {
    y.update(0).allow_race_conditions().reorder(whole_[0], whole_[1]).vectorize(whole_[0]);
  }

 private:
  Halide::RDom whole_, rest_;
};

}  // namespace upconv::generators
