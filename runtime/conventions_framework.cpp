// Keras, TensorFlow and PyTorch: layers and operators as people write them.
#include <algorithm>
#include <cctype>

#include "conventions_terms.h"

namespace upconv::UPCONV_ABI {

namespace {

using internal::kLargest;
using internal::printable;
using internal::Terms;

/// "VALID" or "SAME"; `other` is what else may stand there.
Padding named_padding(const Terms& terms, const std::string& name, const std::string& other = "") {
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (upper == "VALID" || upper == "SAME") return upper;
  terms.invalid("padding is \"" + printable(std::string_view(name)) +
                "\"; it must be \"valid\" or \"same\"" + other);
}

int checked_rank(const Terms& terms, int rank) {
  return static_cast<int>(terms.in_range("rank", rank, 1, 3));
}

/// TensorFlow's strides and dilations: 1, rank or rank + 2 numbers; those of batch and channels
/// must be 1.
std::vector<Index> spatial(const Terms& terms, const char* name, const std::vector<Index>& values,
                           std::size_t rank) {
  if (values.size() == 1) return terms.list(name, std::vector<Index>(rank, values[0]), rank, 1, 1);
  if (values.size() == rank) return terms.list(name, values, rank, 1, 1);
  if (values.size() != rank + 2) {
    terms.invalid(std::string(name) + " has " + std::to_string(values.size()) +
                  " values; it must have 1, " + std::to_string(rank) + " or " +
                  std::to_string(rank + 2));
  }
  if (values.front() != 1 || values.back() != 1) {
    terms.invalid(std::string(name) + " is " + std::to_string(values.front()) +
                  " for the batch and " + std::to_string(values.back()) +
                  " for the channels; both must be 1");
  }
  return terms.list(name, std::vector<Index>(values.begin() + 1, values.end() - 1), rank, 1, 1);
}

/// The spatial pairs of TensorFlow's explicit_paddings.
Padding explicit_padding(const Terms& terms, const Padding::Pairs& pairs, std::size_t rank) {
  if (pairs.size() != rank + 2) {
    terms.invalid("explicit_paddings has " + std::to_string(pairs.size()) +
                  " pairs; it must have one per axis, " + std::to_string(rank + 2));
  }
  const std::pair<Index, Index> none{0, 0};
  if (pairs.front() != none || pairs.back() != none) {
    terms.invalid("explicit_paddings pads the batch or the channels; those pairs must be [0, 0]");
  }
  for (std::size_t axis = 1; axis <= rank; ++axis) {
    for (const Index value : {pairs[axis].first, pairs[axis].second}) {
      terms.in_range("explicit_paddings[" + std::to_string(axis) + "]", value, 0);
    }
  }
  return Padding::Pairs(pairs.begin() + 1, pairs.end() - 1);
}

}  // namespace

ConvolutionTransposeOptions from_keras(const KerasConvTranspose& layer) {
  const Terms terms("from_keras");
  ConvolutionTransposeOptions options;
  options.rank = checked_rank(terms, layer.rank);
  options.input_size = terms.in_range("input_channels", layer.input_channels, 1);
  options.output_size = terms.in_range("filters", layer.filters, 1);
  options.filter_shape = terms.list("kernel_size", layer.kernel_size, options.rank, 1);
  options.strides = terms.list("strides", layer.strides, options.rank, 1);
  options.dilations = terms.list("dilation_rate", layer.dilation_rate, options.rank, 1);
  options.padding = named_padding(terms, layer.padding);
  if (layer.output_padding) {
    options.output_padding = terms.list("output_padding", *layer.output_padding, options.rank, 0);
    terms.check_output_padding(options.output_padding->values(), options.strides.values());
  }
  options.use_bias = layer.use_bias;
  return options;
}

ConvolutionTransposeOptions from_tensorflow(const TensorFlowConvTranspose& op) {
  const Terms terms("from_tensorflow");
  const std::size_t rank =
      terms.rank_of_weights("filters", op.filters, "[spatial..., output channels, input channels]");
  ConvolutionTransposeOptions options;
  options.rank = static_cast<int>(rank);
  options.filter_shape = Terms::tail(op.filters, 0, rank);
  options.output_size = op.filters[rank];
  options.input_size = op.filters[rank + 1];
  options.strides = spatial(terms, "strides", op.strides, rank);
  options.dilations = spatial(terms, "dilations", op.dilations, rank);
  options.padding = op.padding == "EXPLICIT" ? explicit_padding(terms, op.explicit_paddings, rank)
                                             : named_padding(terms, op.padding, " or \"EXPLICIT\"");
  if (op.output_shape) {
    const Dims& shape = *op.output_shape;
    if (shape.size() != rank + 2 || shape.back() != options.output_size) {
      terms.invalid("output_shape is " + to_string(shape) + "; it must be [batch, " +
                    std::to_string(rank) + " spatial extents, " +
                    std::to_string(options.output_size) + " channels]");
    }
    options.output_lengths =
        terms.list("output_shape", Terms::tail(shape, 1, rank), rank, 0, 0, kLargest);
  }
  options.use_bias = false;
  return options;
}

ConvolutionTransposeOptions from_pytorch(const PyTorchConvTranspose& module) {
  const Terms terms("from_pytorch");
  terms.require_ungrouped("groups", module.groups);
  ConvolutionTransposeOptions options;
  options.rank = checked_rank(terms, module.rank);
  options.input_size = terms.in_range("in_channels", module.in_channels, 1);
  options.output_size = terms.in_range("out_channels", module.out_channels, 1);
  const std::vector<Index> filter = terms.list("kernel_size", module.kernel_size, options.rank, 1);
  const std::vector<Index> stride = terms.list("stride", module.stride, options.rank, 1);
  const std::vector<Index> dilation = terms.list("dilation", module.dilation, options.rank, 1);
  const std::vector<Index> extra =
      terms.list("output_padding", module.output_padding, options.rank, 0);
  terms.check_output_padding(extra, stride, dilation);
  const bool same = module.padding.name() == "same";
  if (!same && !module.padding.name().empty() && module.padding.name() != "valid") {
    terms.invalid("padding is \"" + printable(std::string_view(module.padding.name())) +
                  "\"; it must be numbers, \"valid\" or \"same\"");
  }
  const std::vector<Index> amount = terms.list("padding", module.padding.amount(), options.rank, 0);
  Padding::Pairs pairs;
  for (std::size_t axis = 0; axis < filter.size(); ++axis) {
    if (!same) {
      pairs.emplace_back(amount[axis], amount[axis]);
      continue;
    }
    if (stride[axis] != 1) {
      terms.invalid("padding is \"same\" and stride[" + std::to_string(axis) + "] is " +
                    std::to_string(stride[axis]) + "; it must be 1 with \"same\"");
    }
    const Index total = (filter[axis] - 1) * dilation[axis];
    pairs.emplace_back(total / 2, total - total / 2);
  }
  options.filter_shape = filter;
  options.strides = stride;
  options.dilations = dilation;
  options.padding = std::move(pairs);
  if (std::any_of(extra.begin(), extra.end(), [](Index value) { return value != 0; })) {
    options.output_padding = extra;
  }
  options.use_bias = module.bias;
  return options;
}

}  // namespace upconv::UPCONV_ABI
