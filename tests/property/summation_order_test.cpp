// The order of summation is part of the contract: bias, then taps in row-major order, then input
// channels, one fused multiply-add each (a product and a sum where the ISA has no fused one).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bind.h"
#include "cases.h"
#include "layer_state.h"
#include "layers.h"
#include "wide_pieces.h"

namespace upconv::test {
namespace {

class SummationOrder : public testing::TestWithParam<Isa> {};

/// Rank 2, SAME or VALID, one output after the other, in T and in the documented order.
template <typename T>
std::vector<double> in_order(const Case& c, bool fused) {
  const Problem& p = c.problem;
  const ReferenceWindow window = reference_window(p);
  std::vector<double> y;
  for (Index oh = 0; oh < window.output[0]; ++oh) {
    for (Index ow = 0; ow < window.output[1]; ++ow) {
      for (Index co = 0; co < p.output_size; ++co) {
        T sum = c.bias.empty() ? T{0} : static_cast<T>(c.bias[static_cast<std::size_t>(co)]);
        for (Index th = 0; th < p.filter[0]; ++th) {
          for (Index tw = 0; tw < p.filter[1]; ++tw) {
            const Index zh = oh + window.offset[0] - th * p.dilations[0];
            const Index zw = ow + window.offset[1] - tw * p.dilations[1];
            if (zh < 0 || zw < 0 || zh % p.strides[0] != 0 || zw % p.strides[1] != 0) continue;
            const Index h = zh / p.strides[0], w = zw / p.strides[1];
            if (h >= p.input[0] || w >= p.input[1]) continue;
            for (Index ci = 0; ci < p.input_size; ++ci) {
              const auto at = static_cast<std::size_t>((h * p.input[1] + w) * p.input_size + ci);
              const auto from = static_cast<std::size_t>(
                  ((th * p.filter[1] + tw) * p.input_size + ci) * p.output_size + co);
              const T a = static_cast<T>(c.x[at]), b = static_cast<T>(c.kernel[from]);
              sum = fused ? std::fma(a, b, sum) : static_cast<T>(sum + static_cast<T>(a * b));
            }
          }
        }
        y.push_back(static_cast<double>(sum));
      }
    }
  }
  return y;
}

TEST_P(SummationOrder, IsBiasTapsInputChannelsBitForBit) {
  for (std::uint64_t seed = 1; seed <= cases(60); ++seed) {
    Random random(seed);
    Problem problem{.batch = {},
                    .input = {draw(random, 1, 6), draw(random, 1, 9)},
                    .input_size = draw(random, 1, 19),
                    .output_size = draw(random, 1, 60),
                    .filter = {draw(random, 1, 5), draw(random, 1, 5)},
                    .strides = {draw(random, 1, 3), draw(random, 1, 3)},
                    .dilations = {draw(random, 1, 2), draw(random, 1, 3)},
                    .padding = seed % 2 ? "SAME" : "VALID",
                    .pairs = {},
                    .output_padding = {}};
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const Case c = make_case(problem, dtype, Values::kNormal, random);
      ConvolutionTransposeOptions options = c.options();
      options.isa = GetParam();
      const Tensor y = ConvolutionTranspose(options)(c.input());
      const bool fused = GetParam() != Isa::kSse41;
      const std::vector<double> expected =
          dtype == DType::kFloat32 ? in_order<float>(c, fused) : in_order<double>(c, fused);
      ASSERT_EQ(values_of(y), expected) << "seed " << seed << " " << problem.text();
    }
  }
}

/// True when the wide strategy sums such a call piece by piece.
bool in_pieces(const Case& c, Isa isa) {
  const internal::CheckedOptions checked = internal::check_options(c.options());
  const internal::LayerFacts facts = layer_facts(checked, isa);
  const internal::CallShape shape = internal::check_input_shape(checked, c.input_shape());
  const Tensor x = c.input();
  Tensor y(c.dtype, shape.output);
  internal::BoundCall bound;
  internal::bind(bound, checked, shape, facts, x, y.view(), {});
  return internal::pieces_pay(bound.call, internal::wide_layout(facts));
}

TEST_P(SummationOrder, IsTheSamePieceByPiece) {
  const Problem problems[] = {
      make_problem({}, {4, 4}, 300, 48, {4, 4}, {2, 2}, {1, 1}, "SAME"),     // small boxes
      make_problem({}, {4, 4}, 300, 53, {5, 5}, {2, 2}, {1, 1}, "SAME"),     // a padded block
      make_problem({}, {3, 5}, 1100, 25, {3, 2}, {2, 1}, {1, 1}, "VALID"),   // many input channels
      make_problem({}, {2, 6}, 2100, 50, {3, 3}, {2, 3}, {3, 2}, "VALID"),   // dilation with stride
      make_problem({}, {20, 13}, 2100, 17, {2, 2}, {2, 2}, {1, 1}, "SAME"),  // several slabs
      make_problem({}, {1, 300}, 2100, 24, {1, 1}, {2, 3}, {1, 1}, "SAME"),  // phases of bias alone
  };
  for (const Problem& p : problems) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      Random random(3);
      const Case c = make_case(p, dtype, Values::kNormal, random);
      EXPECT_TRUE(in_pieces(c, GetParam())) << p.text();
      ConvolutionTransposeOptions options = c.options();
      options.isa = GetParam();
      const bool fused = GetParam() != Isa::kSse41;
      const std::vector<double> expected =
          dtype == DType::kFloat32 ? in_order<float>(c, fused) : in_order<double>(c, fused);
      const ConvolutionTranspose layer(options);
      for (const int threads : {1, 3}) {
        ASSERT_EQ(values_of(layer(c.input(), {.threads = threads})), expected) << p.text();
      }
      // An activation and a residual are applied once, to whole sums.
      options.activation_fn = "relu";
      const Tensor negative = tensor_of(dtype, layer.output_shape(c.input_shape()),
                                        std::vector<double>(expected.size(), -1));
      const std::vector<double> got =
          values_of(ConvolutionTranspose(options)(c.input(), {.residual = negative}));
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double sum = dtype == DType::kFloat32
                               ? static_cast<double>(static_cast<float>(expected[i]) - 1.0F)
                               : expected[i] - 1;
        ASSERT_EQ(got[i], std::max(sum, 0.0)) << p.text();
      }
      const std::vector<double> clamped = values_of(ConvolutionTranspose(options)(c.input()));
      for (std::size_t i = 0; i < clamped.size(); ++i) {
        ASSERT_EQ(clamped[i], std::max(expected[i], 0.0)) << p.text();
      }
    }
  }
}

