// A layer over its life: weights assigned, packed, dropped, saved and loaded; copies and moves.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cases.h"
#include "checks.h"
#include "temporary_folder.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261201;
namespace fs = std::filesystem;

static_assert(std::is_nothrow_move_constructible_v<ConvolutionTranspose>);
static_assert(std::is_nothrow_move_assignable_v<ConvolutionTranspose>);

class Lifecycle : public testing::TestWithParam<Isa> {
 protected:
  /// Two cases of one problem, with other weights.
  static std::pair<Case, Case> two_cases(std::uint64_t seed) {
    Random random(seed);
    const Problem problem = random_problem(random);
    Case first = make_case(problem, DType::kFloat32, Values::kNormal, random);
    Case second = make_case(problem, DType::kFloat32, Values::kNormal, random);
    second.use_bias = first.use_bias = true;
    for (Case* c : {&first, &second}) {
      c->bias.resize(static_cast<std::size_t>(problem.output_size), 0.5);
    }
    second.x = first.x;
    return {first, second};
  }

  static Tensor kernel_of(const Case& c) {
    Dims shape;
    for (const Index extent : c.problem.filter) shape.push_back(extent);
    shape.push_back(c.problem.input_size);
    shape.push_back(c.problem.output_size);
    return tensor_of(c.dtype, shape, c.kernel);
  }
  static Tensor bias_of(const Case& c) {
    return tensor_of(c.dtype, {c.problem.output_size}, c.bias);
  }

  TemporaryFolder folder_;
};

TEST_P(Lifecycle, AssigningWeightsPacksThemAgainForEveryIsa) {
  for (std::uint64_t seed = kSeed; seed < kSeed + cases(20); ++seed) {
    const auto [first, second] = two_cases(seed);
    ConvolutionTranspose layer = layer_of(first, GetParam());
    const Tensor x = first.input();
    for (const Isa isa : isas()) layer(x, {.isa = isa});  // packs for all
    layer.kernel().assign(kernel_of(second));
    layer.bias().assign(bias_of(second));
    for (const Isa isa : isas()) {
      EXPECT_TRUE(same_bits(layer(x, {.isa = isa}), layer_of(second, isa)(x)))
          << "seed " << seed << ", " << to_string(isa);
    }
    EXPECT_TRUE(same_bits(layer.kernel(), kernel_of(second)));
  }
}

TEST_P(Lifecycle, VariablesAreInTfpsOrderAndAssignable) {
  const auto [first, second] = two_cases(kSeed);
  ConvolutionTranspose layer = layer_of(first, GetParam());
  ASSERT_EQ(layer.variables().size(), 2U);
  EXPECT_EQ(layer.variables()[0]->name(), "bias");
  EXPECT_EQ(layer.variables()[1]->name(), "kernel");
  layer.variables()[0]->assign(bias_of(second));
  layer.variables()[1]->assign(kernel_of(second));
  EXPECT_TRUE(same_bits(layer(first.input()), layer_of(second, GetParam())(first.input())));
}

TEST_P(Lifecycle, CopiesAreDeep) {
  const auto [first, second] = two_cases(kSeed + 1);
  const Tensor x = first.input();
  ConvolutionTranspose layer = layer_of(first, GetParam());
  const Tensor before = layer(x);
  ConvolutionTranspose copy = layer, assigned = layer_of(second, GetParam());
  assigned = layer;
  const std::unique_ptr<Layer> clone = layer.clone();
  layer.kernel().assign(kernel_of(second));
  EXPECT_TRUE(same_bits(copy(x), before));
  EXPECT_TRUE(same_bits(assigned(x), before));
  EXPECT_TRUE(same_bits((*clone)(x), before));
  EXPECT_TRUE(same_bits(copy.kernel(), kernel_of(first)));
  copy.kernel().assign(kernel_of(second));  // owned by the copy: packs the copy
  copy.bias().assign(bias_of(second));
  EXPECT_TRUE(same_bits(copy(x), layer_of(second, GetParam())(x)));
  EXPECT_TRUE(same_bits(assigned(x), before));
}

