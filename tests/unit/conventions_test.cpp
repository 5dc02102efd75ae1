// Layers in other libraries' terms: what each argument becomes. That the values are those of the
// libraries is in tests/golden and tests/peers.
#include "upconv/conventions.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "checks.h"

namespace upconv {
namespace {

using List = std::vector<Index>;

TEST(Conventions, KerasIsOurs) {
  const ConvolutionTransposeOptions options = from_keras({.input_channels = 8,
                                                          .filters = 4,
                                                          .kernel_size = {3, 5},
                                                          .strides = 2,
                                                          .padding = "same",
                                                          .output_padding = PerAxis{1, 0},
                                                          .use_bias = false});
  EXPECT_EQ(options.input_size, 8);
  EXPECT_EQ(options.output_size, 4);
  EXPECT_EQ(options.filter_shape.values(), (List{3, 5}));
  EXPECT_EQ(options.strides.values(), (List{2, 2}));
  EXPECT_EQ(to_string(options.padding), "SAME");
  EXPECT_EQ(options.output_padding->values(), (List{1, 0}));
  EXPECT_FALSE(options.use_bias);
}

TEST(Conventions, TensorFlowTakesItsOutputShapeThereOrWithTheCall) {
  TensorFlowConvTranspose op{.filters = {3, 3, 5, 2}, .strides = {1, 2, 2, 1}};
  const ConvolutionTranspose layer(from_tensorflow(op));
  EXPECT_FALSE(layer.has_bias());
  EXPECT_EQ(layer.output_shape({7, 4, 4, 2}), (Dims{7, 8, 8, 5}));
  EXPECT_EQ(layer.output_shape({7, 4, 4, 2}, {7, 8}), (Dims{7, 7, 8, 5}));
  op.output_shape = Dims{7, 7, 8, 5};
  const ConvolutionTranspose fixed(from_tensorflow(op));
  EXPECT_EQ(fixed.output_shape({7, 4, 4, 2}), (Dims{7, 7, 8, 5}));
  EXPECT_EQ(fixed.output_shape({7, 4, 4, 2}, {8, 8}), (Dims{7, 8, 8, 5})) << "the call's counts";
}

TEST(Conventions, PyTorchsOutputSizeTakesThePlaceOfItsOutputPadding) {
  const ConvolutionTranspose layer(from_pytorch({.in_channels = 2,
                                                 .out_channels = 5,
                                                 .kernel_size = 3,
                                                 .stride = 2,
                                                 .padding = 1,
                                                 .output_padding = 1}));
  EXPECT_EQ(layer.output_shape({4, 4, 2}), (Dims{8, 8, 5}));
  EXPECT_EQ(layer.output_shape({4, 4, 2}, {7, 8}), (Dims{7, 8, 5}));
  EXPECT_EQ(to_string(from_pytorch({.in_channels = 1,
                                    .out_channels = 1,
                                    .kernel_size = {4, 2},
                                    .padding = "same",
                                    .dilation = {1, 3}})
                          .padding),
            "[[1, 2], [1, 2]]");
  EXPECT_EQ(to_string(from_pytorch({.in_channels = 1,
                                    .out_channels = 1,
                                    .kernel_size = 4,
                                    .padding = "valid",
                                    .rank = 1})
                          .padding),
            "[[0, 0]]");
}

TEST(Conventions, OpenVinosSidesAreTheOppositeOfOnnxs) {
  const Dims w = {2, 3, 3};
  const auto onnx = [&](const std::string& auto_pad) {
    return from_onnx({.w = w, .auto_pad = auto_pad, .output_shape = {6}, .strides = {2}});
  };
  const auto openvino = [&](const std::string& auto_pad) {
    return from_openvino({.filters = w, .strides = {2}, .auto_pad = auto_pad, .output_shape = {6}});
  };
  EXPECT_EQ(to_string(onnx("SAME_UPPER").padding), "SPLIT_UPPER");
  EXPECT_EQ(to_string(onnx("SAME_LOWER").padding), "SPLIT_LOWER");
  EXPECT_EQ(to_string(onnx("NOTSET").padding), "SPLIT_LOWER");
  EXPECT_EQ(to_string(onnx("VALID").padding), "SPLIT_LOWER");
  EXPECT_EQ(to_string(openvino("same_upper").padding), "SPLIT_LOWER");
  EXPECT_EQ(to_string(openvino("same_lower").padding), "SPLIT_UPPER");
  EXPECT_EQ(to_string(openvino("explicit").padding), "[[0, null]]");
  // Without an output_shape, ONNX's auto_pad crops and OpenVINO's does not.
  EXPECT_EQ(to_string(from_onnx({.w = {2, 3, 4}, .auto_pad = "SAME_LOWER"}).padding), "[[2, 1]]");
  EXPECT_EQ(to_string(from_openvino({.filters = {2, 3, 4}, .auto_pad = "same_lower"}).padding),
            "[[0, 0]]");
}

TEST(Conventions, OneDnnCountsDilationFromZeroAndExchangesChannels) {
  const ConvolutionTransposeOptions options = from_onednn(
      {.weights = {3, 2, 4, 5}, .strides = {2, 2}, .dilates = {0, 1}, .padding_r = {-1, 0}});
  EXPECT_EQ(options.input_size, 2);
  EXPECT_EQ(options.output_size, 3);
  EXPECT_EQ(options.dilations.values(), (List{1, 2}));
  EXPECT_EQ(to_string(options.padding), "[[0, -1], [0, 0]]");
}

TEST(Conventions, KernelsGoThereAndBack) {
  const ConvolutionTransposeOptions options{
      .input_size = 2, .output_size = 3, .filter_shape = {5, 4}};
  Tensor kernel(DType::kFloat32, {5, 4, 2, 3});
  std::iota(kernel.values<float>().begin(), kernel.values<float>().end(), 0.0F);
  // kernel[1, 2, 0, 1], and where it stands there.
  const float element =
      kernel.values<float>()[static_cast<std::size_t>(((1 * 4 + 2) * 2 + 0) * 3 + 1)];
  struct Order {
    Convention convention;
    Dims shape;
    std::size_t at;
  };
  for (const Order& order :
       {Order{Convention::kKeras, {5, 4, 3, 2}, ((1 * 4 + 2) * 3 + 1) * 2 + 0},
        Order{Convention::kTensorFlow, {5, 4, 3, 2}, ((1 * 4 + 2) * 3 + 1) * 2 + 0},
        Order{Convention::kPyTorch, {2, 3, 5, 4}, ((0 * 3 + 1) * 5 + 1) * 4 + 2},
        Order{Convention::kOnnx, {2, 3, 5, 4}, ((0 * 3 + 1) * 5 + 1) * 4 + 2},
        Order{Convention::kOpenVino, {2, 3, 5, 4}, ((0 * 3 + 1) * 5 + 1) * 4 + 2},
        Order{Convention::kOneDnn, {3, 2, 5, 4}, ((1 * 2 + 0) * 5 + 1) * 4 + 2}}) {
    const Tensor theirs = kernel_to(order.convention, kernel, options);
    EXPECT_EQ(theirs.shape(), order.shape);
    EXPECT_EQ(kernel_shape(order.convention, options), order.shape);
    EXPECT_EQ(theirs.values<float>()[order.at], element);
    EXPECT_TRUE(test::same_bits(kernel_from(order.convention, theirs, options), kernel));
  }
}

TEST(OutputLengths, OfASequentialAreAskedOfItsLastLayer) {
  const ConvolutionTransposeOptions options{
      .input_size = 1, .output_size = 1, .filter_shape = 3, .rank = 1, .strides = 2};
  const Sequential net(ConvolutionTranspose{options}, ConvolutionTranspose{options});
  const Tensor x = Tensor::zeros(DType::kFloat32, {4, 1});
  EXPECT_EQ(net(x).shape(), (Dims{19, 1}));
  EXPECT_EQ(net(x, {.output_lengths = 20}).shape(), (Dims{20, 1}));
  const Sequential ends([](const ConstTensorView& v) { return Tensor::copy_of(v); });
  const auto [kind, text] = test::error_of([&] { ends(x, {.output_lengths = 4}); });
  EXPECT_EQ(kind, ErrorKind::kUnsupported);
  EXPECT_EQ(text,
            "FunctionLayer \"FunctionLayer\": output_lengths is given; only a "
            "ConvolutionTranspose can be asked for it");
}

TEST(OutputLengths, OfTheLayerAreThoseOfEveryCall) {
  ConvolutionTransposeOptions options{.input_size = 1,
                                      .output_size = 1,
                                      .filter_shape = 3,
                                      .rank = 1,
                                      .strides = 2,
                                      .padding = "split_lower",
                                      .output_lengths = 6};
  const ConvolutionTranspose layer(options);
  EXPECT_EQ(layer.options().output_lengths->values(), List{6});
  for (const Index input : {1, 4, 9}) EXPECT_EQ(layer.output_shape({input, 1}), (Dims{6, 1}));
  EXPECT_GE(layer.scratch_bytes({4, 1}, 1, {}, 100), 0U);
}

}  // namespace
}  // namespace upconv
