// Which array of a weight file is which weight, and what is said when none fits.
#include "weights.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "expect_error.h"
#include "fake_layer.h"
#include "temporary_folder.h"
#include "upconv/npz.h"

namespace upconv::internal {
namespace {

constexpr std::string_view kLayer = "ConvolutionTranspose \"decoder\"";
const Dims kKernelShape = {3, 2, 3, 4};
constexpr DType kSingle = DType::kFloat32;
constexpr DType kDouble = DType::kFloat64;

Tensor counting(DType dtype, const Dims& shape) {
  Tensor tensor(kDouble, shape);
  std::iota(tensor.values<double>().begin(), tensor.values<double>().end(), 0.1);
  return Tensor::cast(tensor, dtype);
}

using Arrays = std::vector<std::pair<std::string, Tensor>>;

class Weights : public testing::Test {
 protected:
  std::filesystem::path write(const Arrays& arrays) {
    std::vector<NamedView> views;
    for (const auto& [name, tensor] : arrays) views.push_back({name, tensor});
    write_npz(path_, views);
    return path_;
  }

  KernelBias load(const Arrays& arrays, bool has_bias = true, DType dtype = kSingle) {
    return load_kernel_bias(write(arrays), kKernelShape, has_bias, dtype, kLayer);
  }

  void expect_mismatch(const Arrays& arrays, std::initializer_list<std::string_view> words,
                       bool has_bias = true) {
    expect_error(ErrorKind::kShapeMismatch, words, [&] { load(arrays, has_bias); });
    expect_error(ErrorKind::kShapeMismatch, {kLayer, "w.npz"}, [&] { load(arrays, has_bias); });
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "w.npz";
  Tensor kernel_ = counting(kSingle, kKernelShape);
  Tensor bias_ = counting(kSingle, {4});
};

void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.dtype(), b.dtype());
  const Tensor x = Tensor::cast(a, kDouble);
  const Tensor y = Tensor::cast(b, kDouble);
  for (std::size_t i = 0; i < x.values<double>().size(); ++i) {
    ASSERT_EQ(x.values<double>()[i], y.values<double>()[i]) << i;
  }
}

TEST_F(Weights, AnyOrderAndAnyNames) {
  for (const Arrays& arrays :
       {Arrays{{"arr_0", bias_}, {"arr_1", kernel_}}, Arrays{{"arr_0", kernel_}, {"arr_1", bias_}},
        Arrays{{"decoder/w", kernel_}, {"decoder/b", bias_}}}) {
    const KernelBias loaded = load(arrays);
    expect_same(loaded.kernel, kernel_);
    ASSERT_TRUE(loaded.bias);
    expect_same(*loaded.bias, bias_);
  }
}

TEST_F(Weights, RoundedToTheLayersDtype) {
  const Tensor kernel = counting(kDouble, kKernelShape);
  const KernelBias loaded = load({{"k", kernel}, {"b", bias_}});
  expect_same(loaded.kernel, Tensor::cast(kernel, kSingle));
  const KernelBias wide = load({{"k", kernel}, {"b", bias_}}, true, kDouble);
  expect_same(wide.kernel, kernel);
  expect_same(*wide.bias, Tensor::cast(bias_, kDouble));
}

TEST_F(Weights, TheFlatKernelOfTfp025) {
  const Tensor flat = Tensor::copy_of(ConstTensorView(kernel_.data(), kSingle, Dims{18, 4}));
  expect_same(load({{"arr_0", bias_}, {"arr_1", flat}}).kernel, kernel_);
}

TEST_F(Weights, WithoutBias) {
  const KernelBias loaded = load({{"arr_0", kernel_}}, false);
  expect_same(loaded.kernel, kernel_);
  EXPECT_FALSE(loaded.bias);
}

TEST_F(Weights, MissingArraysAreErrors) {
  expect_mismatch({{"k", kernel_}}, {"holds no bias, but \"k\" of shape [3, 2, 3, 4]"});
  expect_mismatch({{"b", bias_}}, {"holds no kernel, but \"b\" of shape [4]"});
  expect_mismatch({{"b", bias_}}, {"and no bias"}, false);
}

TEST_F(Weights, AFileWithoutArraysIsAnError) {
  // What numpy.savez writes without arrays: a zip's end record and nothing before it.
  std::string end(22, '\0');
  end.replace(0, 4, "PK\5\6");
  test::write_bytes(path_, end);
  expect_error(ErrorKind::kCorruptFile, {"w.npz", "0 members"},
               [&] { load_kernel_bias(path_, kKernelShape, true, kSingle, kLayer); });
}

TEST_F(Weights, SurplusArraysAreErrors) {
  expect_mismatch({{"k", kernel_}, {"b", bias_}},
                  {"holds a bias, \"b\" of shape [4]", "use_bias is false"}, false);
  expect_mismatch({{"k", kernel_}, {"b", bias_}, {"c", bias_}},
                  {"two arrays that could be the bias", "\"c\" of shape [4]"});
  expect_mismatch({{"k", kernel_}, {"b", bias_}, {"l", kernel_}},
                  {"two arrays that could be the kernel"});
  expect_mismatch({{"k", kernel_}, {"b", bias_}, {"flat", counting(kSingle, {18, 4})}},
                  {"two arrays that could be the kernel", "\"flat\" of shape [18, 4]"});
  expect_mismatch({{"k", kernel_}, {"b", bias_}, {"step", counting(kSingle, {})}},
                  {"array \"step\"", "has shape [], neither a kernel nor a bias"});
  expect_mismatch({{"k", counting(kSingle, {2, 3, 4})}, {"b", bias_}},
                  {"array \"k\"", "[2, 3, 4], neither a kernel nor a bias", "[3, 2, 3, 4]"});
}

TEST_F(Weights, WrongShapesAreErrors) {
  const auto kernel = [&](const Dims& shape) {
    return Arrays{{"b", bias_}, {"k", counting(kSingle, shape)}};
  };
  expect_mismatch(kernel({3, 2, 4, 4}),
                  {"kernel in ", " has shape [3, 2, 4, 4]; it must be [3, 2, 3, 4]"});
  expect_mismatch(kernel({18, 5}), {"has shape [18, 5]; it must be [18, 4]"});
  expect_mismatch(kernel({0, 2, 3, 4}), {"has shape [0, 2, 3, 4]; it must be [3, 2, 3, 4]"});
  expect_mismatch({{"b", counting(kSingle, {1, 4})}, {"k", kernel_}},
                  {"two arrays that could be the kernel: \"b\" of shape [1, 4]"});
  expect_mismatch({{"b", counting(kSingle, {3})}, {"k", kernel_}},
                  {"bias in ", " has shape [3]; it must be [4]"});
}

TEST_F(Weights, ErrorsSayWhoseOrderWouldFit) {
  const auto kernel = [&](const Dims& shape) {
    return Arrays{{"b", bias_}, {"k", counting(kSingle, shape)}};
  };
  expect_mismatch(kernel({3, 2, 4, 3}), {"[3, 2, 4, 3]; it must be [3, 2, 3, 4]",
                                         "[filter..., output_size, input_size]", "Keras"});
  expect_mismatch(kernel({3, 4, 3, 2}), {"[input_size, output_size, filter...]", "PyTorch"});
  expect_mismatch(kernel({4, 3, 3, 2}), {"[output_size, input_size, filter...]"});
  expect_mismatch(kernel({4, 18}), {"it must be [18, 4]; it would fit transposed"});
}

TEST_F(Weights, UnreadableFilesAreErrors) {
  expect_error(ErrorKind::kIo, {"nowhere.npz"}, [&] {
    load_kernel_bias(folder_ / "nowhere.npz", kKernelShape, true, kSingle, kLayer);
  });
}

TEST_F(Weights, SavesTfpsOrder) {
  save_kernel_bias(path_, bias_, kernel_, false);
  std::vector<NamedTensor> arrays = read_npz(path_);
  ASSERT_EQ(arrays.size(), 2U);
  EXPECT_EQ(arrays[0].name, "arr_0");
  expect_same(arrays[0].tensor, bias_);
  EXPECT_EQ(arrays[1].name, "arr_1");
  expect_same(arrays[1].tensor, kernel_);

  save_kernel_bias(path_, std::nullopt, kernel_, false);
  arrays = read_npz(path_);
  ASSERT_EQ(arrays.size(), 1U);
  EXPECT_EQ(arrays[0].name, "arr_0");
  expect_same(arrays[0].tensor, kernel_);
}

TEST_F(Weights, SavesAFlatKernelOnRequest) {
  save_kernel_bias(path_, bias_, kernel_, true);
  const std::vector<NamedTensor> arrays = read_npz(path_);
  EXPECT_EQ(arrays[1].tensor.shape(), (Dims{18, 4}));
  expect_same(load_kernel_bias(path_, kKernelShape, true, kSingle, kLayer).kernel, kernel_);

  // A strided kernel is written in the order of its indices.
  const ConstTensorView swapped(kernel_.data(), kSingle, Dims{2, 3, 3, 4}, Dims{12, 24, 4, 1});
  save_kernel_bias(path_, std::nullopt, swapped, true);
  expect_same(load_kernel_bias(path_, {2, 3, 3, 4}, false, kSingle, kLayer).kernel,
              Tensor::copy_of(swapped));
}

}  // namespace
}  // namespace upconv::internal