TEST_P(Lifecycle, MovesKeepTheVariablesAndTheirPlace) {
  const auto [first, second] = two_cases(kSeed + 2);
  const Tensor x = first.input();
  ConvolutionTranspose layer = layer_of(first, GetParam());
  const Tensor before = layer(x);
  Variable* const kernel = &layer.kernel();
  const void* const data = kernel->value().data();
  ConvolutionTranspose moved = std::move(layer);
  EXPECT_EQ(&moved.kernel(), kernel);
  EXPECT_EQ(moved.kernel().value().data(), data);
  EXPECT_TRUE(same_bits(moved(x), before));
  kernel->assign(kernel_of(second));  // of the layer it is now in
  moved.bias().assign(bias_of(second));
  EXPECT_TRUE(same_bits(moved(x), layer_of(second, GetParam())(x)));
  ConvolutionTranspose target = layer_of(first, GetParam());
  target = std::move(moved);
  EXPECT_TRUE(same_bits(target(x), layer_of(second, GetParam())(x)));
  ConvolutionTranspose& self = target;
  target = std::move(self);
  EXPECT_EQ(&target.kernel(), kernel);
}

TEST_P(Lifecycle, ALayerThatWasMovedFromSaysSoAndCanBeAssigned) {
  const Case first = two_cases(kSeed + 3).first;
  const Tensor x = first.input();
  ConvolutionTranspose layer = layer_of(first, GetParam());
  ConvolutionTranspose moved = std::move(layer);
  const auto expect_moved_from = [](auto body) {
    const auto [kind, text] = error_of(body);
    EXPECT_EQ(kind, ErrorKind::kUnsupported);
    EXPECT_TRUE(text.ends_with(": the layer was moved from; assign another to use it")) << text;
  };
  // What must not be done is what is tested.
  // NOLINTBEGIN(bugprone-use-after-move, performance-unnecessary-copy-initialization)
  expect_moved_from([&] { layer(x); });
  expect_moved_from([&] { layer.kernel(); });
  expect_moved_from([&] { layer.bias(); });
  expect_moved_from([&] { layer.output_shape(x.shape()); });
  expect_moved_from([&] { layer.drop_kernel(); });
  expect_moved_from([&] { layer.variables(); });
  expect_moved_from([&] { layer.clone(); });
  expect_moved_from([&] { ConvolutionTranspose copy(layer); });
  expect_moved_from([&] { moved = layer; });
  EXPECT_TRUE(same_bits(moved(x), layer_of(first, GetParam())(x)));
  // Moving it once more moves nothing; std::swap does so.
  ConvolutionTranspose again = std::move(layer);
  expect_moved_from([&] { again(x); });
  std::swap(again, moved);
  EXPECT_TRUE(same_bits(again(x), layer_of(first, GetParam())(x)));
  expect_moved_from([&] { moved(x); });
  // NOLINTEND(bugprone-use-after-move, performance-unnecessary-copy-initialization)
  moved = again;
  EXPECT_TRUE(same_bits(moved(x), again(x)));
}

TEST_P(Lifecycle, ADroppedKernelLeavesThePackedWeights) {
  const auto [first, second] = two_cases(kSeed + 4);
  const Tensor x = first.input();
  ConvolutionTranspose layer = layer_of(first, GetParam());
  const Tensor before = layer(x);
  const std::size_t packed = layer.packed_bytes();
  layer.drop_kernel();
  layer.drop_kernel();
  EXPECT_TRUE(same_bits(layer(x), before));
  EXPECT_TRUE(same_bits(ConvolutionTranspose(layer)(x), before));
  EXPECT_EQ(layer.packed_bytes(), packed);
  EXPECT_EQ(layer.variables().size(), 1U);
  EXPECT_TRUE(same_bits(layer.bias(), bias_of(first)));
  const std::string what = "ConvolutionTranspose \"test\": ";
  EXPECT_EQ(error_of([&] { layer.kernel(); }).text,
            what + "the kernel was dropped; only packed weights are left");
  EXPECT_EQ(error_of([&] { layer.save(folder_ / "never.npz"); }).text,
            what + "the kernel was dropped; only packed weights are left");
  for (const Isa isa : isas()) {
    if (isa == GetParam()) continue;
    EXPECT_EQ(error_of([&] { layer(x, {.isa = isa}); }).text,
              what + "isa is " + std::string(to_string(isa)) + "; the layer is packed for " +
                  std::string(to_string(GetParam())) + " and its kernel was dropped");
  }
  // The bias needs no kernel.
  Case other_bias = first;
  other_bias.bias = second.bias;
  layer.bias().assign(bias_of(second));
  EXPECT_TRUE(same_bits(layer(x), layer_of(other_bias, GetParam())(x)));
  // Loading brings the kernel back.
  const fs::path file = folder_ / "second.npz";
  layer_of(second, GetParam()).save(file);
  layer.load(file);
  EXPECT_TRUE(same_bits(layer(x), layer_of(second, GetParam())(x)));
  EXPECT_TRUE(same_bits(layer.kernel(), kernel_of(second)));
}

