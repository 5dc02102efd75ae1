// Modules: names and scopes, variables and sub-modules in tf.Module's order, assignment, the
// summary in TFP's format, files.
#include "upconv/module.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "expect_error.h"
#include "fake_layer.h"
#include "temporary_folder.h"
#include "upconv/npz.h"

namespace upconv {
namespace {

/// A module that holds what it is told to.
class Box : public Module {
 public:
  explicit Box(std::string name) : Module(std::move(name)) {}

  std::vector<Variable*> held_variables;
  std::vector<Module*> held;

 protected:
  std::vector<Variable*> own_variables() override { return held_variables; }
  std::vector<Module*> own_modules() override { return held; }
};

template <typename T>
std::vector<std::string> names(const std::vector<T*>& items) {
  std::vector<std::string> result;
  result.reserve(items.size());
  for (const T* item : items) result.push_back(item->name());
  return result;
}

using Names = std::vector<std::string>;

Variable variable(const std::string& name, bool trainable = true) {
  return {name, Tensor::zeros(DType::kFloat32, {2}), trainable};
}

float first(const Variable& variable) { return variable.value().values<float>()[0]; }

// ---- Names

TEST(Module, NamesAndScopes) {
  const Box outer("outer");
  EXPECT_EQ(outer.name(), "outer");
  EXPECT_EQ(outer.name_scope(), "outer/");
  const std::string inner = outer.with_name_scope([] {
    const Box middle("middle");
    EXPECT_EQ(middle.name(), "middle");
    EXPECT_EQ(middle.name_scope(), "outer/middle/");
    return middle.with_name_scope([] { return Box("inner").name_scope(); });
  });
  EXPECT_EQ(inner, "outer/middle/inner/");
  EXPECT_EQ(Box("after").name_scope(), "after/");
}

TEST(Module, AScopeIsTheModulesOwnWhereverItIsEntered) {
  const Box a("a");
  const Box b("b");
  a.with_name_scope([&] {
    b.with_name_scope([] { EXPECT_EQ(Box("c").name_scope(), "b/c/"); });
    EXPECT_EQ(Box("d").name_scope(), "a/d/");
  });
}

TEST(Module, AScopeEndsWithAnException) {
  const Box a("a");
  EXPECT_THROW(a.with_name_scope([] { throw std::runtime_error("x"); }), std::runtime_error);
  EXPECT_EQ(Box("b").name_scope(), "b/");
}

TEST(Module, AScopeIsOfOneThread) {
  const Box a("a");
  a.with_name_scope([] {
    std::thread([] { EXPECT_EQ(Box("b").name_scope(), "b/"); }).join();
    EXPECT_EQ(Box("c").name_scope(), "a/c/");
  });
}

TEST(Module, WithNameScopeReturnsWhatTheFunctionDoes) {
  const Box a("a");
  int value = 3;
  int& same = a.with_name_scope([&]() -> int& { return value; });
  EXPECT_EQ(&same, &value);
}

TEST(Module, ScopesAreWordsAsInTfp) {
  EXPECT_EQ(Box("up 2x (rgb)").name(), "up 2x (rgb)");
  EXPECT_EQ(Box("up 2x (rgb)").name_scope(), "up_2x_rgb/");
  EXPECT_EQ(Box("a/b").name_scope(), "a_b/");
  EXPECT_EQ(Box("_a__b_").name_scope(), "a__b/");
  EXPECT_EQ(Box("..").name_scope(), "Module/");
  EXPECT_EQ(Box("").name(), "Module");
}

// ---- Trees

TEST(Module, HeldModulesComeFirstThenWhatIsBelowEach) {
  Box a("a"), b("b"), c("c"), d("d"), e("e");
  a.held = {&b, &c};
  b.held = {&d};
  c.held = {&e};
  EXPECT_EQ(names(a.submodules()), (Names{"b", "c", "d", "e"}));
  EXPECT_EQ(names(b.submodules()), Names{"d"});
  EXPECT_TRUE(e.submodules().empty());
  EXPECT_EQ(names(std::as_const(a).submodules()), (Names{"b", "c", "d", "e"}));
}

TEST(Module, VariablesAreOwnThenOfEachModuleHeld) {
  Box a("a"), b("b"), c("c"), d("d");
  Variable va = variable("va"), vb = variable("vb"), vc = variable("vc"), vd = variable("vd");
  a.held = {&b, &c};
  b.held = {&d};
  a.held_variables = {&va};
  b.held_variables = {&vb};
  c.held_variables = {&vc};
  d.held_variables = {&vd};
  EXPECT_EQ(names(a.variables()), (Names{"va", "vb", "vd", "vc"}));
  EXPECT_EQ(names(std::as_const(a).variables()), (Names{"va", "vb", "vd", "vc"}));
}

TEST(Module, TrainableVariables) {
  Box a("a");
  Variable moving = variable("moving", false), kernel = variable("kernel");
  a.held_variables = {&moving, &kernel};
  EXPECT_EQ(names(a.variables()), (Names{"moving", "kernel"}));
  EXPECT_EQ(names(a.trainable_variables()), Names{"kernel"});
  EXPECT_EQ(names(std::as_const(a).trainable_variables()), Names{"kernel"});
}

TEST(Module, SharedThingsAndCyclesAppearOnce) {
  Box a("a"), b("b"), c("c");
  Variable shared = variable("shared");
  a.held = {&b, &c, &b, nullptr};
  b.held = {&c, &a};  // back to the root
  b.held_variables = {&shared, nullptr};
  c.held_variables = {&shared};
  c.held = {&c};
  EXPECT_EQ(names(a.submodules()), (Names{"b", "c"}));
  EXPECT_EQ(names(a.variables()), Names{"shared"});
}

TEST(Layer, TrackedModulesAreSubmodules) {
  FakeLayer layer("layer", 1, 0);
  const auto tracked = std::make_shared<FakeLayer>("tracked", 1, 0);
  layer.also_track().push_back(tracked);
  layer.also_track().push_back(nullptr);
  EXPECT_EQ(names(layer.submodules()), Names{"tracked"});
  EXPECT_EQ(names(layer.variables()), (Names{"bias", "kernel", "bias", "kernel"}));
  EXPECT_EQ(layer.variables()[2], &tracked->bias());
  EXPECT_EQ(std::as_const(layer).also_track().size(), 2U);
}

// ---- Variables

TEST(Variable, AssignCopiesAndPacks) {
  FakeLayer layer("up", 1, 0);
  EXPECT_EQ(layer.packs, 0);
  Tensor value = Tensor::from<float>({3}, {1});
  layer.kernel().assign(value);
  value.values<float>()[0] = 4;
  EXPECT_EQ(first(layer.kernel()), 3);
  EXPECT_EQ(layer.packs, 1);
  layer.kernel().assign(layer.kernel());  // from itself
  EXPECT_EQ(first(layer.kernel()), 3);
  EXPECT_EQ(layer(Tensor::from<float>({2}, {1})).values<float>()[0], 6);
}

TEST(Variable, AssignTakesStridedViews) {
  Variable v = variable("v");
  const std::vector<float> memory = {1, 2, 3};
  v.assign(ConstTensorView(memory.data() + 2, Dims{2}, Dims{-2}));
  EXPECT_EQ(first(v), 3);
  EXPECT_EQ(v.value().values<float>()[1], 1);
}

TEST(Variable, WhatDoesNotFitIsAnErrorAndChangesNothing) {
  FakeLayer layer("up", 1, 0);
  const std::string kernel = "variable \"up/kernel\": value ";
  expect_error(ErrorKind::kShapeMismatch, {kernel + "has shape [2]; it must be [1]"},
               [&] { layer.kernel().assign(Tensor::zeros(DType::kFloat32, {2})); });
  expect_error(ErrorKind::kShapeMismatch, {kernel + "has shape [1, 1]"}, [&] {
    layer.kernel().assign(Tensor::zeros(DType::kFloat32, {1, 1}));
  });
  expect_error(ErrorKind::kShapeMismatch, {kernel + "is float64; it must be float32"},
               [&] { layer.kernel().assign(Tensor::zeros(DType::kFloat64, {1})); });
  expect_error(ErrorKind::kInvalidArgument, {kernel + "has no data (null)"},
               [&] { layer.kernel().assign(ConstTensorView(nullptr, DType::kFloat32, Dims{1})); });
  layer.refused = 9.0F;
  expect_error(ErrorKind::kOutOfMemory, {"pack"},
               [&] { layer.kernel().assign(Tensor::from<float>({9}, {1})); });
  EXPECT_EQ(first(layer.kernel()), 1);
  EXPECT_EQ(layer.packs, 0);
}

TEST(Variable, ACopiedLayersVariablesAreItsOwn) {
  FakeLayer layer("up", 1, 0);
  FakeLayer copy = layer;
  copy.kernel().assign(Tensor::from<float>({5}, {1}));
  EXPECT_EQ(first(layer.kernel()), 1);
  EXPECT_EQ(layer.packs, 0);
  EXPECT_EQ(copy.packs, 1);
}

// ---- Layer

TEST(Layer, EvalIsACall) {
  const FakeLayer layer("up", 2, 1);
  const Tensor x = Tensor::from<float>({3}, {1});
  EXPECT_EQ(layer.eval(x).values<float>()[0], 7);
  EXPECT_EQ(layer.eval(x, false).values<float>()[0], 7);
}

TEST(Layer, SummaryIsTfps) {
  const FakeLayer layer("decoder", 1, 0, {3, 3, 4, 8});
  EXPECT_EQ(layer.summary(),
            "=== decoder ==================================================\n"
            "  SIZE SHAPE                TRAIN NAME                                    \n"
            "     1 [1]                  True  bias:0                                  \n"
            "   288 [3, 3, 4, 8]         True  kernel:0                                \n"
            "trainable size: 289  /  0.001 MiB  /  {float32: 289}");
}

TEST(Layer, SummaryOfWideColumnsOtherDtypesAndScopes) {
  class Odd : public FakeLayer {
   public:
    Odd() : FakeLayer("odd", 1, 0, {1024, 512, 1, 1, 1, 1, 1}) { adopt(moving_); }

   protected:
    std::vector<Variable*> own_variables() override {
      std::vector<Variable*> variables = FakeLayer::own_variables();
      variables.insert(variables.begin(), &moving_);
      variables.push_back(&double_);
      return variables;
    }

   private:
    Variable moving_{"moving", Tensor::zeros(DType::kFloat32, {7}), false};
    Variable double_{std::string(45, 'd'), Tensor::zeros(DType::kFloat64, {})};
  };
  const FakeLayer scope("scope", 1, 0);
  const std::string text = scope.with_name_scope([] { return Odd().summary(); });
  EXPECT_EQ(text,
            "=== odd ==================================================\n"
            "  SIZE SHAPE                TRAIN NAME                                    \n"
            "     7 [7]                  False scope/moving:0                          \n"
            "     1 [1]                  True  scope/bias:0                            \n"
            "524288 [1024, 512, 1, 1, 1, 1, 1] True  scope/kernel:0                          \n"
            "     1 []                   True  " +
                std::string(45, 'd') +
                ":0\n"
                "trainable size: 524290  /  2.000 MiB  /  {float32: 524289, float64: 1}");
}

class Bare : public FakeLayer {
 public:
  Bare() : FakeLayer("bare", 1, 0) {}

