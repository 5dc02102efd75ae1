// Any numbers as a layer's options and an input's shape: a window or an Error, never an overflow
// (which the undefined-behaviour sanitizer reports).
#include <iterator>
#include <optional>
#include <vector>

#include "bytes.h"
#include "options.h"
#include "upconv/error.h"

using namespace upconv;

namespace {

std::vector<Index> numbers(fuzz::Bytes& bytes, int rank) {
  std::vector<Index> values;
  values.reserve(3);
  for (int axis = 0; axis < rank; ++axis) values.push_back(bytes.odd());
  return values;
}

Padding padding_of(fuzz::Bytes& bytes, int rank) {
  constexpr const char* kNames[] = {"VALID", "SAME", "SPLIT_UPPER", "SPLIT_LOWER"};
  const auto kind = static_cast<std::size_t>(bytes.small(0, 5));
  if (kind < std::size(kNames)) return kNames[kind];
  if (kind == std::size(kNames)) return Padding::fixed_begin(numbers(bytes, rank));
  Padding::Pairs pairs;
  for (int axis = 0; axis < rank; ++axis) {
    const Index begin = bytes.odd();
    pairs.emplace_back(begin, bytes.odd());
  }
  return pairs;
}

/// One axis by itself, whose numbers no layer has checked.
void infer_one(fuzz::Bytes& bytes) {
  const Padding padding = padding_of(bytes, 1);
  Axis axis;
  axis.filter = bytes.odd();
  axis.stride = bytes.odd();
  axis.dilation = bytes.odd();
  axis.padding = padding.kind();
  if (!padding.pairs().empty()) {
    axis.crop_begin = padding.pairs()[0].first;
    axis.crop_end = padding.pairs()[0].second;
  }
  if (bytes.flip()) axis.output_padding = bytes.odd();
  if (bytes.flip()) axis.length = bytes.odd();
  try {
    const Window window = infer_window(axis, bytes.odd(), "axis");
    fuzz::require(window.output >= 0);
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes bytes(data, size);
  infer_one(bytes);
  const int rank = static_cast<int>(bytes.small(1, 3));
  ConvolutionTransposeOptions options{.input_size = bytes.odd(), .output_size = bytes.odd()};
  options.rank = rank;
  options.filter_shape = numbers(bytes, rank);
  options.strides = numbers(bytes, rank);
  options.dilations = numbers(bytes, rank);
  options.padding = padding_of(bytes, rank);
  if (bytes.flip()) options.output_padding = numbers(bytes, rank);
  if (bytes.flip()) options.output_lengths = numbers(bytes, rank);
  try {
    const internal::CheckedOptions checked = internal::check_options(std::move(options));
    Dims input;
    for (Index axis = bytes.small(0, 5); axis-- > 0;) input.push_back(bytes.odd());
    input.push_back(bytes.flip() ? checked.options.input_size : bytes.odd());
    std::optional<PerAxis> lengths;
    if (bytes.flip()) lengths = numbers(bytes, rank);
    const internal::CallShape shape = internal::check_input_shape(checked, input, lengths);
    fuzz::require(element_count(shape.output) >= 0);
    fuzz::require(shape.output.size() == input.size());
  } catch (const Error&) {
  }
  return 0;
}