TEST_P(Lifecycle, SavedWeightsLoadInEveryOrderNameShapeAndDtype) {
  for (std::uint64_t seed = 2 * kSeed; seed < 2 * kSeed + cases(10); ++seed) {
    const auto [first, second] = two_cases(seed);
    const Tensor x = first.input(), expected = layer_of(second, GetParam())(x);
    const ConvolutionTranspose saved = layer_of(second, GetParam());
    const Tensor kernel = kernel_of(second), bias = bias_of(second);
    const Tensor kernel64 = Tensor::cast(kernel, DType::kFloat64);
    const Tensor bias64 = Tensor::cast(bias, DType::kFloat64);
    const Dims flat{kernel.size() / second.problem.output_size, second.problem.output_size};
    const ConstTensorView kernel_2d(kernel.data(), kernel.dtype(), flat);
    std::vector<fs::path> files;
    const auto write = [&](std::vector<NamedView> arrays) {
      files.push_back(folder_ / (std::to_string(files.size()) + ".npz"));
      write_npz(files.back(), arrays);
    };
    write({{"arr_0", bias}, {"arr_1", kernel}});
    write({{"arr_0", kernel}, {"arr_1", bias}});
    write({{"weights", kernel}, {"a/b", bias}});
    write({{"arr_0", bias}, {"arr_1", kernel_2d}});
    write({{"k", kernel_2d}, {"b", bias}});
    write({{"arr_0", bias64}, {"arr_1", kernel64}});
    files.push_back(folder_ / "saved.npz");
    saved.save(files.back());
    files.push_back(folder_ / "saved_2d.npz");
    saved.save(files.back(), /*kernel_2d=*/true);
    for (const fs::path& file : files) {
      ConvolutionTranspose layer = layer_of(first, GetParam());
      for (const Isa isa : isas()) layer(x, {.isa = isa});
      layer.load(file);
      EXPECT_TRUE(same_bits(layer(x), expected)) << file << ", seed " << seed;
      for (const Isa isa : isas()) {
        EXPECT_TRUE(same_bits(layer(x, {.isa = isa}), saved(x, {.isa = isa}))) << file;
      }
    }
    const std::vector<NamedTensor> arrays = read_npz(files[files.size() - 2]);
    ASSERT_EQ(arrays.size(), 2U);
    EXPECT_EQ(arrays[0].name, "arr_0");
    EXPECT_TRUE(same_bits(arrays[0].tensor, bias));
    EXPECT_EQ(arrays[1].name, "arr_1");
    EXPECT_TRUE(same_bits(arrays[1].tensor, kernel));
    EXPECT_EQ(to_string(read_npz(files.back())[1].tensor.shape()), to_string(flat));
  }
}

TEST_P(Lifecycle, ReferencesToVariablesSurviveALoad) {
  const auto [first, second] = two_cases(kSeed + 5);
  const fs::path file = folder_ / "second.npz";
  layer_of(second, GetParam()).save(file);
  ConvolutionTranspose layer = layer_of(first, GetParam());
  Variable &kernel = layer.kernel(), &bias = layer.bias();
  layer.load(file);
  EXPECT_EQ(&layer.kernel(), &kernel);
  EXPECT_EQ(&layer.bias(), &bias);
  EXPECT_TRUE(same_bits(kernel, kernel_of(second)));
  kernel.assign(kernel_of(first));
  bias.assign(bias_of(first));
  EXPECT_TRUE(same_bits(layer(first.input()), layer_of(first, GetParam())(first.input())));
}

TEST_P(Lifecycle, ALoadThatFailsChangesNothing) {
  const auto [first, second] = two_cases(kSeed + 6);
  const fs::path file = folder_ / "kernel_only.npz";
  write_npz(file, std::vector<NamedView>{{"kernel", kernel_of(second)}});
  ConvolutionTranspose layer = layer_of(first, GetParam());
  EXPECT_EQ(error_of([&] { layer.load(file); }).kind, ErrorKind::kShapeMismatch);
  EXPECT_EQ(error_of([&] { layer.load(folder_ / "not_there.npz"); }).kind, ErrorKind::kIo);
  EXPECT_TRUE(same_bits(layer.kernel(), kernel_of(first)));
  EXPECT_TRUE(same_bits(layer(first.input()), layer_of(first, GetParam())(first.input())));
}

INSTANTIATE_TEST_SUITE_P(AllIsas, Lifecycle, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
