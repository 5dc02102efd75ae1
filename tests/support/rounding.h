// Errors of fast arithmetic: a result beside the reference.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "layers.h"
#include "reference.h"

namespace upconv::test {

/// Normal values in float32, or their absolute values.
inline Case normal_case(const Problem& problem, bool positive) {
  Random random(5);
  Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  if (positive) {
    for (double& value : c.x) value = std::abs(value);
    for (double& value : c.kernel) value = std::abs(value);
  }
  return c;
}

struct Errors {
  double rms = 0, largest = 0;
};

inline Errors errors_of(const std::vector<double>& got, const std::vector<double>& expected) {
  Errors errors;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(got[i] - expected[i]);
    errors.rms += error * error;
    errors.largest = std::isnan(error) ? error : std::max(errors.largest, error);
  }
  errors.rms = std::sqrt(errors.rms / std::max<double>(1, static_cast<double>(got.size())));
  return errors;
}

/// The reference, and what rounding errors are relative to: the largest sum of absolute values.
struct Expected {
  explicit Expected(const Case& c) {
    values = reference(c.problem, c.x, c.kernel, c.bias);
    const std::vector<double> sums = reference_magnitude(c.problem, c.x, c.kernel, c.bias);
    for (const double sum : sums) magnitude = std::max(magnitude, sum);
  }
  std::vector<double> values;
  double magnitude = 0;
};

inline double epsilon_of(DType dtype) {
  return dtype == DType::kFloat32 ? std::numeric_limits<float>::epsilon()
                                  : std::numeric_limits<double>::epsilon();
}

}  // namespace upconv::test
