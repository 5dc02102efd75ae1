// .safetensors files: what must be accepted, what is written, and a layer's weights in them.
#include "upconv/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "checks.h"
#include "npy_bytes.h"
#include "temporary_folder.h"

namespace upconv::test {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

fs::path golden(const std::string& name) { return fs::path(UPCONV_GOLDEN) / name; }

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Tensor counting(DType dtype, const Dims& shape) {
  Tensor tensor(DType::kFloat64, shape);
  std::iota(tensor.values<double>().begin(), tensor.values<double>().end(), 0.0);
  return Tensor::cast(tensor, dtype);
}

std::vector<NamedTensor> read(const std::string& header, const std::string& data) {
  const std::string file = little(header.size(), 8) + header + data;
  return read_safetensors(std::as_bytes(std::span(file)), "w.st");
}

TEST(Safetensors, OfHuggingFaceAreRead) {
  const fs::path path = golden("safetensors_others.safetensors");
  const std::string odd = "a \"quoted\" \\ name\n\u00e9\U0001f600";
  const Names names = {"up.bias", "up.weight", "empty", odd};
  const std::vector<NamedTensor> read = read_safetensors(path, names);
  ASSERT_EQ(read.size(), 4U);
  EXPECT_TRUE(same_bits(read[0].tensor, counting(DType::kFloat32, {3})));
  EXPECT_TRUE(same_bits(read[1].tensor, counting(DType::kFloat64, {2, 3, 3, 2})));
  EXPECT_EQ(read[2].tensor.shape(), (Dims{0, 5}));
  EXPECT_EQ(read[3].name, odd);

  Names found;
  for (const SafetensorsEntry& entry : list_safetensors(path)) {
    found.push_back(entry.name + " " + entry.dtype + " " + std::to_string(entry.shape.size()));
  }
  EXPECT_EQ(found, (Names{"steps I64 0", "up.weight F64 4", odd + " F32 1", "empty F32 2",
                          "up.bias F32 1", "half F16 1"}));
  const auto [kind, text] = error_of([&] { read_safetensors(path); });
  EXPECT_EQ(kind, ErrorKind::kUnsupported);
  EXPECT_EQ(text, path.string() + ": tensor \"steps\": is I64; it must be F32 or F64");
}

TEST(Safetensors, AreWrittenByteForByteAsHuggingFaceWritesThem) {
  const TemporaryFolder folder;
  const Tensor bias = counting(DType::kFloat32, {3});
  const Tensor kernel = counting(DType::kFloat32, {3, 2, 2, 3});
  const std::vector<NamedView> arrays = {{"bias", bias}, {"kernel", kernel}};
  write_safetensors(folder / "w.safetensors", arrays);
  EXPECT_EQ(bytes_of(folder / "w.safetensors"),
            bytes_of(golden("safetensors_weights.safetensors")));
}

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  const fs::path path = folder / "w.safetensors";
  const Tensor a = counting(DType::kFloat32, {3}), b = counting(DType::kFloat64, {2, 2});
  const Tensor empty = Tensor::zeros(DType::kFloat32, {0, 7}),
               scalar = counting(DType::kFloat32, {});
  const ConstTensorView turned(b.data(), DType::kFloat64, {2, 2}, {1, 2});
  const std::vector<NamedView> arrays = {
      {"a", a}, {"quoted \" and \\", turned}, {"empty", empty}, {"scalar", scalar}};
  write_safetensors(path, arrays);
  const std::vector<NamedTensor> read =
      read_safetensors(path, Names{"a", "quoted \" and \\", "empty", "scalar"});
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ(read[i].name, arrays[i].name);
    EXPECT_TRUE(same_bits(read[i].tensor, arrays[i].view));
  }
  EXPECT_EQ(list_safetensors(path)[0].dtype, "F64") << "float64 comes first, so that it is aligned";
  write_safetensors(path, {});
  EXPECT_TRUE(read_safetensors(path).empty());
}

TEST(Safetensors, HeadersOfEveryLegalFormAreRead) {
  const std::string data = raw<float>({1, 2, 3});
  for (const std::string& header :
       {std::string(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})"),
        std::string(R"({"a":{"data_offsets":[0,12],"shape":[3],"dtype":"F32"}}       )"),
        std::string("{ \"a\" :\t{ \"dtype\": \"F32\",\n \"shape\": [ 3 ],\r\n\"data_offsets\": [ 0 "
                    ", 12 ] } } \n"),
        std::string(R"({"\u0061":{"dt\u0079pe":"F32","shape":[1,3],"data_offsets":[0,12]}})"),
        std::string(R"({"__metadata__":{"a":"b","c":""},"a":{"dtype":"F32","shape":[3],)"
                    R"("data_offsets":[0,12]},"empty":{"dtype":"BF16","shape":[0],)"
                    R"("data_offsets":[12,12]}})")}) {
    const std::string file = little(header.size(), 8) + header + data;
    const std::vector<NamedTensor> read =
        read_safetensors(std::as_bytes(std::span(file)), "w.st", Names{"a"});
    EXPECT_EQ(values_of(read[0].tensor), (std::vector<double>{1, 2, 3})) << header;
  }
  EXPECT_EQ(read(R"({"\ud83d\ude00":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                 raw<float>({1}))[0]
                .name,
            "\U0001f600");
}

