#include "upconv/shape.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "files.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

// Wide enough that no formula below can overflow, whatever 64-bit numbers go in: a product is below
// 2^126, the sum of two products and a few terms below 2^127.
__extension__ using Wide = __int128;

/// Lengths and offsets stay below this, so that sums of two of them never overflow an Index.
constexpr Wide kLimit = Wide{1} << 62;

bool fits(Wide value) { return -kLimit < value && value < kLimit; }

[[noreturn]] void invalid(std::string_view what, const std::string& text) {
  throw Error(ErrorKind::kInvalidArgument, std::string(what) + text);
}

/// Upper case; "" for padding in numbers.
std::string_view name_of(Padding::Kind kind) {
  switch (kind) {
    case Padding::Kind::kValid:
      return "VALID";
    case Padding::Kind::kSame:
      return "SAME";
    case Padding::Kind::kSplitUpper:
      return "SPLIT_UPPER";
    case Padding::Kind::kSplitLower:
      return "SPLIT_LOWER";
    case Padding::Kind::kExplicit:
    case Padding::Kind::kFixedBegin:
      break;
  }
  return "";
}

/// "[1, 2]", or with a fixed beginning "[1, null]".
std::string pair_text(Padding::Kind kind, Index begin, Index end) {
  return "[" + std::to_string(begin) + ", " +
         (kind == Padding::Kind::kFixedBegin ? "null" : std::to_string(end)) + "]";
}

/// "input 5, filter 3, stride 2, dilation 1, VALID padding, output_padding 1"
std::string describe(const Axis& axis, Index input) {
  std::string text = "input " + std::to_string(input) + ", filter " + std::to_string(axis.filter) +
                     ", stride " + std::to_string(axis.stride) + ", dilation " +
                     std::to_string(axis.dilation) + ", ";
  const std::string_view name = name_of(axis.padding);
  text += name.empty() ? "padding " + pair_text(axis.padding, axis.crop_begin, axis.crop_end)
                       : std::string(name) + " padding";
  if (axis.output_padding) text += ", output_padding " + std::to_string(*axis.output_padding);
  return text;
}

[[noreturn]] void too_long(const Axis& axis, Index input, std::string_view what) {
  throw Error(ErrorKind::kLimitExceeded, std::string(what) + " is too long (" +
                                             describe(axis, input) +
                                             "); lengths and offsets must fit 62 bits");
}

/// Kinds that crop to the length asked for, whatever it is.
bool takes_any_length(Padding::Kind kind) {
  return kind == Padding::Kind::kSplitUpper || kind == Padding::Kind::kSplitLower ||
         kind == Padding::Kind::kFixedBegin;
}

/// An Axis is made by a layer that has checked its options; a caller of its own must be told too.
void check_axis(const Axis& axis, Index input, std::string_view what) {
  const auto at_least = [&](std::string_view name, Index value, Index least) {
    if (value >= least) return;
    invalid(what, " has " + std::string(name) + " " + std::to_string(value) +
                      "; it must be at least " + std::to_string(least));
  };
  at_least("filter length", axis.filter, 1);
  at_least("stride", axis.stride, 1);
  at_least("dilation", axis.dilation, 1);
  if (axis.output_padding) at_least("output_padding", *axis.output_padding, 0);
  if (axis.length) at_least("output length", *axis.length, 0);
  at_least("input length", input, 0);
  if (takes_any_length(axis.padding) && !axis.length) {
    invalid(what,
            " has no output length (" + describe(axis, input) + "); output_lengths must give it");
  }
}

/// The output length that the options alone give; `extent` is k'.
Wide length_inferred(const Axis& axis, Index input, Wide extent) {
  const Wide before_last = (Wide{input} - 1) * axis.stride;
  const Wide extra = axis.output_padding.value_or(0);
  switch (axis.padding) {
    case Padding::Kind::kValid:
      return before_last +
             (axis.output_padding ? extent + extra : std::max<Wide>(extent, axis.stride));
    case Padding::Kind::kSame:
      return before_last + (axis.output_padding ? extent % 2 + extra : Wide{axis.stride});
    default:
      return before_last + extent + extra - axis.crop_begin - axis.crop_end;
  }
}

