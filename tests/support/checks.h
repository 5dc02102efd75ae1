// Comparisons that several tests of the layer share.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"
#include "guarded.h"
#include "layers.h"

namespace upconv::test {

/// The same dtype, shape and bits (of -0 and NaN, too), whatever the strides.
inline testing::AssertionResult same_bits(const ConstTensorView& a, const ConstTensorView& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) {
    return testing::AssertionFailure()
           << to_string(a.dtype()) << " " << to_string(a.shape()) << " beside "
           << to_string(b.dtype()) << " " << to_string(b.shape());
  }
  const Tensor left = Tensor::copy_of(a), right = Tensor::copy_of(b);
  const std::size_t size = size_of(a.dtype());
  const auto* l = static_cast<const std::byte*>(left.data());
  const auto* r = static_cast<const std::byte*>(right.data());
  for (Index i = 0; i < left.size(); ++i, l += size, r += size) {
    if (std::memcmp(l, r, size) != 0) {
      return testing::AssertionFailure()
             << "element " << i << " of shape " << to_string(a.shape()) << " is "
             << values_of(left)[static_cast<std::size_t>(i)] << " beside "
             << values_of(right)[static_cast<std::size_t>(i)];
    }
  }
  return testing::AssertionSuccess();
}

/// A layer with the case's weights, on that ISA.
inline ConvolutionTranspose layer_of(const Case& c, Isa isa, Activation activation = {}) {
  ConvolutionTransposeOptions options = c.options();
  options.isa = isa;
  options.activation_fn = std::move(activation);
  return ConvolutionTranspose(std::move(options));
}

/// The elements [begin, begin + extent) of one axis of a view.
inline ConstTensorView slice(const ConstTensorView& view, std::size_t axis, Index begin,
                             Index extent) {
  Dims shape = view.shape();
  shape[axis] = extent;
  const auto at = static_cast<std::ptrdiff_t>(begin * view.strides()[axis]) *
                  static_cast<std::ptrdiff_t>(size_of(view.dtype()));
  return {static_cast<const std::byte*>(view.data()) + (extent > 0 ? at : 0), view.dtype(), shape,
          view.strides()};
}

/// On small integers the layer's values are the reference's, and no byte before or behind the
/// output is written.
inline void expect_reference(const Problem& problem, DType dtype, Isa isa) {
  Random random(1);
  const Case c = make_case(problem, dtype, Values::kIntegers, random);
  const ConvolutionTranspose layer = layer_of(c, isa);
  const Dims shape = layer.output_shape(c.input_shape());
  Guarded memory(static_cast<std::size_t>(element_count(shape)) * size_of(dtype), 0xFF);  // NaN
  const TensorView y(memory.bytes().data(), dtype, shape);
  layer(c.input(), y);
  EXPECT_TRUE(matches_reference(c, Values::kIntegers, y)) << to_string(isa);
  EXPECT_TRUE(memory.guards_are_whole()) << problem.text() << " " << to_string(isa);
}

}  // namespace upconv::test
