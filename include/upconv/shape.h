// Shape inference: from a padding convention to a window onto the full result.
//
// Per spatial axis, with i = input length, k = filter length, s = stride, d = dilation:
//
//   full[z] = sum over (n, t) with n*s + t*d == z of x[n] * w[t],   0 <= z < (i-1)*s + (k-1)*d + 1
//   y[j]    = full[j + offset],                                     0 <= j < output
//
// and full is 0 outside its range. A convention (Keras, PyTorch, ONNX ...) decides `output` and
// `offset` and nothing else; everything after this header knows only windows.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// One number for every spatial axis, or one number per axis.
class PerAxis {
 public:
  template <std::integral Integer>
  PerAxis(Integer value) : values_{static_cast<Index>(value)} {}
  PerAxis(std::initializer_list<Index> values) : values_(values) {}
  PerAxis(std::vector<Index> values) : values_(std::move(values)) {}
  PerAxis(const std::vector<int>& values) : values_(values.begin(), values.end()) {}

  const std::vector<Index>& values() const noexcept { return values_; }
  /// `rank` values. @throws Error kInvalidArgument unless there are 1 or `rank` of them;
  /// the message starts with `what`.
  std::vector<Index> expand(int rank, std::string_view what) const;

 private:
  std::vector<Index> values_;
};

/// How much of the full result is kept.
class Padding {
 public:
  enum class Kind {
    kValid,
    kSame,
    kExplicit,
    kSplitUpper,  ///< cropped to output_lengths, half at each end, the odd element at the end
    kSplitLower,  ///< the same with the odd element at the beginning
    kFixedBegin,  ///< cropped by fixed numbers at the beginning, and to output_lengths at the end
  };
  using Pairs = std::vector<std::pair<Index, Index>>;

  /// "VALID", "SAME", "SPLIT_UPPER" or "SPLIT_LOWER", in any case. The last two need
  /// output_lengths. @throws Error kInvalidArgument for other words.
  Padding(std::string_view name);
  Padding(const char* name) : Padding(std::string_view(name)) {}
  Padding(const std::string& name) : Padding(std::string_view(name)) {}
  Padding(std::nullptr_t) = delete;
  /// How many elements are cropped from the begin and the end of each axis, as PyTorch's and ONNX's
  /// padding; negative numbers extend the output by elements that only see the bias.
  Padding(Pairs pairs) : kind_(Kind::kExplicit), pairs_(std::move(pairs)) {}
  Padding(std::initializer_list<std::pair<Index, Index>> pairs)
      : Padding(Pairs(pairs.begin(), pairs.end())) {}

  /// Crops `begins[axis]` elements at the beginning (negative: extends) and, at the end, what is
  /// beyond output_lengths, which it needs.
  static Padding fixed_begin(const std::vector<Index>& begins);

  Kind kind() const noexcept { return kind_; }
  /// One pair per axis; empty unless kExplicit or kFixedBegin, whose ends are 0 here.
  const Pairs& pairs() const noexcept { return pairs_; }

 private:
  Kind kind_ = Kind::kValid;
  Pairs pairs_;
};

/// The name, "[[1, 1], [0, 2]]", or with fixed beginnings "[[1, null], [0, null]]".
std::string to_string(const Padding& padding);

/// One spatial axis of a layer, with every option checked.
struct Axis {
  Index filter = 1;    ///< taps, at least 1
  Index stride = 1;    ///< at least 1
  Index dilation = 1;  ///< at least 1
  Padding::Kind padding = Padding::Kind::kValid;
  Index crop_begin = 0;  ///< with explicit padding
  Index crop_end = 0;
  std::optional<Index> output_padding;
  std::optional<Index> length = {};  ///< the output length asked for
};

/// The part of one axis' full result that is the output.
struct Window {
  Index output = 0;  ///< output length, at least 0
  Index offset = 0;  ///< index in the full result of output element 0; may be negative
};

/// With k' = (k-1)*d + 1, `op` = output_padding and full = (i-1)*s + k', for an input length i >=
/// 0:
///
/// | padding            | output                       | offset                            |
/// |--------------------|------------------------------|-----------------------------------|
/// | VALID, op absent   | (i-1)*s + max(k', s)         | 0                                 |
/// | VALID, op          | full + op                    | 0                                 |
/// | SAME, op absent    | i*s                          | max(full - o, 0) div 2            |
/// | SAME, op           | (i-1)*s + (k' mod 2) + op    | max(full - o, 0) div 2            |
/// | explicit begin,end | full + (op or 0) - begin - end | begin                           |
/// | SPLIT_UPPER        | the length asked for         | t div 2, t = max(full + op - o, 0) |
/// | SPLIT_LOWER        | the length asked for         | t - t div 2                       |
/// | fixed begin        | the length asked for         | begin                             |
///
/// (Keras `_get_output_shape_given_tf_padding`; TFP VALID/SAME; PyTorch; ONNX ConvTranspose-22.) An
/// empty input gives max(formula, 0).
///
/// A length o that is asked for takes the place of op with VALID, SAME and explicit padding. It
/// must be one of the s lengths that the convolution with that padding takes to i (TensorFlow's
/// output_shape, PyTorch's output_size, oneDNN's destination): from full - begin - end, or with
/// SAME from (i-1)*s + 1. The offset is the table's.
/// @param what starts the message, for example `ConvolutionTranspose "decoder": axis 1`.
/// @throws Error kInvalidArgument when the output would be negative for i >= 1, when the length
/// asked
///         for cannot be had, or the axis or the input is outside its range above; kLimitExceeded
///         when a length or an offset does not fit 62 bits.
Window infer_window(const Axis& axis, Index input, std::string_view what);

}  // namespace upconv::UPCONV_ABI