TEST_P(SummationOrder, IsTheSameWhereMoreTapsThanInputs) {
  const Problem problems[] = {
      make_problem({}, {1, 1}, 2, 64, {7, 7}, {1, 1}, {1, 1}, "VALID"),   // an output per tap
      make_problem({}, {2, 3}, 5, 48, {3, 9}, {1, 1}, {1, 1}, "VALID"),   // all inputs, many taps
      make_problem({}, {3, 2}, 9, 112, {2, 9}, {2, 2}, {1, 1}, "SAME"),   // phases of 5 and 4 taps
      make_problem({}, {1, 4}, 3, 64, {1, 17}, {1, 3}, {1, 1}, "VALID"),  // a window inside
      make_problem({}, {1, 2}, 3, 16, {1, 7}, {1, 2}, {1, 3}, "VALID"),   // dilation: every third
      make_problem({}, {2, 2}, 3, 61, {5, 5}, {1, 1}, {1, 1}, "VALID"),   // a padded block
  };
  for (const Problem& p : problems) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      Random random(4);
      const Case c = make_case(p, dtype, Values::kNormal, random);
      ConvolutionTransposeOptions options = c.options();
      options.isa = GetParam();
      options.arithmetic = Arithmetic::kDirect;
      const bool fused = GetParam() != Isa::kSse41;
      std::vector<double> expected =
          dtype == DType::kFloat32 ? in_order<float>(c, fused) : in_order<double>(c, fused);
      ASSERT_EQ(values_of(ConvolutionTranspose(options)(c.input())), expected) << p.text();
      options.activation_fn = "relu";
      for (double& value : expected) value = std::max(value, 0.0);
      ASSERT_EQ(values_of(ConvolutionTranspose(options)(c.input())), expected) << p.text();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, SummationOrder, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