 protected:
  std::vector<Variable*> own_variables() override { return {}; }
};

TEST(Layer, SummaryWithoutVariables) {
  EXPECT_EQ(Bare().summary(),
            "=== bare ==================================================\n"
            "  SIZE SHAPE                TRAIN NAME                                    \n"
            "trainable size: 0  /  0.000 MiB  /  {}");
}

// ---- Files

TEST(Layer, SaveAndLoadRoundTrip) {
  const test::TemporaryFolder folder;
  const FakeLayer saved("a", 3, 4, {2, 2, 1, 3});
  saved.save(folder / "w.npz");
  const std::vector<NamedTensor> arrays = read_npz(folder / "w.npz");
  ASSERT_EQ(arrays.size(), 2U);
  EXPECT_EQ(arrays[0].name, "arr_0");
  EXPECT_EQ(arrays[0].tensor.shape(), Dims{1});
  EXPECT_EQ(arrays[1].name, "arr_1");
  EXPECT_EQ(arrays[1].tensor.shape(), (Dims{2, 2, 1, 3}));

  FakeLayer loaded("b", 0, 0, {2, 2, 1, 3});
  loaded.load(folder / "w.npz");
  EXPECT_EQ(first(loaded.kernel()), 3);
  EXPECT_EQ(first(loaded.bias()), 4);
  EXPECT_EQ(loaded.packs, 2);
}

TEST(Layer, SavingNothingIsAnError) {
  const test::TemporaryFolder folder;
  expect_error(ErrorKind::kInvalidArgument, {"w.npz", "0"}, [&] { Bare().save(folder / "w.npz"); });
  EXPECT_FALSE(std::filesystem::exists(folder / "w.npz"));
}

void write(const std::filesystem::path& path,
           const std::vector<std::pair<std::string, Tensor>>& arrays) {
  std::vector<NamedView> views;
  views.reserve(arrays.size());
  for (const auto& [name, tensor] : arrays) views.push_back({name, tensor});
  write_npz(path, views);
}

TEST(Layer, LoadTakesOtherDtypesAndTfps2dKernels) {
  const test::TemporaryFolder folder;
  Tensor kernel = Tensor::zeros(DType::kFloat64, {4, 3});
  kernel.values<double>()[0] = 0.1;
  kernel.values<double>()[11] = 7;
  write(folder / "w.npz", {{"b", Tensor::from<float>({4}, {1})}, {"a", kernel}});
  FakeLayer layer("a", 0, 0, {2, 2, 1, 3});
  layer.load(folder / "w.npz");
  EXPECT_EQ(first(layer.kernel()), 0.1F);
  EXPECT_EQ(layer.kernel().value().values<float>()[11], 7);
  EXPECT_EQ(layer.kernel().shape(), (Dims{2, 2, 1, 3}));
}

TEST(Layer, LoadGoesByNumpysNumbers) {
  const test::TemporaryFolder folder;
  const auto value = [](float v) { return Tensor::from<float>({v}, {1}); };
  write(folder / "w.npz", {{"arr_1", value(1)}, {"arr_0", value(0)}});
  FakeLayer layer("a", 5, 5);
  layer.load(folder / "w.npz");
  EXPECT_EQ(first(layer.bias()), 0);
  EXPECT_EQ(first(layer.kernel()), 1);
  // Any other name: the file's order is what counts.
  write(folder / "w.npz", {{"arr_1", value(1)}, {"arr_0x", value(0)}});
  layer.load(folder / "w.npz");
  EXPECT_EQ(first(layer.bias()), 1);
  EXPECT_EQ(first(layer.kernel()), 0);
}

TEST(Layer, LoadOfWhatDoesNotFitChangesNothing) {
  const test::TemporaryFolder folder;
  FakeLayer layer("up", 3, 4);
  const auto value = [](float v) { return Tensor::from<float>({v}, {1}); };
  write(folder / "one.npz", {{"arr_0", value(1)}});
  expect_error(ErrorKind::kShapeMismatch,
               {"layer \"up\": ", "one.npz holds 1 arrays; it must hold 2, one per variable"},
               [&] { layer.load(folder / "one.npz"); });
  write(folder / "shape.npz", {{"x", value(1)}, {"y", Tensor::zeros(DType::kFloat32, {2})}});
  expect_error(ErrorKind::kShapeMismatch,
               {"array \"y\" in ", "shape.npz has shape [2]; variable 1, \"kernel\", must be [1]"},
               [&] { layer.load(folder / "shape.npz"); });
  expect_error(ErrorKind::kIo, {"missing.npz"}, [&] { layer.load(folder / "missing.npz"); });
  EXPECT_EQ(first(layer.kernel()), 3);
  EXPECT_EQ(first(layer.bias()), 4);
  EXPECT_EQ(layer.packs, 0);
}

TEST(Layer, LoadTakesAssignmentsBackWhenPackingFails) {
  const test::TemporaryFolder folder;
  const auto value = [](float v) { return Tensor::from<float>({v}, {1}); };
  write(folder / "w.npz", {{"arr_0", value(1)}, {"arr_1", value(9)}});
  FakeLayer layer("up", 3, 4);
  layer.refused = 9.0F;
  expect_error(ErrorKind::kOutOfMemory, {"pack"}, [&] { layer.load(folder / "w.npz"); });
  EXPECT_EQ(first(layer.bias()), 4);
  EXPECT_EQ(first(layer.kernel()), 3);
}

}  // namespace
}  // namespace upconv
