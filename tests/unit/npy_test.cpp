// .npy files that must be read, and what is written.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "npy_bytes.h"
#include "temporary_folder.h"
#include "upconv/npz.h"

namespace upconv::test {
namespace {

Tensor read(const std::string& bytes) { return read_npy(std::as_bytes(std::span(bytes)), "x.npy"); }

/// A file of that header text with the floats 1 to 6.
std::string six(const std::string& header, int version = 1) {
  return npy_file(header, raw<float>({1, 2, 3, 4, 5, 6}), version);
}

void expect_six(const std::string& bytes, const Dims& shape = {2, 3}) {
  const Tensor tensor = read(bytes);
  EXPECT_EQ(tensor.dtype(), DType::kFloat32);
  EXPECT_EQ(tensor.shape(), shape);
  const auto values = tensor.values<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

std::string reversed_words(std::string bytes, std::size_t word) {
  for (std::size_t at = 0; at < bytes.size(); at += word) {
    std::reverse(&bytes[at], &bytes[at] + word);
  }
  return bytes;
}

const char* const kSixFloats = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

TEST(NpyReads, HeadersPaddedTo16BytesTo64AndNotAtAll) {
  for (const std::size_t alignment : {16u, 64u, 1u}) {
    std::string header = kSixFloats;
    while ((10 + header.size() + 1) % alignment != 0) header += ' ';
    expect_six(six(header + "\n"));
  }
}

TEST(NpyReads, Versions1To3) {
  for (const int version : {1, 2, 3}) {
    expect_six(six(std::string(kSixFloats) + "\n", version));
  }
}

TEST(NpyReads, KeysInAnyOrder) {
  std::vector<std::string> items = {"'descr': '<f4'", "'fortran_order': False", "'shape': (2, 3)"};
  std::sort(items.begin(), items.end());
  do {
    expect_six(six("{" + items[0] + ", " + items[1] + ", " + items[2] + "}\n"));
  } while (std::next_permutation(items.begin(), items.end()));
}

TEST(NpyReads, SpacesWherePythonAllowsThem) {
  expect_six(six("  {  'descr' :\t'<f4' , 'fortran_order':False,\n'shape' : ( 2 ,3 , ) }   \n"));
}

TEST(NpyReads, DoubleQuotesAndNoLastComma) {
  expect_six(six("{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,3)}\n"));
}

TEST(NpyReads, LongIntegersOfPython2) {
  expect_six(six("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n"));
  expect_six(six("{'descr': '<f4', 'fortran_order': False, 'shape': (6L,), }\n"), {6});
}

TEST(NpyReads, RankZero) {
  const Tensor tensor = read(npy_file(npy_dict("'<f8'", "False", "()"), raw<double>({2.5})));
  EXPECT_EQ(tensor.shape(), Dims());
  EXPECT_EQ(tensor.values<double>()[0], 2.5);
}

TEST(NpyReads, ExtentsOfZeroInBothOrders) {
  for (const char* order : {"False", "True"}) {
    const Tensor tensor = read(npy_file(npy_dict("'<f4'", order, "(2, 0, 3)"), ""));
    EXPECT_EQ(tensor.shape(), (Dims{2, 0, 3}));
    EXPECT_EQ(tensor.size(), 0);
  }
}

TEST(NpyReads, FortranOrderTransposed) {
  const Tensor tensor =
      read(npy_file(npy_dict("'<f8'", "True", "(2, 3)"), raw<double>({1, 4, 2, 5, 3, 6})));
  const auto values = tensor.values<double>();
  EXPECT_EQ(std::vector<double>(values.begin(), values.end()),
            (std::vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST(NpyReads, BigEndianSwapped) {
  expect_six(npy_file(npy_dict("'>f4'", "False", "(2, 3)"),
                      reversed_words(raw<float>({1, 2, 3, 4, 5, 6}), 4)));
  const Tensor tensor = read(
      npy_file(npy_dict("'>f8'", "True", "(1, 2)"), reversed_words(raw<double>({-1.5, 1e300}), 8)));
  EXPECT_EQ(tensor.values<double>()[0], -1.5);
  EXPECT_EQ(tensor.values<double>()[1], 1e300);
}

TEST(NpyReads, NanInfinityAndNegativeZeroBitForBit) {
  const std::string bits = raw<float>(
      {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity(), -0.0f});
  const Tensor tensor = read(npy_file(npy_dict("'<f4'", "False", "(3,)"), bits));
  EXPECT_EQ(std::memcmp(tensor.data(), bits.data(), bits.size()), 0);
}

TEST(NpyReads, APayloadAtAnOddAddress) {
  const std::string bytes = "?" + six(std::string(kSixFloats) + "\n");
  const Tensor tensor = read_npy(std::as_bytes(std::span(bytes)).subspan(1), "x.npy");
  EXPECT_EQ(tensor.values<float>()[5], 6);
}

// --- writing ---

TEST(NpyWrites, TheBytesThatNumPyWrites) {
  const TemporaryFolder folder;
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  write_npy(folder / "y.npy", Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  EXPECT_EQ(read_bytes(folder / "y.npy"),
            six(header + std::string(128 - 10 - header.size() - 1, ' ') + "\n"));
}

TEST(NpyWrites, WhatItReadsForEveryRank) {
  const TemporaryFolder folder;
  Dims shape;
  for (int rank = 0; rank <= 8; ++rank) {
    Tensor tensor = Tensor::zeros(DType::kFloat64, shape);
    double value = 0.1;
    for (double& element : tensor.values<double>()) element = value += 1;
    write_npy(folder / "y.npy", tensor);
    const Tensor back = read_npy(folder / "y.npy");
    ASSERT_EQ(back.shape(), shape);
    ASSERT_EQ(back.dtype(), DType::kFloat64);
    EXPECT_TRUE(std::ranges::equal(back.values<double>(), tensor.values<double>()));
    EXPECT_EQ((std::filesystem::file_size(folder / "y.npy") - 8 * std::size_t(back.size())) % 64,
              0u);
    shape.push_back(rank % 3 + 1);
  }
}

TEST(NpyWrites, EmptyArrays) {
  const TemporaryFolder folder;
  write_npy(folder / "y.npy", ConstTensorView(nullptr, DType::kFloat32, {3, 0}));
  EXPECT_EQ(read_npy(folder / "y.npy").shape(), (Dims{3, 0}));
}

TEST(NpyWrites, ViewsWithStridesInCOrder) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  write_npy(folder / "y.npy", ConstTensorView(values.data(), {3, 2}, {1, 3}));
  const Tensor back = read_npy(folder / "y.npy");
  const auto elements = back.values<float>();
  EXPECT_EQ(std::vector<float>(elements.begin(), elements.end()),
            (std::vector<float>{1, 4, 2, 5, 3, 6}));
  write_npy(folder / "y.npy", ConstTensorView(values.data() + 5, {2}, {-5}));
  EXPECT_EQ(read_npy(folder / "y.npy").values<float>()[1], 1);
}

TEST(NpyWrites, OverAnOldFileAndLeavesNothingElse) {
  const TemporaryFolder folder;
  write_bytes(folder / "y.npy", std::string(5000, 'x'));
  write_npy(folder / "y.npy", Tensor::from<float>({7}, {1}));
  EXPECT_EQ(read_npy(folder / "y.npy").values<float>()[0], 7);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"y.npy"});
}

TEST(NpyWrites, ThroughASymbolicLink) {
  const TemporaryFolder folder;
  write_bytes(folder / "target.npy", "old");
  std::filesystem::create_symlink("target.npy", folder / "link.npy");
  write_npy(folder / "link.npy", Tensor::from<float>({7}, {1}));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.npy"));
  EXPECT_EQ(read_npy(folder / "target.npy").values<float>()[0], 7);
}

TEST(NpyWrites, AFileWithTheModeOfTheUmask) {
  const TemporaryFolder folder;
  const mode_t before = umask(027);
  write_npy(folder / "y.npy", Tensor::from<float>({7}, {1}));
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat((folder / "y.npy").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(NpyWrites, ANameAsLongAsTheSystemAllows) {
  const TemporaryFolder folder;
  const std::string name(255, 'n');
  write_npy(folder / name, Tensor::from<float>({7}, {1}));
  EXPECT_EQ(folder.names(), std::vector<std::string>{name});
}

}  // namespace
}  // namespace upconv::test