/// The length asked for, where the convolution takes it to `input`: there are `stride` such
/// lengths.
Wide length_asked_for(const Axis& axis, Index input, Wide extent, std::string_view what) {
  const Wide length = *axis.length;
  if (takes_any_length(axis.padding)) return length;
  Wide first = (Wide{input} - 1) * axis.stride;
  first += axis.padding == Padding::Kind::kSame ? 1 : extent;
  if (axis.padding == Padding::Kind::kExplicit) first -= Wide{axis.crop_begin} + axis.crop_end;
  const Wide shortest = std::max<Wide>(first, 0);
  const Wide longest = std::max<Wide>(first + axis.stride - 1, 0);
  if (shortest <= length && length <= longest) return length;
  if (!fits(longest)) too_long(axis, input, what);
  invalid(what, " is asked for output length " + std::to_string(*axis.length) + " (" +
                    describe(axis, input) + "); it must be from " +
                    std::to_string(static_cast<Index>(shortest)) + " to " +
                    std::to_string(static_cast<Index>(longest)) +
                    ", what the convolution takes to the input's length");
}

/// Where the output begins in the full result.
Wide offset_of(const Axis& axis, Wide full, Wide output) {
  const Wide cropped = std::max<Wide>(full + axis.output_padding.value_or(0) - output, 0);
  switch (axis.padding) {
    case Padding::Kind::kValid:
      return 0;
    case Padding::Kind::kSame:
      return std::max<Wide>(full - output, 0) / 2;
    case Padding::Kind::kExplicit:
    case Padding::Kind::kFixedBegin:
      return axis.crop_begin;
    case Padding::Kind::kSplitUpper:
      return cropped / 2;
    case Padding::Kind::kSplitLower:
      return cropped - cropped / 2;
  }
  return 0;
}

}  // namespace

std::vector<Index> PerAxis::expand(int rank, std::string_view what) const {
  const std::size_t wanted = static_cast<std::size_t>(std::max(rank, 1));
  if (values_.size() == wanted) return values_;
  if (values_.size() == 1) return std::vector<Index>(wanted, values_.front());
  invalid(what, " has " + std::to_string(values_.size()) + " values; it must have 1" +
                    (wanted == 1 ? "" : " or " + std::to_string(wanted)));
}

Padding::Padding(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');  // whatever the locale is
  }
  for (const Kind kind : {Kind::kValid, Kind::kSame, Kind::kSplitUpper, Kind::kSplitLower}) {
    if (upper != name_of(kind)) continue;
    kind_ = kind;
    return;
  }
  throw Error(ErrorKind::kInvalidArgument,
              "padding is \"" + internal::printable(name) +
                  "\"; it must be VALID, SAME, SPLIT_UPPER, SPLIT_LOWER or one [begin, end] pair "
                  "per spatial axis");
}

Padding Padding::fixed_begin(const std::vector<Index>& begins) {
  Pairs pairs;
  for (const Index begin : begins) pairs.emplace_back(begin, 0);
  Padding padding(std::move(pairs));
  padding.kind_ = Kind::kFixedBegin;
  return padding;
}

std::string to_string(const Padding& padding) {
  const std::string_view name = name_of(padding.kind());
  if (!name.empty()) return std::string(name);
  std::string text = "[";
  for (const auto& [begin, end] : padding.pairs()) {
    if (text.size() > 1) text += ", ";
    text += pair_text(padding.kind(), begin, end);
  }
  return text + "]";
}

Window infer_window(const Axis& axis, Index input, std::string_view what) {
  check_axis(axis, input, what);
  const Wide extent = Wide{axis.filter - 1} * axis.dilation + 1;  // k', the dilated filter
  const Wide full = (Wide{input} - 1) * axis.stride + extent;
  Wide output = axis.length ? length_asked_for(axis, input, extent, what)
                            : length_inferred(axis, input, extent);
  if (input == 0) output = std::max<Wide>(output, 0);
  const Wide offset = offset_of(axis, full, output);

  // The last three are what kernels and callers count with: how far the full result reaches, and
  // where in it the output begins and ends.
  if (!fits(extent) || !fits(full) || !fits(output) || !fits(offset) || !fits(offset + output)) {
    too_long(axis, input, what);
  }
  if (output < 0) {
    invalid(what, " has output length " + std::to_string(static_cast<Index>(output)) + " (" +
                      describe(axis, input) + "); it must be at least 0");
  }
  return {static_cast<Index>(output), static_cast<Index>(offset)};
}

}  // namespace upconv::UPCONV_ABI
