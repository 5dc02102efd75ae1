#include "upconv/sequential.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "expect_error.h"
#include "fake_layer.h"
#include "temporary_folder.h"

namespace upconv {
namespace {

Tensor scalar(float value) { return Tensor::from<float>({value}, {1}); }
float first(const ConstTensorView& view) { return view.data_as<float>()[0]; }
float run(const Layer& layer, float x) { return first(layer(scalar(x))); }

Tensor square(const ConstTensorView& x) { return scalar(first(x) * first(x)); }

// ---- FunctionLayer

TEST(FunctionLayer, CallsItsFunction) {
  const FunctionLayer layer(square);
  EXPECT_EQ(layer.name(), "FunctionLayer");
  EXPECT_EQ(run(layer, 3), 9);
  EXPECT_TRUE(layer.variables().empty());
  EXPECT_EQ(run(*layer.clone(), 3), 9);
}

TEST(FunctionLayer, KnowsItsShapeWhenTold) {
  const FunctionLayer told(square, "square", [](const Dims& shape) { return shape; });
  EXPECT_EQ(told.output_shape({1}), Dims{1});
  EXPECT_EQ(told.name(), "square");
  expect_error(ErrorKind::kUnsupported, {"FunctionLayer \"f\": output shape is unknown"},
               [] { FunctionLayer(square, "f").output_shape({1}); });
}

TEST(FunctionLayer, WhatItCannotDoIsAnError) {
  expect_error(ErrorKind::kInvalidArgument, {"FunctionLayer \"f\": function is empty"},
               [] { FunctionLayer layer(FunctionLayer::Function(), "f"); });
  const Tensor residual = scalar(1);
  const ConstTensorView view = residual;
  CallOptions options;
  options.residual = view;
  expect_error(ErrorKind::kUnsupported, {"FunctionLayer \"f\": a residual"},
               [&] { FunctionLayer(square, "f")(scalar(1), options); });
}

// ---- Construction

TEST(Sequential, RunsItsLayersInOrder) {
  const Sequential net(FakeLayer("double", 2, 0), FakeLayer("plus_one", 1, 1));
  EXPECT_EQ(run(net, 5), 11);
  EXPECT_EQ(net.size(), 2U);
  EXPECT_EQ(net.name(), "double_plus_one");
  EXPECT_EQ(net.layer(0).name(), "double");
  EXPECT_EQ(net.eval(scalar(5)).values<float>()[0], 11);
}

TEST(Sequential, FunctionsAreLayersToo) {
  const auto minus_one = [](const ConstTensorView& x) { return scalar(first(x) - 1); };
  const Sequential net(FakeLayer("double", 2, 0), square, minus_one,
                       FunctionLayer(square, "named"));
  EXPECT_EQ(run(net, 3), 35 * 35);
  EXPECT_EQ(net.name(), "double_FunctionLayer_FunctionLayer_named");
  EXPECT_EQ(run(Sequential(square), 3), 9);
}

TEST(Sequential, FromAVectorWithAName) {
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(std::make_unique<FakeLayer>("a", 2.0F, 0.0F));
  layers.push_back(std::make_unique<FakeLayer>("b", 3.0F, 0.0F));
  const Sequential net(std::move(layers), "decoder");
  EXPECT_EQ(net.name(), "decoder");
  EXPECT_EQ(net.name_scope(), "decoder/");
  EXPECT_EQ(run(net, 1), 6);
  const Sequential same(make_layers(FakeLayer("a", 2, 0), square), "other");
  EXPECT_EQ(same.name(), "other");
  EXPECT_EQ(run(same, 3), 36);
}

TEST(Sequential, NoLayerOrANullOneIsAnError) {
  expect_error(ErrorKind::kInvalidArgument, {"Sequential has 0 layers; it must have at least 1"},
               [] { Sequential net(std::vector<std::unique_ptr<Layer>>{}); });
  expect_error(ErrorKind::kInvalidArgument, {"layer 1 is null"}, [] {
    auto layers = make_layers(FakeLayer("a", 1, 0));
    layers.push_back(nullptr);
    Sequential net(std::move(layers));
  });
}

TEST(Sequential, CopiesLayersAndMovesThoseThatAreMoved) {
  FakeLayer layer("a", 2, 0);
  const Sequential net(layer, std::as_const(layer));
  layer.kernel().assign(scalar(10));
  EXPECT_EQ(run(net, 1), 4);

  FunctionLayer function(square);
  const FunctionLayer& view = function;
  EXPECT_EQ(run(Sequential(view, std::move(function)), 2), 16);

  // A layer through its base class keeps what it is.
  const Layer& base = layer;
  EXPECT_EQ(run(Sequential(base), 1), 10);
  static_assert(!std::is_constructible_v<Sequential, int>);
  static_assert(!std::is_constructible_v<Sequential, Tensor>);
}

// ---- Layer on layer

TEST(Sequential, ALayerOnALayerRunsTheArgumentFirst) {
  const FakeLayer doubles("double", 2, 0);
  const FakeLayer plus_one("plus_one", 1, 1);
  const auto net = plus_one(doubles);
  static_assert(std::is_same_v<decltype(net), const Sequential>);
  EXPECT_EQ(net.name(), "double_plus_one");
  EXPECT_EQ(run(net, 5), 11);
  EXPECT_EQ(run(doubles(plus_one), 5), 12);

  // Of a Sequential and on a Sequential: nested, as in TFP.
  const auto deeper = doubles(net);
  EXPECT_EQ(deeper.size(), 2U);
  EXPECT_EQ(deeper.name(), "double_plus_one_double");
  EXPECT_EQ(run(deeper, 5), 22);
  EXPECT_EQ(run(net(doubles), 5), 21);
  EXPECT_EQ(run(doubles(FunctionLayer(square)), 3), 18);
  const Layer& base = doubles;
  EXPECT_EQ(run(base(base), 3), 12);
}

// ---- As a module

TEST(Sequential, VariablesAreThoseOfItsLayersInOrder) {
  Sequential net(FakeLayer("a", 1, 2), Sequential(FakeLayer("b", 3, 4), square),
                 FakeLayer("c", 5, 6));
  std::vector<float> values;
  for (const Variable* variable : net.variables()) values.push_back(first(*variable));
  EXPECT_EQ(values, (std::vector<float>{2, 1, 4, 3, 6, 5}));
  std::vector<std::string> names;
  for (const Module* module : net.submodules()) names.push_back(module->name());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b_FunctionLayer", "c", "b", "FunctionLayer"}));
}

TEST(Sequential, TrackedModulesComeBeforeItsLayers) {
  Sequential net(FakeLayer("a", 1, 2));
  net.also_track().push_back(std::make_shared<FakeLayer>("tracked", 1.0F, 0.0F));
  ASSERT_EQ(net.submodules().size(), 2U);
  EXPECT_EQ(net.submodules()[0]->name(), "tracked");
  EXPECT_EQ(net.submodules()[1]->name(), "a");
}

TEST(Sequential, CopiesAreDeepAndMovesKeepTheLayers) {
  Sequential net(FakeLayer("a", 2, 0), FakeLayer("b", 3, 0));
  Sequential copy = net;
  Variable* kernel = copy.variables()[1];
  kernel->assign(scalar(10));
  EXPECT_EQ(run(net, 1), 6);
  EXPECT_EQ(run(copy, 1), 30);
  EXPECT_EQ(run(*copy.clone(), 1), 30);

  Sequential moved = std::move(copy);
  EXPECT_EQ(moved.variables()[1], kernel);
  kernel->assign(scalar(1));  // still owned and packed by a layer of `moved`
  EXPECT_EQ(run(moved, 1), 3);
  EXPECT_EQ(dynamic_cast<FakeLayer&>(moved.layer(0)).packs, 2);

  net = moved;
  EXPECT_EQ(run(net, 1), 3);
  Sequential& same = net;
  net = same;
  EXPECT_EQ(run(net, 1), 3);
  net = std::move(moved);
  EXPECT_EQ(run(net, 1), 3);
}

TEST(Sequential, SummaryListsEveryVariable) {
  const Sequential net(FakeLayer("a", 1, 0), FakeLayer("b", 1, 0));
  EXPECT_EQ(net.summary(),
            "=== a_b ==================================================\n"
            "  SIZE SHAPE                TRAIN NAME                                    \n"
            "     1 [1]                  True  bias:0                                  \n"
            "     1 [1]                  True  kernel:0                                \n"
            "     1 [1]                  True  bias:0                                  \n"
            "     1 [1]                  True  kernel:0                                \n"
            "trainable size: 4  /  0.000 MiB  /  {float32: 4}");
}

TEST(Sequential, SavesAndLoadsAsOneFile) {
  const test::TemporaryFolder folder;
  std::vector<std::unique_ptr<Layer>> many;
  many.reserve(7);
  for (int i = 0; i < 7; ++i) {  // arr_10 sorts before arr_2 by name
    many.push_back(std::make_unique<FakeLayer>("l", static_cast<float>(i), static_cast<float>(-i)));
  }
  const Sequential saved(std::move(many));
  saved.save(folder / "w.npz");
  Sequential loaded = saved;
  for (Variable* variable : loaded.variables()) variable->assign(scalar(99));
  loaded.load(folder / "w.npz");
  for (std::size_t i = 0; i < saved.variables().size(); ++i) {
    EXPECT_EQ(first(*loaded.variables()[i]), first(*saved.variables()[i]));
  }
  Sequential shorter(FakeLayer("a", 1, 2));
  expect_error(ErrorKind::kShapeMismatch, {"layer \"a\"", "holds 14 arrays; it must hold 2"},
               [&] { shorter.load(folder / "w.npz"); });
}

// ---- Calls

TEST(Sequential, OptionsReachEveryLayerTheResidualOnlyTheLast) {
  const Sequential net(FakeLayer("a", 2, 0), FakeLayer("b", 3, 0));
  const Tensor residual = scalar(100);
  const ConstTensorView view = residual;
  CallOptions options;
  options.threads = 5;
  options.residual = view;
  EXPECT_EQ(first(net(scalar(1), options)), 106);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& layer = dynamic_cast<const FakeLayer&>(net.layer(i));
    EXPECT_EQ(layer.threads, 5);
    EXPECT_EQ(layer.calls, 1);
  }
  EXPECT_EQ(first(Sequential(FakeLayer("a", 2, 0))(scalar(1), options)), 102);
  expect_error(ErrorKind::kUnsupported, {"residual"},
               [&] { Sequential(FakeLayer("a", 2, 0), square)(scalar(1), options); });
}

TEST(Sequential, OutputShapeIsThatOfTheLastLayer) {
  const Sequential net(FakeLayer("a", 2, 0), FakeLayer("b", 3, 0));
  EXPECT_EQ(net.output_shape({4, 2}), (Dims{4, 2, 1, 1}));
  expect_error(ErrorKind::kUnsupported, {"output shape is unknown"},
               [] { Sequential(square).output_shape({1}); });
}

TEST(Sequential, SlicesAreCopiesOfSomeLayersUnderTheSameName) {
  Sequential net(make_layers(FakeLayer("a", 2, 0), FakeLayer("b", 3, 0), FakeLayer("c", 5, 0)),
                 "net");
  net.also_track().push_back(std::make_shared<FakeLayer>("tracked", 1.0F, 0.0F));
  const Sequential middle = net.slice(1, 3);
  EXPECT_EQ(middle.name(), "net");
  EXPECT_EQ(middle.size(), 2U);
  EXPECT_EQ(run(middle, 1), 15);
  EXPECT_EQ(middle.also_track(), net.also_track());
  for (const auto& [begin, end] :
       std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {2, 1}, {0, 4}, {3, 4}}) {
    expect_error(ErrorKind::kInvalidArgument, {"Sequential \"net\": slice", "of 3 layers"},
                 [&, b = begin, e = end] { net.slice(b, e); });
  }
  expect_error(ErrorKind::kInvalidArgument, {"Sequential \"net\": index is 3", "below", "3"},
               [&] { net.layer(3); });
}

}  // namespace
}  // namespace upconv
