// Instruction sets side by side: those with a fused multiply-add give the same bits; SSE4.1, which
// rounds each product, differs by less than docs/reliability.md says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cases.h"
#include "checks.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261124;

/// The largest difference, in units of epsilon times the sum of the terms' magnitudes, that
/// docs/reliability.md states.
constexpr double kStatedDifference = 4;

std::vector<double> result_on(const Case& c, Isa isa) {
  return values_of(layer_of(c, isa)(c.input()));
}

TEST(Isas, WithFusedMultiplyAddGiveTheSameBits) {
  std::vector<Isa> fused;
  for (const Isa isa : isas()) {
    if (isa != Isa::kSse41) fused.push_back(isa);
  }
  if (fused.size() < 2) GTEST_SKIP() << "this machine runs only one of them";
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(300); ++seed) {
    Random random(seed);
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(random_problem(random), dtype, Values::kNormal, random);
    const std::vector<double> first = result_on(c, fused[0]);
    for (std::size_t n = 1; n < fused.size(); ++n) {
      ASSERT_EQ(result_on(c, fused[n]), first)
          << to_string(fused[n]) << ", seed " << seed << " " << c.problem.text();
    }
  }
}

TEST(Isas, DifferByLessThanStated) {
  double largest = 0;
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(300); ++seed) {
    Random random(seed);
    const Case c = make_case(random_problem(random), DType::kFloat32, Values::kNormal, random);
    const std::vector<double> magnitude = reference_magnitude(c.problem, c.x, c.kernel, c.bias);
    std::vector<std::vector<double>> results;
    for (const Isa isa : isas()) results.push_back(result_on(c, isa));
    for (std::size_t i = 0; i < magnitude.size(); ++i) {
      double low = results[0][i], high = low;
      for (const std::vector<double>& result : results) {
        low = std::min(low, result[i]);
        high = std::max(high, result[i]);
      }
      if (high == low) continue;
      largest =
          std::max(largest, (high - low) / (magnitude[i] * std::numeric_limits<float>::epsilon()));
    }
  }
  RecordProperty("largest", std::to_string(largest));
  EXPECT_LT(largest, kStatedDifference);
}

}  // namespace
}  // namespace upconv::test
