// The wide strategy's fold is of axis w alone. The same layer with its axis as h is computed phase
// by phase, and the values are the same bit by bit (but for the sign of a zero, where the narrow
// strategy computes one of the two).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cases.h"
#include "checks.h"
#include "layer_state.h"
#include "layers.h"
#include "options.h"
#include "wide_plan.h"

namespace upconv::test {
namespace {

class Fold : public testing::TestWithParam<Isa> {};

/// A layer of one axis, as the last of two or as the first.
ConvolutionTransposeOptions along(int axis, const Problem& line, const Case& c, Isa isa) {
  ConvolutionTransposeOptions options = c.options();
  options.rank = 2;
  const auto two = [&](Index value) {
    return axis == 1 ? std::vector<Index>{1, value} : std::vector<Index>{value, 1};
  };
  options.filter_shape = two(line.filter[0]);
  options.strides = two(line.strides[0]);
  options.dilations = 1;
  options.padding = axis == 1 ? Padding({{0, 0}, line.pairs[0]}) : Padding({line.pairs[0], {0, 0}});
  options.isa = isa;
  options.arithmetic = Arithmetic::kDirect;
  return options;
}

TEST_P(Fold, OfARowHasTheValuesOfAColumn) {
  std::uint64_t folded = 0;
  for (std::uint64_t seed = 1; seed <= cases(150); ++seed) {
    Random random(seed);
    const Index stride = draw(random, 2, 5);
    Problem line =
        make_problem({draw(random, 1, 3)}, {draw(random, 1, 40)}, draw(random, 1, 20),
                     draw(random, 1, 70), {stride * draw(random, 1, 3)}, {stride}, {1}, "VALID");
    const Index most = (line.input[0] - 1) * stride + line.filter[0] - 1;
    const Index begin = draw(random, -stride, std::min(most, 2 * stride));
    line.padding.clear();
    line.pairs = {{begin, draw(random, -stride, std::min(most - begin, 2 * stride))}};
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    const Case c = make_case(line, dtype, Values::kNormal, random);
    SCOPED_TRACE("seed " + std::to_string(seed) + " " + line.text());

    ConvolutionTransposeOptions row_options = along(1, line, c, GetParam());
    ConvolutionTransposeOptions column_options = along(0, line, c, GetParam());
    const internal::CheckedOptions checked = internal::check_options(row_options);
    folded += internal::choose_fold(layer_facts(checked, GetParam())).factor > 1 ? 1 : 0;
    const char* activation = seed % 2 == 0 ? "relu" : "tanh";
    if (seed % 4 < 2) row_options.activation_fn = column_options.activation_fn = activation;
    const ConvolutionTranspose row(row_options), column(column_options);

    const Tensor x = c.input();
    const Dims x_row = {line.batch[0], 1, line.input[0], line.input_size};
    const Dims x_column = {line.batch[0], line.input[0], 1, line.input_size};
    const ConstTensorView in_row(x.data(), dtype, x_row);
    const ConstTensorView in_column(x.data(), dtype, x_column);
    const Tensor expected = column(in_column);
    ASSERT_EQ(values_of(row(in_row)), values_of(expected));
    ASSERT_EQ(values_of(row(in_row, {.threads = 3})), values_of(expected));

    // Into channels of a bigger tensor, with a residual that is dense or is not.
    Tensor big =
        Tensor::zeros(dtype, {line.batch[0], 1, expected.shape()[1], c.problem.output_size + 3});
    const ConstTensorView part = slice(big.view(), 3, 1, line.output_size);
    const TensorView into(const_cast<void*>(part.data()), dtype, part.shape(), part.strides());
    const ConstTensorView residual_row(expected.data(), dtype, part.shape());
    const Tensor added = column(in_column, {.residual = expected});
    ASSERT_EQ(values_of(row(in_row, {.residual = residual_row})), values_of(added));
    row(in_row, into, {.residual = residual_row});
    ASSERT_EQ(values_of(into), values_of(added));
    for (const Index outside : {Index{0}, line.output_size + 1, line.output_size + 2}) {
      for (const double value : values_of(slice(big.view(), 3, outside, 1))) ASSERT_EQ(value, 0);
    }
  }
  EXPECT_GT(folded, cases(30));
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Fold, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
