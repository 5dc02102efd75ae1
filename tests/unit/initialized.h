// The numbers that an initialiser makes.
#pragma once

#include <vector>

#include "upconv/initializers.h"
#include "upconv/tensor.h"

namespace upconv::test {

inline std::vector<double> elements(const Tensor& tensor) {
  const Tensor exact = Tensor::cast(tensor, DType::kFloat64);
  return {exact.values<double>().begin(), exact.values<double>().end()};
}

inline std::vector<double> made(const Initializer& init, const Dims& shape) {
  return elements(init(shape, DType::kFloat64));
}

}  // namespace upconv::test
