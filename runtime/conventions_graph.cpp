// ONNX, OpenVINO and oneDNN: nodes of graphs and primitives.
#include <algorithm>

#include "conventions_terms.h"

namespace upconv::UPCONV_ABI {

namespace {

using internal::kLargest;
using internal::printable;
using internal::Terms;

/// Options of a node whose weights are [input, output, filter...].
ConvolutionTransposeOptions options_of(const Dims& weights, std::size_t rank) {
  ConvolutionTransposeOptions options;
  options.rank = static_cast<int>(rank);
  options.input_size = weights[0];
  options.output_size = weights[1];
  options.filter_shape = Terms::tail(weights, 2, rank);
  return options;
}

/// ONNX: the total is what a stride does not account for, and at least 0.
Padding::Pairs same_pads(const ConvolutionTransposeOptions& options,
                         const std::vector<Index>& output_padding, bool upper) {
  Padding::Pairs pairs;
  for (std::size_t axis = 0; axis < output_padding.size(); ++axis) {
    const Index reach =
        (options.filter_shape.values()[axis] - 1) * options.dilations.values()[axis] + 1;
    const Index total =
        std::max<Index>(reach + output_padding[axis] - options.strides.values()[axis], 0);
    const Index smaller = total / 2;
    pairs.emplace_back(upper ? smaller : total - smaller, upper ? total - smaller : smaller);
  }
  return pairs;
}

/// The spatial part of an output_shape that may have batch and channels in front.
std::vector<Index> spatial_shape(const Terms& terms, const std::vector<Index>& shape,
                                 std::size_t rank, Index channels) {
  if (shape.size() == rank + 2) {
    if (shape[1] != channels) {
      terms.invalid("output_shape[1] is " + std::to_string(shape[1]) +
                    "; it must be the number of output channels, " + std::to_string(channels));
    }
    return terms.list("output_shape", std::vector<Index>(shape.begin() + 2, shape.end()), rank, 0,
                      0);
  }
  if (shape.size() == rank) return terms.list("output_shape", shape, rank, 0, 0);
  terms.invalid("output_shape has " + std::to_string(shape.size()) + " values; it must have " +
                std::to_string(rank) + " or " + std::to_string(rank + 2));
}

void check_auto_pad(const Terms& terms, const std::string& name,
                    std::initializer_list<std::string_view> known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  std::string list;
  for (const std::string_view each : known) list += (list.empty() ? "" : ", ") + std::string(each);
  terms.invalid("auto_pad is \"" + printable(std::string_view(name)) + "\"; it must be one of " +
                list);
}

}  // namespace

ConvolutionTransposeOptions from_onnx(const OnnxConvTranspose& node) {
  const Terms terms("from_onnx");
  terms.require_ungrouped("group", node.group);
  const std::size_t rank =
      terms.rank_of_weights("w", node.w, "[input channels, output channels / group, kernel...]");
  check_auto_pad(terms, node.auto_pad, {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"});
  const bool upper = node.auto_pad == "SAME_UPPER";
  const bool same = upper || node.auto_pad == "SAME_LOWER";

  ConvolutionTransposeOptions options = options_of(node.w, rank);
  if (!node.kernel_shape.empty() && node.kernel_shape != options.filter_shape.values()) {
    terms.invalid("kernel_shape is " + to_string(Dims(node.kernel_shape)) + "; w has shape " +
                  to_string(node.w) + ", and they must agree");
  }
  options.strides = terms.list("strides", node.strides, rank, 1, 1);
  options.dilations = terms.list("dilations", node.dilations, rank, 1, 1);
  const std::vector<Index> extra = terms.list("output_padding", node.output_padding, rank, 0, 0);
  terms.check_output_padding(extra, options.strides.values(), options.dilations.values());
  const auto zero = [](Index value) { return value == 0; };
  const bool padded = !std::all_of(node.pads.begin(), node.pads.end(), zero);
  if (node.auto_pad != "NOTSET" && padded) {
    terms.invalid("pads and auto_pad " + node.auto_pad +
                  " are both given; one of them is the rule");
  }
  if (!node.pads.empty() && node.pads.size() != 2 * rank) {
    terms.invalid("pads has " + std::to_string(node.pads.size()) + " values; it must have " +
                  std::to_string(2 * rank) + ", all begins and then all ends");
  }
  for (std::size_t at = 0; at < node.pads.size(); ++at) {
    terms.in_range("pads[" + std::to_string(at) + "]", node.pads[at], -kLargest);
  }
  if (!std::all_of(extra.begin(), extra.end(), zero)) options.output_padding = extra;
  options.use_bias = node.bias;

  if (!node.output_shape.empty()) {
    options.output_lengths = spatial_shape(terms, node.output_shape, rank, options.output_size);
    options.padding = upper ? "SPLIT_UPPER" : "SPLIT_LOWER";
    return options;
  }
  if (same) {
    options.padding = same_pads(options, extra, upper);
    return options;
  }
  Padding::Pairs pairs(rank, {0, 0});
  for (std::size_t axis = 0; padded && axis < rank; ++axis) {
    pairs[axis] = {node.pads[axis], node.pads[axis + rank]};
  }
  options.padding = std::move(pairs);
  return options;
}

ConvolutionTransposeOptions from_openvino(const OpenVinoConvolutionBackpropData& op) {
  const Terms terms("from_openvino");
  const std::size_t rank =
      terms.rank_of_weights("filters", op.filters, "[input channels, output channels, kernel...]");
  check_auto_pad(terms, op.auto_pad, {"explicit", "notset", "valid", "same_upper", "same_lower"});
  const bool lower = op.auto_pad == "same_lower";
  const bool same = lower || op.auto_pad == "same_upper";
  const bool pads_count = !same && op.auto_pad != "valid";

  ConvolutionTransposeOptions options = options_of(op.filters, rank);
  options.use_bias = false;
  options.strides = terms.list("strides", op.strides, rank, 1, 1);
  options.dilations = terms.list("dilations", op.dilations, rank, 1, 1);
  std::vector<Index> begins = terms.list("pads_begin", op.pads_begin, rank, 0, -kLargest);
  std::vector<Index> ends = terms.list("pads_end", op.pads_end, rank, 0, -kLargest);
  const std::vector<Index> extra = terms.list("output_padding", op.output_padding, rank, 0, 0);
  if (!pads_count) {
    begins.assign(rank, 0);
    ends.assign(rank, 0);
  }
  if (op.output_shape.empty()) {
    // output_padding may be any number there: it is as good as a crop of less than nothing.
    Padding::Pairs pairs;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      pairs.emplace_back(begins[axis], ends[axis] - extra[axis]);
    }
    options.padding = std::move(pairs);
    return options;
  }
  options.output_lengths = terms.list("output_shape", op.output_shape, rank, 0, 0);
  if (!same) {
    options.padding = Padding::fixed_begin(begins);
    return options;
  }
  // The names mean the opposite of ONNX's.
  options.padding = lower ? "SPLIT_UPPER" : "SPLIT_LOWER";
  options.output_padding = extra;
  return options;
}

ConvolutionTransposeOptions from_onednn(const OneDnnDeconvolution& primitive) {
  const Terms terms("from_onednn");
  const std::size_t rank = terms.rank_of_weights("weights", primitive.weights,
                                                 "[output channels, input channels, kernel...]");
  ConvolutionTransposeOptions options = options_of(primitive.weights, rank);
  std::swap(options.input_size, options.output_size);
  options.strides = terms.list("strides", primitive.strides, rank, 1, 1);
  std::vector<Index> dilations = terms.list("dilates", primitive.dilates, rank, 0, 0, kLargest - 1);
  for (Index& dilation : dilations) ++dilation;
  options.dilations = dilations;
  const std::vector<Index> left = terms.list("padding_l", primitive.padding_l, rank, 0, 0);
  const std::vector<Index> right = terms.list("padding_r", primitive.padding_r, rank, 0, -kLargest);
  Padding::Pairs pairs;
  for (std::size_t axis = 0; axis < rank; ++axis) pairs.emplace_back(left[axis], right[axis]);
  options.padding = std::move(pairs);
  options.use_bias = primitive.bias;
  return options;
}

}  // namespace upconv::UPCONV_ABI
