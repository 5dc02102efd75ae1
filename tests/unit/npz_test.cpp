// .npz files that must be read, NumPy's own among them, and what is written.
#include "upconv/npz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "npy_bytes.h"
#include "refused_file.h"
#include "temporary_folder.h"
#include "zip_archive.h"

namespace upconv::test {
namespace {

std::vector<NamedTensor> read(const std::string& bytes) {
  return read_npz(std::as_bytes(std::span(bytes)), "w.npz");
}

std::vector<std::string> names(const std::vector<NamedTensor>& arrays) {
  std::vector<std::string> found;
  found.reserve(arrays.size());
  for (const NamedTensor& array : arrays) found.push_back(array.name);
  return found;
}

void expect_good(const Zip& zip) {
  const std::vector<NamedTensor> arrays = read(zip.bytes);
  ASSERT_FALSE(arrays.empty());
  for (const NamedTensor& array : arrays) EXPECT_EQ(array.tensor.values<float>()[2], 3);
}

TEST(NpzReads, StoredAndDeflatedMembersInTheFilesOrder) {
  const Zip zip({{"b.npy", good_npy()}, {"a.npy", good_npy(), true}});
  expect_good(zip);
  EXPECT_EQ(names(read(zip.bytes)), (std::vector<std::string>{"b", "a"}));
}

TEST(NpzReads, Zip64LocalHeadersAsNumPyWritesThem) {
  expect_good(Zip({{"a.npy", good_npy(), false, true}, {"b.npy", good_npy(), true, true}}));
}

TEST(NpzReads, AZip64EndRecord) { expect_good(Zip({{"a.npy", good_npy()}}, true)); }

TEST(NpzReads, AZipComment) {
  expect_good(Zip({{"a.npy", good_npy()}}, false, "a comment"));
  expect_good(Zip({{"a.npy", good_npy()}}, true, std::string(65535, 'c')));
}

TEST(NpzReads, NamesWithSlashesColonsAndUtf8) {
  const Zip zip({{"layer/kernel:0.npy", good_npy()},
                 {"w:0.npy", good_npy()},
                 {"K\xc3\xa4rnel.npy", good_npy()},
                 {"..x.npy", good_npy()},
                 {"a.npy.npy", good_npy()}});
  expect_good(zip);
  EXPECT_EQ(names(read(zip.bytes)),
            (std::vector<std::string>{"layer/kernel:0", "w:0", "K\xc3\xa4rnel", "..x", "a.npy"}));
}

TEST(NpzReads, ManyMembers) {
  std::vector<Member> members(4096, {"", good_npy()});
  for (std::size_t i = 0; i < members.size(); ++i) members[i].name = std::to_string(i) + ".npy";
  expect_good(Zip(members));
}

TEST(NpzReads, ZerosAtDeflatesBestRatio) {
  const std::vector<float> zeros(5'000'000);
  const std::string bytes = npy_file(npy_dict("'<f4'", "False", "(5000000,)"), raw(zeros));
  const auto arrays = read(Zip({{"a.npy", bytes, true}}).bytes);
  EXPECT_EQ(arrays[0].tensor.size(), 5'000'000);
}

// --- files written by NumPy, kept in the repository ---

using nlohmann::json;

std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(UPCONV_GOLDEN) / name;
}

json golden_files() {
  std::ifstream file(golden("numpy_files.json"));
  return json::parse(file);
}

std::vector<NamedTensor> read_any(const std::filesystem::path& path) {
  if (path.extension() == ".npz") return read_npz(path);
  std::vector<NamedTensor> one;
  one.push_back({"", read_npy(path)});
  return one;
}

void expect_array(const NamedTensor& array, const json& expected) {
  EXPECT_EQ(array.name, expected["name"].get<std::string>());
  const auto shape = expected["shape"].get<std::vector<Index>>();
  ASSERT_EQ(array.tensor.shape(), Dims(shape));
  EXPECT_EQ(array.tensor.dtype() == DType::kFloat64,
            expected["descr"].get<std::string>().ends_with("f8"));
  const Tensor wide = Tensor::cast(array.tensor, DType::kFloat64);
  const auto values = wide.values<double>();
  double sum = 0;
  for (const double value : values) sum += value;
  for (std::size_t i = 0; i < expected["first"].size(); ++i) {
    const json& first = expected["first"][i];
    // Infinities are strings there: JSON has none.
    EXPECT_EQ(values[i],
              first.is_string() ? std::stod(first.get<std::string>()) : first.get<double>());
  }
  if (!expected["sum"].is_null()) {
    EXPECT_EQ(sum, expected["sum"].get<double>());
  }
}

TEST(NumPyFiles, AreReadWithTheirValues) {
  int count = 0;
  for (const json& file : golden_files()) {
    // What the layer refuses, for instance a third array, is none of the reader's business.
    const bool weights = file["reason"].is_string() && file["reason"] == "two arrays of rank 1";
    if (file["expect"] == "refuse" && !weights) continue;
    SCOPED_TRACE(file["file"]);
    const auto arrays = read_any(golden(file["file"]));
    ASSERT_EQ(arrays.size(), file["arrays"].size());
    for (std::size_t i = 0; i < arrays.size(); ++i) expect_array(arrays[i], file["arrays"][i]);
    ++count;
  }
  EXPECT_GE(count, 25);
}

TEST(NumPyFiles, OfOtherDtypesAreRefusedByName) {
  int count = 0;
  for (const json& file : golden_files()) {
    if (file["expect"] != "refuse" || file["reason"] != "dtype") continue;
    const auto path = golden(file["file"]);
    const std::string dtype = file.contains("kind") ? file["kind"].get<std::string>() : "";
    expect_error(error_of([&] { read_any(path); }), ErrorKind::kUnsupported, path.string(),
                 "dtype is " + dtype);
    ++count;
  }
  EXPECT_GE(count, 10);
}

TEST(NumPyFiles, OfPickledObjectsAndOfNoArraysAreRefused) {
  const auto pickled = golden("numpy_pickled.npy");
  expect_error(error_of([&] { read_npy(pickled); }), ErrorKind::kUnsupported, pickled.string(),
               "dtype is object");
  const auto empty = golden("numpy_empty.npz");
  expect_error(error_of([&] { read_npz(empty); }), ErrorKind::kCorruptFile, empty.string(),
               "archive has 0 members");
}

TEST(NumPyFiles, AreWrittenByteForByte) {
  const TemporaryFolder folder;
  for (const char* name :
       {"numpy_f4_c.npy", "numpy_f8_c.npy", "numpy_f4_rank0.npy", "numpy_f4_rank1.npy",
        "numpy_f4_rank7.npy", "numpy_f4_extent0.npy", "numpy_f8_special.npy"}) {
    write_npy(folder / name, read_npy(golden(name)));
    EXPECT_EQ(read_bytes(folder / name), read_bytes(golden(name))) << name;
  }
}

// --- writing ---

TEST(NpzWrites, WhatItReads) {
  const TemporaryFolder folder;
  const Tensor bias = Tensor::from<double>({1, 2, 3}, {3});
  const std::vector<float> kernel = {1, 2, 3, 4, 5, 6};
  const std::vector<NamedView> arrays = {
      {"layer/bias", bias},
      {"K\xc3\xa4rnel", ConstTensorView(kernel.data(), {3, 2}, {1, 3})},
      {"empty", ConstTensorView(nullptr, DType::kFloat32, {0, 4})},
      {"scalar", ConstTensorView(kernel.data(), Dims())},
  };
  write_npz(folder / "w.npz", arrays);
  const auto back = read_npz(folder / "w.npz");
  EXPECT_EQ(names(back),
            (std::vector<std::string>{"layer/bias", "K\xc3\xa4rnel", "empty", "scalar"}));
  EXPECT_TRUE(std::ranges::equal(back[0].tensor.values<double>(), bias.values<double>()));
  EXPECT_TRUE(
      std::ranges::equal(back[1].tensor.values<float>(), std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(back[2].tensor.shape(), (Dims{0, 4}));
  EXPECT_EQ(back[3].tensor.shape(), Dims());
  EXPECT_EQ(folder.names(), std::vector<std::string>{"w.npz"});
}

TEST(NpzWrites, CompressedWithoutDataDescriptorsOf1980) {
  const TemporaryFolder folder;
  const Tensor zeros = Tensor::zeros(DType::kFloat32, {1000000});
  write_npz(folder / "w.npz", std::vector<NamedView>{{"zeros", zeros}});
  const std::string bytes = read_bytes(folder / "w.npz");
  EXPECT_LT(bytes.size(), 10000u);
  EXPECT_EQ(bytes.substr(8, 2), little(8, 2));          // deflate
  EXPECT_EQ(bytes[6] & 8, 0);                           // sizes are in the header
  EXPECT_EQ(bytes.substr(10, 4), little(0x210000, 4));  // midnight, 1980-01-01
  EXPECT_EQ(read_npz(folder / "w.npz")[0].tensor.size(), 1000000);
}

TEST(NpzWrites, TheSameBytesInEveryTimeZone) {
  const TemporaryFolder folder;
  const Tensor bias = Tensor::from<float>({1, 2, 3}, {3});
  const char* const before = getenv("TZ");
  const std::string old = before ? before : "";
  std::vector<std::string> written;
  for (const char* zone : {"UTC", "XYZ-14", "XYZ12", "Europe/Berlin", "America/New_York"}) {
    setenv("TZ", zone, 1);
    tzset();
    write_npz(folder / "w.npz", std::vector<NamedView>{{"bias", bias}});
    written.push_back(read_bytes(folder / "w.npz"));
  }
  before ? setenv("TZ", old.c_str(), 1) : unsetenv("TZ");
  tzset();
  for (const std::string& bytes : written) EXPECT_EQ(bytes, written[0]);
}

}  // namespace
}  // namespace upconv::test
