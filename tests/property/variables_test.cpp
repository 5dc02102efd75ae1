// Variables of a layer: assignment packs the right layer, copies belong to nobody.
#include <gtest/gtest.h>

#include "upconv/upconv.h"

namespace upconv::test {
namespace {

ConvolutionTranspose ones(const char* name = "layer") {
  return ConvolutionTranspose({.input_size = 1,
                               .output_size = 1,
                               .filter_shape = 1,
                               .rank = 1,
                               .init_kernel_fn = initializers::ones(),
                               .name = name});
}

float value_of(const ConvolutionTranspose& layer) {
  return layer(Tensor::from<float>({1}, {1, 1})).values<float>()[0];
}

TEST(Variables, AssigningOneLayersVariableToAnotherPacksOnlyTheTarget) {
  ConvolutionTranspose a = ones("a"), b = ones("b");
  b.kernel().assign(Tensor::from<float>({5}, {1, 1, 1}));
  a.kernel() = b.kernel();
  EXPECT_EQ(value_of(a), 5);
  a.kernel() = Tensor::from<float>({9}, {1, 1, 1});
  a.bias() = Tensor::from<float>({1}, {1});
  EXPECT_EQ(value_of(a), 10);
  EXPECT_EQ(value_of(b), 5);
  EXPECT_EQ(b.bias().value().values<float>()[0], 0);
}

TEST(Variables, ACopyBelongsToNoLayer) {
  ConvolutionTranspose layer = ones();
  Variable copy = layer.kernel();
  copy.assign(Tensor::from<float>({7}, {1, 1, 1}));
  EXPECT_EQ(value_of(layer), 1);
  EXPECT_EQ(layer.kernel().value().values<float>()[0], 1);
  EXPECT_EQ(copy.value().values<float>()[0], 7);
}

TEST(Variables, TheBiasKeepsItsAddressWhenTheKernelIsDropped) {
  ConvolutionTranspose layer = ones();
  Variable& bias = layer.bias();
  layer.drop_kernel();
  EXPECT_EQ(&bias, &layer.bias());
  bias.assign(Tensor::from<float>({1}, {1}));
  EXPECT_EQ(value_of(layer), 2);
}

TEST(Variables, ASequentialRefusesToSaveADroppedKernel) {
  ConvolutionTranspose layer = ones();
  layer.drop_kernel();
  const Sequential net(layer);
  EXPECT_THROW(net.save("never_written.npz"), Error);
  EXPECT_FALSE(std::filesystem::exists("never_written.npz"));
}

TEST(Variables, AnActivationIsAnyCallableOrNothing) {
  const ConvolutionTranspose doubled(
      {.input_size = 1,
       .output_size = 1,
       .filter_shape = 1,
       .rank = 1,
       .init_kernel_fn = initializers::ones(),
       .activation_fn = [](const TensorView& y) { *y.data_as<float>() *= 2; }});
  EXPECT_EQ(value_of(doubled), 2);
  EXPECT_EQ(Activation(nullptr).kind(), ActivationKind::kLinear);
}

TEST(Variables, ACloneKeepsItsType) {
  const ConvolutionTranspose1D layer({.input_size = 1, .output_size = 1, .filter_shape = 2});
  EXPECT_NE(dynamic_cast<ConvolutionTranspose1D*>(layer.clone().get()), nullptr);
}

TEST(Variables, SlicesOfTheChannelsOfOneTensorMayBeInputAndOutput) {
  std::vector<float> memory(160, 1);
  const ConvolutionTranspose layer({.input_size = 8,
                                    .output_size = 8,
                                    .filter_shape = 1,
                                    .rank = 1,
                                    .init_kernel_fn = initializers::ones()});
  layer(ConstTensorView(memory.data(), {10, 8}, {16, 1}),
        TensorView(memory.data() + 8, {10, 8}, {16, 1}));
  for (std::size_t i = 0; i < memory.size(); ++i) EXPECT_EQ(memory[i], i % 16 < 8 ? 1 : 8);
  EXPECT_THROW(layer(ConstTensorView(memory.data(), {10, 8}, {16, 1}),
                     TensorView(memory.data() + 4, {9, 8}, {16, 1})),
               Error);
  EXPECT_THROW(layer(ConstTensorView(memory.data(), {9, 8}, {16, 1}),
                     TensorView(memory.data() + 4, {9, 8}, {16, 1})),
               Error);
}

}  // namespace
}  // namespace upconv::test
