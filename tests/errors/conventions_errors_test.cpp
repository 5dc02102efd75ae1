// Layers in other libraries' terms that are refused, in that library's words for its arguments.
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <string>

#include "checks.h"

namespace upconv::test {
namespace {

constexpr Index kMax = std::numeric_limits<Index>::max();
constexpr Index kMin = std::numeric_limits<Index>::min();
constexpr ErrorKind kInvalid = ErrorKind::kInvalidArgument;

template <typename Body>
void expect(const std::string& text, Body&& body, ErrorKind kind = kInvalid) {
  const auto [got, message] = error_of(body);
  EXPECT_EQ(message, text);
  EXPECT_EQ(got, kind) << message;
}

TEST(ConventionErrors, Keras) {
  const KerasConvTranspose good{.input_channels = 2, .filters = 3, .kernel_size = 3, .strides = 2};
  const auto refuse = [&](const std::string& text, auto&& spoil) {
    KerasConvTranspose layer = good;
    spoil(layer);
    expect("from_keras: " + text, [&] { from_keras(layer); });
  };
  refuse("rank is 4; it must be from 1 to 3", [](auto& l) { l.rank = 4; });
  refuse("input_channels is 0; it must be from 1 to 2147483647",
         [](auto& l) { l.input_channels = 0; });
  refuse("filters is -1; it must be from 1 to 2147483647", [](auto& l) { l.filters = -1; });
  refuse("kernel_size has 3 values; it must have 1 or 2", [](auto& l) {
    l.kernel_size = {1, 2, 3};
  });
  refuse("strides[1] is 0; it must be from 1 to 2147483647", [](auto& l) { l.strides = {1, 0}; });
  refuse("dilation_rate[0] is 9223372036854775807; it must be from 1 to 2147483647",
         [](auto& l) { l.dilation_rate = kMax; });
  refuse("padding is \"reflect\"; it must be \"valid\" or \"same\"",
         [](auto& l) { l.padding = "reflect"; });
  refuse("output_padding[0] is 2; it must be from 0 to 1", [](auto& l) { l.output_padding = 2; });
}

TEST(ConventionErrors, TensorFlow) {
  const TensorFlowConvTranspose good{.filters = {3, 3, 5, 2}, .strides = {2}};
  const auto refuse = [&](const std::string& text, auto&& spoil) {
    TensorFlowConvTranspose op = good;
    spoil(op);
    expect("from_tensorflow: " + text, [&] { from_tensorflow(op); });
  };
  refuse(
      "filters has shape [3, 3]; it must have 3 to 5 axes, [spatial..., output channels, input "
      "channels]",
      [](auto& op) {
        op.filters = {3, 3};
      });
  refuse("filters extent 0 is 0; it must be from 1 to 2147483647", [](auto& op) {
    op.filters = {0, 3, 5, 2};
  });
  refuse("strides has 3 values; it must have 1, 2 or 4", [](auto& op) { op.strides = {1, 2, 2}; });
  refuse("strides is 2 for the batch and 1 for the channels; both must be 1", [](auto& op) {
    op.strides = {2, 2, 2, 1};
  });
  refuse("dilations[1] is 0; it must be from 1 to 2147483647", [](auto& op) {
    op.dilations = {1, 0};
  });
  refuse("padding is \"FULL\"; it must be \"valid\" or \"same\" or \"EXPLICIT\"",
         [](auto& op) { op.padding = "FULL"; });
  refuse("explicit_paddings has 0 pairs; it must have one per axis, 4",
         [](auto& op) { op.padding = "EXPLICIT"; });
  refuse("explicit_paddings pads the batch or the channels; those pairs must be [0, 0]",
         [](auto& op) {
           op.padding = "EXPLICIT";
           op.explicit_paddings = {{0, 0}, {0, 0}, {0, 0}, {0, 1}};
         });
  refuse("explicit_paddings[1] is -1; it must be from 0 to 2147483647", [](auto& op) {
    op.padding = "EXPLICIT";
    op.explicit_paddings = {{0, 0}, {0, -1}, {0, 0}, {0, 0}};
  });
  // tensorflow #57715: a negative output_shape aborted the process.
  refuse("output_shape[1] is -8; it must be from 0 to 2147483647", [](auto& op) {
    op.output_shape = Dims{1, 8, -8, 5};
  });
  refuse("output_shape is [1, 8, 8, 2]; it must be [batch, 2 spatial extents, 5 channels]",
         [](auto& op) {
           op.output_shape = Dims{1, 8, 8, 2};
         });
}

TEST(ConventionErrors, PyTorch) {
  const PyTorchConvTranspose good{.in_channels = 2, .out_channels = 3, .kernel_size = 3};
  const auto refuse = [&](const std::string& text, auto&& spoil, ErrorKind kind = kInvalid) {
    PyTorchConvTranspose module = good;
    spoil(module);
    expect(
        "from_pytorch: " + text, [&] { from_pytorch(module); }, kind);
  };
  refuse(
      "groups is 2; it must be 1, groups are not there", [](auto& m) { m.groups = 2; },
      ErrorKind::kUnsupported);
  // pytorch #49523: such a number of groups divided by zero.
  refuse("groups is -9223372036854775808; it must be from 1 to 2147483647",
         [](auto& m) { m.groups = kMin; });
  refuse("padding[0] is -1; it must be from 0 to 2147483647", [](auto& m) { m.padding = -1; });
  refuse("padding is \"reflect\"; it must be numbers, \"valid\" or \"same\"",
         [](auto& m) { m.padding = "reflect"; });
  refuse("padding is \"same\" and stride[1] is 2; it must be 1 with \"same\"", [](auto& m) {
    m.padding = "same";
    m.stride = {1, 2};
  });
  refuse("output_padding[0] is 2; it must be from 0 to 1", [](auto& m) {
    m.stride = 2;
    m.output_padding = 2;
  });
  PyTorchConvTranspose dilated = good;  // below the stride or the dilation: either will do
  dilated.dilation = 3;
  dilated.output_padding = 2;
  EXPECT_NO_THROW(from_pytorch(dilated));
}

TEST(ConventionErrors, Onnx) {
  const OnnxConvTranspose good{.w = {2, 3, 3, 4}, .strides = {2, 2}};
  const auto refuse = [&](const std::string& text, auto&& spoil, ErrorKind kind = kInvalid) {
    OnnxConvTranspose node = good;
    spoil(node);
    expect(
        "from_onnx: " + text, [&] { from_onnx(node); }, kind);
  };
  refuse(
      "group is 2; it must be 1, groups are not there", [](auto& n) { n.group = 2; },
      ErrorKind::kUnsupported);
  // onnxruntime #28731: weights of another rank than the input were read out of bounds.
  refuse(
      "w has shape [2, 3]; it must have 3 to 5 axes, [input channels, output channels / group, "
      "kernel...]",
      [](auto& n) {
        n.w = {2, 3};
      });
  refuse("kernel_shape is [3, 3]; w has shape [2, 3, 3, 4], and they must agree", [](auto& n) {
    n.kernel_shape = {3, 3};
  });
  refuse("auto_pad is \"SAME\"; it must be one of NOTSET, VALID, SAME_UPPER, SAME_LOWER",
         [](auto& n) { n.auto_pad = "SAME"; });
  refuse("dilations[0] is -1; it must be from 1 to 2147483647", [](auto& n) {
    n.dilations = {-1, 1};
  });
  refuse("strides has 1 values; it must have one per spatial axis, 2",
         [](auto& n) { n.strides = {2}; });
  refuse("output_padding[0] is 2; it must be from 0 to 1", [](auto& n) {
    n.output_padding = {2, 0};
  });
  refuse("output_padding[1] is -1; it must be from 0 to 2147483647", [](auto& n) {
    n.output_padding = {0, -1};
  });
  refuse("pads has 2 values; it must have 4, all begins and then all ends", [](auto& n) {
    n.pads = {1, 1};
  });
  refuse("pads and auto_pad VALID are both given; one of them is the rule", [](auto& n) {
    n.auto_pad = "VALID";
    n.pads = {0, 0, 1, 0};
  });
  refuse("output_shape has 3 values; it must have 2 or 4", [](auto& n) {
    n.output_shape = {3, 8, 8};
  });
  refuse("output_shape[1] is 2; it must be the number of output channels, 3", [](auto& n) {
    n.output_shape = {1, 2, 8, 8};
  });
}

TEST(ConventionErrors, OpenVinoAndOneDnn) {
  OpenVinoConvolutionBackpropData op{.filters = {2, 3, 3}, .auto_pad = "SAME_UPPER"};
  expect(
      "from_openvino: auto_pad is \"SAME_UPPER\"; it must be one of explicit, notset, valid, "
      "same_upper, same_lower",
      [&] { from_openvino(op); });
  op.auto_pad = "explicit";
  op.pads_end = {kMin};
  expect(
      "from_openvino: pads_end[0] is -9223372036854775808; it must be from -2147483647 to "
      "2147483647",
      [&] { from_openvino(op); });
  OneDnnDeconvolution primitive{.weights = {3, 2, 3}, .dilates = {-1}};
  expect("from_onednn: dilates[0] is -1; it must be from 0 to 2147483646",
         [&] { from_onednn(primitive); });
  primitive.dilates = {0};
  primitive.padding_l = {-1};
  expect("from_onednn: padding_l[0] is -1; it must be from 0 to 2147483647",
         [&] { from_onednn(primitive); });
}

TEST(ConventionErrors, KernelsOfAnotherOrder) {
  const ConvolutionTransposeOptions options{
      .input_size = 2, .output_size = 3, .filter_shape = {5, 4}, .name = "up"};
  const std::string layer = "ConvolutionTranspose \"up\": ";
  const auto refuse = [&](Convention convention, const Dims& shape, const std::string& text) {
    const Tensor kernel = Tensor::zeros(DType::kFloat32, shape);
    expect(
        layer + text, [&] { kernel_from(convention, kernel, options); }, ErrorKind::kShapeMismatch);
  };
  refuse(Convention::kPyTorch, {3, 2, 5, 4},
         "kernel in PyTorch's order has shape [3, 2, 5, 4]; it must be [2, 3, 5, 4] = [input_size, "
         "output_size, filter...]: axis 0 is 3, and input_size is 2; it would fit as [output_size, "
         "input_size, filter...], the order of oneDNN");
  refuse(Convention::kKeras, {5, 4, 2, 3},
         "kernel in Keras's order has shape [5, 4, 2, 3]; it must be [5, 4, 3, 2] = [filter..., "
         "output_size, input_size]: axis 2 is 2, and output_size is 3; it would fit as [filter..., "
         "input_size, output_size], the order of this library");
  refuse(Convention::kOnnx, {2, 3, 4, 5},
         "kernel in ONNX's order has shape [2, 3, 4, 5]; it must be [2, 3, 5, 4] = [input_size, "
         "output_size, filter...]: axis 2 is 4, and filter extent 0 is 5");
  refuse(Convention::kOneDnn, {3, 2, 5},
         "kernel in oneDNN's order has shape [3, 2, 5]; it must be [3, 2, 5, 4] = [output_size, "
         "input_size, filter...]");
  const Tensor theirs = Tensor::zeros(DType::kFloat32, {2, 3, 5, 4});
  expect(
      layer +
          "kernel in this library's order has shape [2, 3, 5, 4]; it must be [5, 4, 2, 3] = "
          "[filter..., input_size, output_size]: axis 0 is 2, and filter extent 0 is 5; it would "
          "fit as [input_size, output_size, filter...], the order of PyTorch and ONNX",
      [&] { kernel_to(Convention::kPyTorch, theirs, options); }, ErrorKind::kShapeMismatch);
}

TEST(LengthErrors, OfALayerAndOfACall) {
  ConvolutionTransposeOptions options{
      .input_size = 1, .output_size = 1, .filter_shape = 3, .rank = 1, .strides = 2, .name = "up"};
  const std::string layer = "ConvolutionTranspose \"up\": ";
  const auto refuse = [&](const std::string& text) {
    expect(layer + text, [&] { const ConvolutionTranspose up(options); });
  };
  options.output_lengths = -1;
  refuse("output_lengths[0] is -1; it must be at least 0");
  options.output_lengths = {5, 5};
  refuse("output_lengths has 2 values; it must have 1");
  options.output_lengths = 5;
  options.output_padding = 1;
  refuse(
      "output_padding and output_lengths are both given; with VALID padding one of them is the "
      "rule");
  options.output_padding.reset();
  options.output_lengths.reset();

  const ConvolutionTranspose up(options);
  const Tensor x = Tensor::zeros(DType::kFloat32, {4, 1});
  const auto asked = [&](const PerAxis& lengths) { up(x, {.output_lengths = lengths}); };
  EXPECT_EQ(up.output_shape({4, 1}, 9), (Dims{9, 1}));
  EXPECT_EQ(up.output_shape({4, 1}, 10), (Dims{10, 1}));
  for (const Index length : {Index{8}, Index{11}, kMax}) {
    expect(layer + "axis 0 is asked for output length " + std::to_string(length) +
               " (input 4, filter 3, stride 2, dilation 1, VALID padding); it must be from 9 to "
               "10, what the convolution takes to the input's length",
           [&] { asked(length); });
  }
  expect(layer + "output_lengths[0] is -1; it must be at least 0", [&] { asked(-1); });
  expect(layer + "output_lengths of the call has 2 values; it must have 1", [&] { asked({9, 9}); });

  options.padding = "split_upper";
  const ConvolutionTranspose split(options);
  expect(layer +
             "axis 0 has no output length (input 4, filter 3, stride 2, dilation 1, SPLIT_UPPER "
             "padding); output_lengths must give it",
         [&] { split(x); });
  options.padding = Padding::fixed_begin({1});
  const ConvolutionTranspose fixed(options);
  expect(layer +
             "axis 0 has no output length (input 4, filter 3, stride 2, dilation 1, padding [1, "
             "null]); output_lengths must give it",
         [&] {
           fixed.output_shape({4, 1});
         });
}

}  // namespace
}  // namespace upconv::test
