#include "upconv/shape.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "files.h"
#include "upconv/error.h"

namespace upconv {

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

/// "input 5, filter 3, stride 2, dilation 1, VALID padding, output_padding 1"
std::string describe(const Axis& axis, Index input) {
  std::string text = "input " + std::to_string(input) + ", filter " + std::to_string(axis.filter) +
                     ", stride " + std::to_string(axis.stride) + ", dilation " +
                     std::to_string(axis.dilation) + ", ";
  switch (axis.padding) {
    case Padding::Kind::kValid:
      text += "VALID padding";
      break;
    case Padding::Kind::kSame:
      text += "SAME padding";
      break;
    case Padding::Kind::kExplicit:
      text += "padding [" + std::to_string(axis.crop_begin) + ", " + std::to_string(axis.crop_end) +
              "]";
      break;
  }
  if (axis.output_padding) text += ", output_padding " + std::to_string(*axis.output_padding);
  return text;
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
  at_least("input length", input, 0);
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
  if (upper == "VALID") {
    kind_ = Kind::kValid;
  } else if (upper == "SAME") {
    kind_ = Kind::kSame;
  } else {
    throw Error(ErrorKind::kInvalidArgument,
                "padding is \"" + internal::printable(name) +
                    "\"; it must be VALID, SAME or one [begin, end] pair per spatial axis");
  }
}

std::string to_string(const Padding& padding) {
  switch (padding.kind()) {
    case Padding::Kind::kValid:
      return "VALID";
    case Padding::Kind::kSame:
      return "SAME";
    case Padding::Kind::kExplicit:
      break;
  }
  std::string text = "[";
  for (const auto& [begin, end] : padding.pairs()) {
    if (text.size() > 1) text += ", ";
    text += "[" + std::to_string(begin) + ", " + std::to_string(end) + "]";
  }
  return text + "]";
}

Window infer_window(const Axis& axis, Index input, std::string_view what) {
  check_axis(axis, input, what);
  const Wide stride = axis.stride;
  const Wide extent = Wide{axis.filter - 1} * axis.dilation + 1;  // k', the dilated filter
  const Wide before_last = (Wide{input} - 1) * stride;
  const Wide full = before_last + extent;
  const Wide extra = axis.output_padding.value_or(0);

  Wide output = 0;
  switch (axis.padding) {
    case Padding::Kind::kValid:
      output = axis.output_padding ? full + extra : before_last + std::max(extent, stride);
      break;
    case Padding::Kind::kSame:
      output = axis.output_padding ? before_last + extent % 2 + extra : Wide{input} * stride;
      break;
    case Padding::Kind::kExplicit:
      output = full + extra - axis.crop_begin - axis.crop_end;
      break;
  }
  if (input == 0) output = std::max<Wide>(output, 0);

  Wide offset = 0;
  if (axis.padding == Padding::Kind::kSame) offset = std::max<Wide>(full - output, 0) / 2;
  if (axis.padding == Padding::Kind::kExplicit) offset = axis.crop_begin;

  // The last three are what kernels and callers count with: how far the full result reaches, and
  // where in it the output begins and ends.
  if (!fits(extent) || !fits(full) || !fits(output) || !fits(offset) || !fits(offset + output)) {
    throw Error(ErrorKind::kLimitExceeded, std::string(what) + " is too long (" +
                                               describe(axis, input) +
                                               "); lengths and offsets must fit 62 bits");
  }
  if (output < 0) {
    invalid(what, " has output length " + std::to_string(static_cast<Index>(output)) + " (" +
                      describe(axis, input) + "); it must be at least 0");
  }
  return {static_cast<Index>(output), static_cast<Index>(offset)};
}

}  // namespace upconv