TEST(Safetensors, TensorsMayLieAtAnyAddressAndInAnyOrder) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<NamedTensor> tensors =
      read(R"({"b":{"dtype":"F64","shape":[1],"data_offsets":[4,12]},)"
           R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}, )"  // 107 bytes: odd places
           R"("c":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}})",
           raw<float>({1}) + raw<double>({2}) + raw<float>({infinity, std::nanf("")}));
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[1].tensor.values<double>()[0], 2);
  EXPECT_EQ(tensors[2].tensor.values<float>()[0], infinity);
  EXPECT_TRUE(std::isnan(tensors[2].tensor.values<float>()[1]));
}

// ---- a layer's weights

ConvolutionTransposeOptions up(DType dtype = DType::kFloat32) {
  return {.input_size = 2, .output_size = 3, .filter_shape = {3, 2}, .dtype = dtype, .name = "up"};
}

TEST(WeightsByName, OfPyTorchAreTurnedAndRounded) {
  ConvolutionTranspose layer(up());
  layer.load(golden("safetensors_others.safetensors"),
             {.kernel = "up.weight", .bias = "up.bias", .order = Convention::kPyTorch});
  EXPECT_TRUE(same_bits(layer.bias(), counting(DType::kFloat32, {3})));
  const Tensor weight = counting(DType::kFloat32, {2, 3, 3, 2});
  EXPECT_TRUE(same_bits(layer.kernel(), kernel_from(Convention::kPyTorch, weight, up())));
}

TEST(WeightsByName, AreThereInNpzToo) {
  const TemporaryFolder folder;
  const Tensor bias = counting(DType::kFloat32, {3}),
               kernel = counting(DType::kFloat32, {3, 2, 2, 3});
  const std::vector<NamedView> arrays = {{"x", bias}, {"b", bias}, {"k", kernel}};
  write_npz(folder / "w.npz", arrays);
  ConvolutionTranspose layer(up());
  layer.load(folder / "w.npz", {.kernel = "k", .bias = "b"});
  EXPECT_TRUE(same_bits(layer.kernel(), kernel));
  const auto [kind, text] =
      error_of([&] { layer.load(folder / "w.npz", {.kernel = "k", .bias = "c"}); });
  EXPECT_EQ(kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(text, (folder / "w.npz").string() +
                      ": has no array \"c\"; it has \"x\" of shape [3], \"b\" of shape [3], \"k\" "
                      "of shape [3, 2, 2, 3]");
}

TEST(WeightsByName, ThatDoNotFitChangeNothing) {
  const fs::path path = golden("safetensors_others.safetensors");
  ConvolutionTranspose layer(up());
  const Tensor kernel = layer.kernel().value();
  const auto refuse = [&](const WeightNames& names, ErrorKind kind, const std::string& text) {
    const auto [got, message] = error_of([&] { layer.load(path, names); });
    EXPECT_EQ(got, kind);
    EXPECT_EQ(message, text);
    EXPECT_TRUE(same_bits(layer.kernel(), kernel));
  };
  const std::string who = "ConvolutionTranspose \"up\": ";
  refuse({.kernel = "up.weight", .bias = "up.bias"}, ErrorKind::kShapeMismatch,
         who + "kernel \"up.weight\" in " + path.string() +
             " has shape [2, 3, 3, 2]; it must be [3, 2, 2, 3]; it would fit as [input_size, "
             "output_size, filter...], the order of PyTorch and ONNX: move the first two axes to "
             "the end");
  refuse({.kernel = "up.weight", .bias = "up.bias", .order = Convention::kKeras},
         ErrorKind::kShapeMismatch,
         who +
             "kernel in Keras's order has shape [2, 3, 3, 2]; it must be [3, 2, 3, 2] = "
             "[filter..., output_size, input_size]: axis 0 is 2, and filter extent 0 is 3; it "
             "would fit as [input_size, output_size, filter...], the order of PyTorch and ONNX");
  refuse({.kernel = "up.weight", .bias = "empty", .order = Convention::kPyTorch},
         ErrorKind::kShapeMismatch,
         who + "bias \"empty\" in " + path.string() + " has shape [0, 5]; it must be [3]");
  refuse({.kernel = "half", .bias = "up.bias"}, ErrorKind::kUnsupported,
         path.string() + ": tensor \"half\": is F16; it must be F32 or F64");
  refuse({.kernel = "up.weight"}, ErrorKind::kInvalidArgument,
         who + "no name for the bias is given; the layer has one");
}

TEST(WeightsByName, SavedAsSafetensorsAreLoadedAgain) {
  const TemporaryFolder folder;
  const fs::path path = folder / "w.safetensors";
  const ConvolutionTranspose layer(up(DType::kFloat64));
  layer.save(path);
  ConvolutionTranspose other(up(DType::kFloat64));
  other.load(path);
  EXPECT_TRUE(same_bits(other.kernel(), layer.kernel()));
  EXPECT_EQ(read_safetensors(path)[0].name, "bias");
  other.load(path, {.kernel = "kernel", .bias = "bias"});

  ConvolutionTransposeOptions second = up(DType::kFloat64);
  second.input_size = 3;
  const Sequential net(layer, ConvolutionTranspose(second));
  net.save(path);
  Sequential again(ConvolutionTranspose(up(DType::kFloat64)), ConvolutionTranspose(second));
  again.load(path);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(same_bits(*again.variables()[i], *net.variables()[i])) << i;
  }
}

}  // namespace
}  // namespace upconv::test
