// Shape inference: every row of the table in shape.h, what other libraries give, and the edges.
#include "upconv/shape.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "expect_error.h"
#include "upconv/error.h"

namespace upconv {
namespace {

constexpr Index kMax = std::numeric_limits<Index>::max();
constexpr Index kMin = std::numeric_limits<Index>::min();

Axis valid(Index filter, Index stride, Index dilation = 1, std::optional<Index> op = {}) {
  return {filter, stride, dilation, Padding::Kind::kValid, 0, 0, op};
}
Axis same(Index filter, Index stride, Index dilation = 1, std::optional<Index> op = {}) {
  return {filter, stride, dilation, Padding::Kind::kSame, 0, 0, op};
}
Axis crops(Index filter, Index stride, Index begin, Index end, Index dilation = 1,
           std::optional<Index> op = {}) {
  return {filter, stride, dilation, Padding::Kind::kExplicit, begin, end, op};
}

void expect_window(const Axis& axis, Index input, Index output, Index offset) {
  const Window window = infer_window(axis, input, "layer: axis 0");
  EXPECT_EQ(window.output, output) << "filter " << axis.filter << " stride " << axis.stride
                                   << " dilation " << axis.dilation << " input " << input;
  EXPECT_EQ(window.offset, offset) << "filter " << axis.filter << " stride " << axis.stride
                                   << " dilation " << axis.dilation << " input " << input;
}

Axis of_length(Axis axis, Index length) {
  axis.length = length;
  return axis;
}
Axis of_kind(Padding::Kind kind, Index filter, Index stride, Index length, Index begin = 0) {
  return {filter, stride, 1, kind, begin, 0, {}, length};
}

// ---- PerAxis

TEST(PerAxis, OneValueServesEveryAxis) {
  EXPECT_EQ(PerAxis(3).expand(3, "strides"), (std::vector<Index>{3, 3, 3}));
  EXPECT_EQ(PerAxis(Index{3}).expand(1, "strides"), std::vector<Index>{3});
  EXPECT_EQ(PerAxis(std::vector<Index>{3}).expand(2, "strides"), (std::vector<Index>{3, 3}));
}

TEST(PerAxis, OneValuePerAxisIsKept) {
  const PerAxis values = {1, 2, 3};
  EXPECT_EQ(values.expand(3, "strides"), (std::vector<Index>{1, 2, 3}));
  EXPECT_EQ(values.values(), (std::vector<Index>{1, 2, 3}));
}

TEST(PerAxis, OtherCountsAreErrors) {
  const auto expand = [](const PerAxis& values, int rank) {
    return [=] { values.expand(rank, "ConvolutionTranspose \"up\": filter_shape"); };
  };
  expect_error(ErrorKind::kInvalidArgument,
               {"ConvolutionTranspose \"up\": filter_shape has 3 values; it must have 1 or 2"},
               expand({1, 2, 3}, 2));
  expect_error(ErrorKind::kInvalidArgument, {"filter_shape has 2 values; it must have 1"},
               expand({1, 2}, 1));
  expect_error(ErrorKind::kInvalidArgument, {"has 0 values; it must have 1 or 3"},
               expand(std::vector<Index>{}, 3));
}

// ---- Padding

TEST(Padding, NamesInAnyCase) {
  for (const char* name : {"VALID", "valid", "Valid", "vAlId"}) {
    EXPECT_EQ(Padding(name).kind(), Padding::Kind::kValid) << name;
  }
  for (const std::string name : {"SAME", "same", "Same"}) {
    EXPECT_EQ(Padding(name).kind(), Padding::Kind::kSame) << name;
    EXPECT_TRUE(Padding(name).pairs().empty());
  }
}

TEST(Padding, OtherNamesAreErrors) {
  for (const char* name : {"", "full", "CAUSAL", "same ", "valid\0", "SAME_UPPER"}) {
    if (std::string(name) == "valid") continue;  // a NUL ends a C string
    expect_error(ErrorKind::kInvalidArgument, {"padding is \"", name, "VALID, SAME"},
                 [&] { Padding padding(name); });
  }
  expect_error(ErrorKind::kInvalidArgument, {"padding is \"a"}, [] { Padding padding("a\nb"); });
}

TEST(Padding, PairsAreKept) {
  const Padding padding = {{1, 2}, {-3, 0}};
  EXPECT_EQ(padding.kind(), Padding::Kind::kExplicit);
  EXPECT_EQ(padding.pairs(), (Padding::Pairs{{1, 2}, {-3, 0}}));
}

TEST(Padding, Prints) {
  EXPECT_EQ(to_string(Padding("valid")), "VALID");
  EXPECT_EQ(to_string(Padding("same")), "SAME");
  EXPECT_EQ(to_string(Padding({{1, 1}, {0, 2}})), "[[1, 1], [0, 2]]");
  EXPECT_EQ(to_string(Padding({{-1, 4}})), "[[-1, 4]]");
  EXPECT_EQ(to_string(Padding(Padding::Pairs{})), "[]");
}

// ---- Values that other libraries document or give

TEST(InferWindow, KerasExamples) {
  // The examples in Keras' documentation of Conv1DTranspose, Conv2DTranspose, Conv3DTranspose.
  expect_window(valid(3, 2), 10, 21, 0);
  expect_window(valid(2, 2), 10, 20, 0);
  expect_window(valid(2, 2), 8, 16, 0);
  expect_window(valid(2, 2), 12, 24, 0);
}

TEST(InferWindow, TensorFlowValid) {
  expect_window(valid(4, 2), 7, 16, 0);
  expect_window(valid(1, 1), 7, 7, 0);
  expect_window(valid(1, 3), 4, 12, 0);  // a filter shorter than the stride: gaps, the last too
  expect_window(valid(2, 5), 1, 5, 0);   //
  expect_window(valid(3, 1, 4), 5, 13, 0);
  expect_window(valid(2, 7, 3), 2, 14, 0);  // dilated 4 is shorter than stride 7
  expect_window(valid(3, 3, 4), 2, 12, 0);  // dilated 9 is longer
}

TEST(InferWindow, TensorFlowSame) {
  expect_window(same(4, 2), 16, 32, 1);
  expect_window(same(5, 2), 16, 32, 1);  // TensorFlow crops the odd one at the end
  expect_window(same(3, 2), 7, 14, 0);
  expect_window(same(3, 1), 7, 7, 1);
  expect_window(same(16, 8), 64, 512, 4);
  expect_window(same(9, 3), 85, 255, 3);
  expect_window(same(2, 5), 3, 15, 0);  // nothing to crop: the last 3 of each 5 are bias
  expect_window(same(3, 1, 4), 9, 9, 4);
  expect_window(same(3, 2, 3), 9, 18, 2);  // stride and dilation together
}

TEST(InferWindow, KerasOutputPadding) {
  expect_window(valid(3, 2, 1, 0), 10, 21, 0);
  expect_window(valid(3, 2, 1, 1), 10, 22, 0);
  expect_window(valid(1, 3, 1, 0), 4, 10, 0);  // given as 0 is not the same as absent
  expect_window(valid(1, 3, 1, 2), 4, 12, 0);
  expect_window(same(3, 2, 1, 0), 10, 19, 1);
  expect_window(same(3, 2, 1, 1), 10, 20, 0);
  expect_window(same(4, 2, 1, 0), 10, 18, 2);
  expect_window(same(4, 2, 1, 1), 10, 19, 1);
  expect_window(same(2, 3, 2, 2), 4, 12, 0);  // dilated 3 is odd
  expect_window(same(4, 2, 1, 0), 1, 0, 2);   // nothing is left: an empty result, no error
}

TEST(InferWindow, PyTorchExamples) {
  // From the documentation of ConvTranspose2d.
  expect_window(crops(3, 2, 0, 0), 50, 101, 0);
  expect_window(crops(3, 2, 4, 4), 50, 93, 4);
  expect_window(crops(5, 1, 2, 2), 100, 100, 2);
  expect_window(crops(3, 2, 1, 1, 1, 1), 6, 12, 1);
  // DCGAN.
  expect_window(crops(4, 1, 0, 0), 1, 4, 0);
  expect_window(crops(4, 2, 1, 1), 4, 8, 1);
  // Output padding may reach the stride when it stays below the dilation.
  expect_window(crops(3, 1, 0, 0, 3, 2), 5, 13, 0);
}

TEST(InferWindow, OnnxNodeTests) {
  expect_window(crops(3, 1, 0, 0), 3, 5, 0);     // convtranspose
  expect_window(crops(3, 3, 1, 1), 3, 7, 1);     // convtranspose_pads, first axis
  expect_window(crops(3, 2, 2, 2), 3, 3, 2);     // and second
  expect_window(crops(2, 1, 0, 0, 2), 3, 5, 0);  // convtranspose_dilations
  expect_window(crops(3, 3, 0, 0, 1, 1), 3, 10, 0);
  expect_window(crops(3, 2, 0, 0, 1, 1), 3, 8, 0);
  // A dilated filter is (k - 1) * d + 1 long, not k + d - 1 (onnxruntime #2518).
  expect_window(crops(3, 2, 0, 0, 2), 47, 97, 0);
}

TEST(InferWindow, AsymmetricAndNegativeCrops) {
  expect_window(crops(4, 2, 0, 3), 5, 9, 0);
  expect_window(crops(4, 2, 3, 0), 5, 9, 3);
  expect_window(crops(4, 2, -2, 1), 5, 13, -2);  // two elements before the full result
  expect_window(crops(4, 2, 1, -2), 5, 13, 1);
  expect_window(crops(1, 1, -3, -4), 1, 8, -3);
  expect_window(crops(4, 2, 20, -12), 5, 4, 20);  // wholly beyond the full result: bias only
}

// ---- The table, derived once more

TEST(InferWindow, TheInverseOfTensorFlowsForwardConvolution) {
  // tf.nn.conv_transpose takes an output length o exactly when the forward convolution of o gives
  // i: ceil(o / s) with SAME, ceil((o - k' + 1) / s) with VALID. And SAME's offset is the padding
  // before the first element in that forward convolution.
  const auto ceil_div = [](Index a, Index b) { return (a + b - 1) / b; };
  for (Index k = 1; k <= 7; ++k) {
    for (Index s = 1; s <= 6; ++s) {
      for (Index d = 1; d <= 4; ++d) {
        for (Index i = 1; i <= 9; ++i) {
          const Index extent = (k - 1) * d + 1;
          const Index v = infer_window(valid(k, s, d), i, "").output;
          EXPECT_EQ(ceil_div(v - extent + 1, s), i);
          EXPECT_GE(v, (i - 1) * s + extent);  // nothing of the full result is lost
          const Window w = infer_window(same(k, s, d), i, "");
          EXPECT_EQ(ceil_div(w.output, s), i);
          EXPECT_EQ(w.offset, std::max<Index>(extent - s, 0) / 2);
        }
      }
    }
  }
}

TEST(InferWindow, GivenOutputPaddingAgreesWithPyTorchsFormula) {
  // Keras' rule with padding p = 0 (VALID) and p = k' div 2 (SAME).
  for (Index k = 1; k <= 6; ++k) {
    for (Index s = 1; s <= 5; ++s) {
      for (Index d = 1; d <= 3; ++d) {
        for (Index op = 0; op < s; ++op) {
          for (Index i = 1; i <= 6; ++i) {
            const Index extent = (k - 1) * d + 1;
            const Index torch = (i - 1) * s + d * (k - 1) + op + 1;
            const Index p = extent / 2;
            EXPECT_EQ(infer_window(valid(k, s, d, op), i, "").output, torch);
            EXPECT_EQ(infer_window(same(k, s, d, op), i, "").output, torch - 2 * p);
            if (torch >= 2 * p) {
              const Window w = infer_window(crops(k, s, p, p, d, op), i, "");
              EXPECT_EQ(w.output, torch - 2 * p);
              EXPECT_EQ(w.offset, p);
            }
          }
        }
      }
    }
  }
}

// ---- Empty inputs

TEST(InferWindow, EmptyInputGivesTheFormulaOrNothing) {
  expect_window(valid(4, 2), 0, 2, 0);
  expect_window(valid(2, 5), 0, 0, 0);
  expect_window(valid(4, 2, 1, 1), 0, 3, 0);
  expect_window(valid(1, 5, 1, 0), 0, 0, 0);  // 1 - 5 is below 0
  expect_window(same(4, 2), 0, 0, 1);
  expect_window(same(3, 2, 1, 1), 0, 0, 0);
  EXPECT_EQ(infer_window(same(3, 1, 1, 0), 0, "").output, 0);
  expect_window(crops(4, 2, 1, 1), 0, 0, 1);
  expect_window(crops(4, 2, 0, 0), 0, 2, 0);
  expect_window(crops(4, 2, 9, 9), 0, 0, 9);
  expect_window(crops(1, 1, -2, -3), 0, 5, -2);
}

// ---- Errors

TEST(InferWindow, NegativeOutputsAreErrors) {
  expect_window(crops(3, 1, 1, 2), 1, 0, 1);  // none left is a result
  expect_error(
      ErrorKind::kInvalidArgument,
      {"ConvolutionTranspose \"decoder\": axis 1 has output length -1", "input 1", "filter 3",
       "padding [2, 2]", "it must be at least 0"},
      [] { infer_window(crops(3, 1, 2, 2), 1, "ConvolutionTranspose \"decoder\": axis 1"); });
  expect_error(ErrorKind::kInvalidArgument, {"output_padding 1"},
               [] { infer_window(crops(3, 2, 9, 9, 1, 1), 1, "axis 0"); });
}

TEST(InferWindow, OptionsOutOfRangeAreErrors) {
  const auto infer = [](Axis axis, Index input) {
    return [=] { infer_window(axis, input, "layer: axis 0"); };
  };
  for (const Index bad : {Index{0}, Index{-1}, kMin}) {
    const std::string value = std::to_string(bad);
    expect_error(ErrorKind::kInvalidArgument, {"filter length", value, "at least 1"},
                 infer(valid(bad, 1), 1));
    expect_error(ErrorKind::kInvalidArgument, {"stride", value, "at least 1"},
                 infer(same(1, bad), 1));
    expect_error(ErrorKind::kInvalidArgument, {"dilation", value, "at least 1"},
                 infer(crops(1, 1, 0, 0, bad), 1));
  }
  expect_error(ErrorKind::kInvalidArgument, {"output_padding -1", "at least 0"},
               infer(valid(1, 1, 1, -1), 1));
  expect_error(ErrorKind::kInvalidArgument, {"input length -1", "at least 0"},
               infer(valid(1, 1), -1));
}

TEST(InferWindow, HugeDilationIsExact) {
  // The dilation that overflows 32 bits elsewhere (PyTorch #142457).
  expect_window(crops(3, 1, 0, 0, 1879048192), 5, 3758096389, 0);
  expect_window(same(3, 2, 1879048192), 5, 10, 1879048191);
  expect_window(valid(2, 3, 1879048192), 2, 1879048196, 0);
}

TEST(InferWindow, LengthsOver62BitsAreErrors) {
  constexpr Index kEdge = Index{1} << 62;
  expect_window(valid(1, 1), kEdge - 1, kEdge - 1, 0);
  const std::vector<std::pair<Axis, Index>> cases = {
      {valid(1, 1), kEdge},
      {valid(1, 1), kMax},
      {valid(1, kMax), 2},
      {valid(1, 5717580618211388939), 3},  // TensorFlow #85246
      {valid(kMax, kMax, kMax), kMax},
      {same(kMax, kMax, kMax), kMax},
      {same(kMax, kMax, kMax, kMax), kMax},
      {crops(kMax, kMax, kMin, kMin, kMax, kMax), kMax},
      {crops(1, 1, kMin, 0), 1},
      {crops(1, 1, 0, kMin), 1},
      {crops(1, 1, kMax, kMin), 1},
      {crops(1, 1, kMax, kMax), 0},
      {crops(1, 1, kMax, kMax), 1},
      {valid(2, 1, kMax), 1},
      {same(2, 1, kMax), 0},
      {valid(1, 1, 1, kMax), 1},
  };
  for (const auto& [axis, input] : cases) {
    expect_error(ErrorKind::kLimitExceeded, {"layer: axis 2", "62 bits"},
                 [&, i = input, a = axis] { infer_window(a, i, "layer: axis 2"); });
  }
}

// ---- lengths that are asked for

TEST(AskedLengths, AreThoseOfTheConvolution) {
  // Forward, ceil((o - k' + 1) / s) and ceil(o / s) and (o + b + e - k') / s + 1, must be 4.
  for (const Index length : {9, 10}) {
    expect_window(of_length(valid(3, 2), length), 4, length, 0);
    expect_window(of_length(crops(3, 2, 1, 2), length - 3), 4, length - 3, 1);
  }
  expect_window(of_length(same(3, 2), 7), 4, 7, 1);
  expect_window(of_length(same(3, 2), 8), 4, 8, 0);
  for (const Index length : {8, 11}) {
    expect_error(ErrorKind::kInvalidArgument, {"must be from 9 to 10"},
                 [&] { infer_window(of_length(valid(3, 2), length), 4, "axis 0"); });
  }
  expect_error(ErrorKind::kInvalidArgument, {"must be from 7 to 8"},
               [] { infer_window(of_length(same(3, 2), 9), 4, "axis 0"); });
  expect_error(ErrorKind::kInvalidArgument, {"has output length -1; it must be at least 0"},
               [] { infer_window(of_length(same(3, 2), -1), 4, "axis 0"); });
  expect_error(ErrorKind::kLimitExceeded, {"is too long"},
               [] { infer_window(of_length(valid(3, kMax), 1), 3, "axis 0"); });
}

TEST(AskedLengths, OfAnEmptyInputAreThoseThatAreLeft) {
  expect_window(of_length(valid(3, 2), 1), 0, 1, 0);
  expect_window(of_length(same(3, 2), 0), 0, 0, 0);
}

TEST(AskedLengths, SplitCropsHalfAtEachEnd) {
  const auto upper = Padding::Kind::kSplitUpper, lower = Padding::Kind::kSplitLower;
  expect_window(of_kind(upper, 3, 2, 6), 4, 6, 1);  // 9 - 6 = 3: 1 and 2
  expect_window(of_kind(lower, 3, 2, 6), 4, 6, 2);
  expect_window(of_kind(upper, 3, 2, 7), 4, 7, 1);
  expect_window(of_kind(lower, 3, 2, 7), 4, 7, 1);
  for (const auto kind : {upper, lower}) {
    expect_window(of_kind(kind, 3, 2, 20), 4, 20, 0);  // longer: at the end
    expect_window(of_kind(kind, 3, 2, 0), 4, 0, kind == upper ? 4 : 5);
  }
  Axis extended = of_kind(upper, 3, 2, 6);
  extended.output_padding = 1;  // a part of what is split
  expect_window(extended, 4, 6, 2);
}

TEST(AskedLengths, AFixedBeginningCropsTheRestAtTheEnd) {
  for (const Index length : {1, 7, 30}) {
    expect_window(of_kind(Padding::Kind::kFixedBegin, 3, 2, length, 2), 4, length, 2);
  }
}

TEST(Padding, OfEveryKindHasAText) {
  EXPECT_EQ(to_string(Padding("split_upper")), "SPLIT_UPPER");
  EXPECT_EQ(to_string(Padding("Split_Lower")), "SPLIT_LOWER");
  EXPECT_EQ(to_string(Padding::fixed_begin({1, -2})), "[[1, null], [-2, null]]");
}

}  // namespace
}  // namespace upconv
