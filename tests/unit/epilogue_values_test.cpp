// The values of every epilogue kernel that this machine runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "activation_reference.h"
#include "epilogue_kernels.h"

namespace upconv::test {
namespace {

INSTANTIATE_TEST_SUITE_P(, EpilogueKernelTest, testing::ValuesIn(epilogue_kernels()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_P(EpilogueKernelTest, IsWithinTheDocumentedErrorOfTheReference) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const std::vector<T> in = sweep<T>();
    double worst_of_all = 0;
    for (const auto& [p0, p1] : parameters(kernel.activation)) {
      const std::vector<T> out = apply(kernel, in, p0, p1);
      double worst = 0;
      std::size_t at = 0;
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double error = ulps(out[i], reference(kernel.activation, in[i], p0, p1));
        if (!(error <= worst)) {  // or NaN
          worst = error;
          at = i;
        }
      }
      EXPECT_LE(worst, bound(kernel.activation))
          << "f(" << in[at] << ") = " << out[at] << ", p0 = " << p0 << ", p1 = " << p1;
      worst_of_all = std::max(worst_of_all, worst);
    }
    RecordProperty("max_ulp", std::to_string(worst_of_all));
  });
}

TEST_P(EpilogueKernelTest, TakesNaNToNaNAndInfinitiesToTheLimits) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    for (const auto& [p0, p1] : parameters(kernel.activation)) {
      const T inf = static_cast<T>(kInf), nan = static_cast<T>(kNaN);
      const T payload = std::bit_cast<T>(bits_of(nan) | 12345u);
      // Long enough for whole vectors and a tail of every ISA.
      std::vector<T> in;
      for (int i = 0; i < 35; ++i) {
        in.insert(in.end(), {nan, inf, -inf, -nan, T(0), T(-0.0), payload});
      }
      const std::vector<T> out = apply(kernel, in, p0, p1);
      const Limits at = limits(kernel.activation, p0, p1);
      for (std::size_t i = 0; i < in.size(); ++i) {
        if (std::isnan(in[i])) {
          EXPECT_TRUE(std::isnan(out[i])) << i << ": " << out[i];
        } else if (std::isinf(in[i])) {
          const double limit = in[i] > 0 ? at.at_infinity : at.at_minus_infinity;
          EXPECT_LE(ulps(out[i], limit), 1) << i << ": " << out[i] << ", not " << limit;
        } else {
          const T zero = static_cast<T>(reference(kernel.activation, in[i], p0, p1));
          EXPECT_LE(ulps(out[i], zero), bound(kernel.activation)) << i << ": " << out[i];
        }
      }
    }
  });
}

TEST_P(EpilogueKernelTest, StaysWithinTheRangeOfTheFunction) {
  const ActivationKind kind = GetParam().activation;
  if (kind != ActivationKind::kSigmoid && kind != ActivationKind::kTanh &&
      kind != ActivationKind::kElu && kind != ActivationKind::kSoftplus) {
    return;
  }
  with_type([&]<typename T>() {
    const T low = kind == ActivationKind::kTanh || kind == ActivationKind::kElu ? -1 : 0;
    const T high = kind == ActivationKind::kTanh || kind == ActivationKind::kSigmoid
                       ? T(1)
                       : std::numeric_limits<T>::max();
    for (const T result : apply(GetParam(), sweep<T>(), 0, 0)) {
      ASSERT_GE(result, low);
      ASSERT_LE(result, high);
    }
  });
}

TEST_P(EpilogueKernelTest, HasTheSameBitsAsTheFirstIsa) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const auto rows = epilogue_kernels();
    const auto first = std::find_if(rows.begin(), rows.end(), [&](const EpilogueKernel& row) {
      return row.activation == kernel.activation && row.dtype == kernel.dtype &&
             row.isa == runnable_isas().front();
    });
    ASSERT_NE(first, rows.end());
    const std::vector<T> in = sweep<T>();
    for (const auto& [p0, p1] : parameters(kernel.activation)) {
      const std::vector<T> out = apply(kernel, in, p0, p1), expected = apply(*first, in, p0, p1);
      for (std::size_t i = 0; i < in.size(); ++i) {
        ASSERT_PRED2(same<T>, out[i], expected[i]) << "f(" << in[i] << ")";
      }
    }
  });
}

}  // namespace
}  // namespace upconv::test
