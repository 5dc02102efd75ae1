// Layers in the terms of other libraries: the options that give the same values, and the order of
// the kernel's axes. docs/conventions.md has the rules side by side.
//
//   ConvolutionTransposeOptions options =
//       from_pytorch({.in_channels = 64, .out_channels = 32, .kernel_size = 4, .stride = 2,
//                     .padding = 1});
//   options.activation_fn = "relu";
//   ConvolutionTranspose up(options);
//   up.kernel().assign(kernel_from(Convention::kPyTorch, weight, options));
//
// Inputs and outputs are channels-last here, whatever they are there (layout.h). What a library
// takes with the call, rather than when the layer is made, is CallOptions::output_lengths here.
#pragma once

#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "upconv/convolution_transpose.h"
#include "upconv/shape.h"
#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// keras.layers.Conv{1,2,3}DTranspose.
struct KerasConvTranspose {
  Index input_channels = 0;  ///< Keras takes them from the first input
  Index filters = 0;
  PerAxis kernel_size = 0;
  PerAxis strides = 1;
  std::string padding = "valid";  ///< or "same"
  std::optional<PerAxis> output_padding = {};
  PerAxis dilation_rate = 1;  ///< Keras' layers refuse it above 1 with strides above 1; we do not
  bool use_bias = true;
  int rank = 2;
};

/// tf.nn.conv{1,2,3}d_transpose. (It adds no bias; set use_bias in the options for one.)
struct TensorFlowConvTranspose {
  Dims filters = {};  ///< shape of the filters: [spatial..., output channels, input channels]
  /// [batch, spatial..., channels], as there; the batch is not looked at. Absent: every call asks
  /// with CallOptions::output_lengths, or has the lengths of Keras.
  std::optional<Dims> output_shape = {};
  std::vector<Index> strides = {1};  ///< 1, rank or rank + 2 numbers, as there
  std::string padding = "SAME";      ///< or "VALID"; "EXPLICIT" with the next
  /// [begin, end] of all rank + 2 axes of an EXPLICIT padding.
  Padding::Pairs explicit_paddings = {};
  std::vector<Index> dilations = {1};  ///< as strides
};

/// PyTorch's padding: numbers, or a name that its convolutions know.
class PyTorchPadding {
 public:
  template <std::integral Integer>
  PyTorchPadding(Integer value) : amount_(value) {}
  PyTorchPadding(std::initializer_list<Index> values) : amount_(values) {}
  PyTorchPadding(std::vector<Index> values) : amount_(std::move(values)) {}
  PyTorchPadding(std::string name) : name_(std::move(name)) {}
  PyTorchPadding(const char* name) : name_(name) {}

  const PerAxis& amount() const noexcept { return amount_; }
  /// Empty where numbers were given.
  const std::string& name() const noexcept { return name_; }

 private:
  PerAxis amount_ = 0;
  std::string name_;
};

/// torch.nn.ConvTranspose{1,2,3}d. Its output_size is CallOptions::output_lengths.
struct PyTorchConvTranspose {
  Index in_channels = 0;
  Index out_channels = 0;
  PerAxis kernel_size = 0;
  PerAxis stride = 1;
  /// Cropped from both ends. "valid" and "same" (with stride 1) are not PyTorch's for transposed
  /// convolutions; here they are the transposes of its convolutions with that padding.
  PyTorchPadding padding = 0;
  PerAxis output_padding = 0;
  PerAxis dilation = 1;
  Index groups = 1;  ///< only 1
  bool bias = true;
  int rank = 2;
};

/// ONNX ConvTranspose, any version, in its attributes; an empty list is an absent one. Where the
/// specification leaves a choice, as ONNX Runtime has it.
struct OnnxConvTranspose {
  Dims w = {};  ///< shape of W: [input channels, output channels / group, kernel...]
  std::string auto_pad = "NOTSET";  ///< or "VALID", "SAME_UPPER", "SAME_LOWER"
  std::vector<Index> dilations = {};
  Index group = 1;  ///< only 1
  std::vector<Index> kernel_shape = {};
  std::vector<Index> output_padding = {};
  std::vector<Index> output_shape = {};  ///< spatial, or with batch and channels in front
  std::vector<Index> pads = {};          ///< all begins, then all ends; unused with output_shape
  std::vector<Index> strides = {};
  bool bias = false;  ///< the node has B
};

/// OpenVINO's ConvolutionBackpropData. (It adds no bias; set use_bias in the options for one.)
struct OpenVinoConvolutionBackpropData {
  Dims filters = {};  ///< shape of the filters: [input channels, output channels, kernel...]
  std::vector<Index> strides = {};
  std::vector<Index> pads_begin = {};
  std::vector<Index> pads_end = {};
  std::vector<Index> dilations = {};
  std::string auto_pad = "explicit";       ///< or "notset", "valid", "same_upper", "same_lower"
  std::vector<Index> output_padding = {};  ///< empty: 0
  std::vector<Index> output_shape = {};    ///< spatial; empty: inferred
};

/// oneDNN's deconvolution. Its destination's extents are inferred from a right padding that may be
/// negative; other extents are CallOptions::output_lengths.
struct OneDnnDeconvolution {
  Dims weights = {};  ///< dimensions of the weights: [output channels, input channels, kernel...]
  std::vector<Index> strides = {};
  std::vector<Index> dilates = {};  ///< counted from 0: 0 is dense; empty: dense
  std::vector<Index> padding_l = {};
  std::vector<Index> padding_r = {};  ///< may be negative: the output is longer
  bool bias = false;                  ///< the primitive has a bias
};

/// The options of the layer with the same values; what they do not say (name, dtype, activation) is
/// left at its default. @throws Error kInvalidArgument naming the argument, its value and the rule;
/// kUnsupported for groups.
ConvolutionTransposeOptions from_keras(const KerasConvTranspose& layer);
ConvolutionTransposeOptions from_tensorflow(const TensorFlowConvTranspose& op);
ConvolutionTransposeOptions from_pytorch(const PyTorchConvTranspose& module);
ConvolutionTransposeOptions from_onnx(const OnnxConvTranspose& node);
ConvolutionTransposeOptions from_openvino(const OpenVinoConvolutionBackpropData& op);
ConvolutionTransposeOptions from_onednn(const OneDnnDeconvolution& primitive);

}  // namespace upconv::UPCONV_ABI
