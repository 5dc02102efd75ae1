// What holds for every strategy that computes any layer, in fast arithmetic too.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "checks.h"
#include "layers.h"
#include "plans.h"

namespace upconv::test {

/// One of the plans of a layer: `&Plans::scatter`.
using PlanMember = std::shared_ptr<const internal::Plan> Plans::*;

/// The plan computes what the definition says on the layers of seeds 1 to `seeds`, of which it
/// accepts more than `least`.
inline void check_random_layers(Isa isa, PlanMember which, std::uint64_t seeds,
                                std::uint64_t least) {
  std::uint64_t accepted = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Random random(seed);
    const Problem problem = random_problem(random);
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    // Sums of integers are exact in every order.
    const Values values = seed % 2 == 0 ? Values::kIntegers : Values::kNormal;
    const Case c = make_case(problem, dtype, values, random);
    const Plans plans(c, isa);
    const auto& plan = plans.*which;
    if (plan == nullptr) continue;
    ++accepted;
    ASSERT_TRUE(matches_reference(c, values, plans.run(*plan, c.input()).view()))
        << "seed " << seed << " " << problem.text();
  }
  EXPECT_GT(accepted, least);
}

/// The plan gives the same bits for every number of threads, which are the definition's values.
inline void check_threads(const std::vector<Problem>& problems, Isa isa, PlanMember which) {
  for (const Problem& problem : problems) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      Random random(11);
      const Case c = make_case(problem, dtype, Values::kNormal, random);
      const Plans plans(c, isa);
      const auto& plan = plans.*which;
      ASSERT_NE(plan, nullptr) << problem.text();
      const Tensor once = plans.run_on_any_threads(*plan, c.input(), problem.text());
      EXPECT_TRUE(matches_reference(c, Values::kNormal, once.view())) << problem.text();
    }
  }
}

/// An infinity in x or in the weights reaches the same outputs as by the wide strategy.
inline void check_infinities(const std::vector<Problem>& problems, Isa isa, PlanMember which) {
  for (const Problem& problem : problems) {
    for (const bool weight : {false, true}) {
      Random random(3);
      Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
      std::vector<double>& values = weight ? c.kernel : c.x;
      values[values.size() / 3] = std::numeric_limits<double>::infinity();
      const Plans plans(c, isa);
      const Tensor x = c.input();
      const std::vector<double> wide = values_of(plans.run(*plans.wide, x));
      const std::vector<double> own = values_of(plans.run(*(plans.*which), x));
      for (std::size_t i = 0; i < wide.size(); ++i) {
        ASSERT_EQ(std::isfinite(own[i]), std::isfinite(wide[i])) << i << " " << problem.text();
      }
    }
  }
}

}  // namespace upconv::test
