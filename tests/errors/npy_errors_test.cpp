// Broken, hostile and foreign .npy files: each is refused, with a message that says why.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <limits>
#include <span>
#include <string>

#include "npy_bytes.h"
#include "refused_file.h"
#include "temporary_folder.h"
#include "upconv/npz.h"

namespace upconv::test {
namespace {

Caught read(const std::string& bytes, const FileLimits& limits = {}) {
  return error_of([&] { read_npy(std::as_bytes(std::span(bytes)), "x.npy", limits); });
}

class RefusedNpy : public testing::TestWithParam<RefusedFile> {};

TEST_P(RefusedNpy, SaysWhy) {
  expect_error(read(GetParam().bytes), GetParam().kind, "x.npy", GetParam().says);
}

std::string version(char major, char minor) {
  std::string bytes = good_npy();
  bytes[6] = major;
  bytes[7] = minor;
  return bytes;
}

std::string magic(const std::string& six) { return good_npy().replace(0, 6, six); }

INSTANTIATE_TEST_SUITE_P(
    Frame, RefusedNpy,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"EmptyFile", "", kCut, "size is 0 bytes; the file ends inside its magic"},
        {"MagicCutAfter1Byte", good_npy().substr(0, 1), kCut, "size is 1 bytes"},
        {"MagicCutAfter7Bytes", good_npy().substr(0, 7), kCut, "size is 7 bytes"},
        {"MagicFirstByte92", magic("\x92NUMPY"), kBad, "first bytes are \\x92NUMPY; a .npy file"},
        {"MagicFirstByteNul", magic(std::string("\0NUMPY", 6)), kBad, "first bytes are \\x00NUMPY"},
        {"MagicLowerCase", magic("\x93numpy"), kBad, "first bytes are \\x93numpy"},
        {"MagicOfMatlab", magic("\x93MATLB"), kBad, "first bytes are \\x93MATLB"},
        {"Version00", version(0, 0), kNot, "version is 0.0; it must be 1.0, 2.0 or 3.0"},
        {"Version11", version(1, 1), kNot, "version is 1.1; it must be"},
        {"Version40", version(4, 0), kNot, "version is 4.0; it must be"},
        {"Version255", version('\xff', '\xff'), kNot, "version is 255.255; it must be"},
        {"LengthCut", good_npy().substr(0, 9), kCut, "the file ends inside its header length"},
        {"LengthCutInVersion2", npy_file("", "", 2).substr(0, 11), kCut,
         "inside its header length"},
        {"HeaderShorterThanDeclared", good_npy().substr(0, 40), kCut, "ends inside its header"},
        {"Header4GBIn12Bytes", std::string("\x93NUMPY\2\0\xf0\xff\xff\xff", 12), kBig,
         "header length is 4294967280 bytes; the limit is 65536"},
        {"HeaderOverTheCap", npy_file(std::string(70000, ' ') + "\n", "", 2), kBig,
         "header length is 70001 bytes"},
        {"HeaderEmpty", npy_file("", ""), kBad, "header length is 0; it must hold a dict"},
        {"HeaderWithoutNewline", npy_file("{}", ""), kBad, "header ends in '}'; it must end in"},
    }),
    name_of);

/// A file whose dict has these values.
std::string dict(const std::string& descr, const std::string& order, const std::string& shape) {
  return npy_file(npy_dict(descr, order, shape), raw<float>({1, 2, 3}));
}
std::string header(const std::string& text) { return npy_file(text + "\n", raw<float>({1, 2, 3})); }

INSTANTIATE_TEST_SUITE_P(
    Dict, RefusedNpy,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"NotADict", header("['<f4', False, (3,)]"), kBad, "it must have a dict"},
        {"OnlySpaces", header("      "), kBad, "header has nothing at byte 7; it must have a dict"},
        {"BracesNotClosed", header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)"), kBad,
         "it must have ',' or '}' after a value"},
        {"GarbageAfterTheDict",
         header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} + 1"), kBad,
         "header has + 1 after the dict; only spaces may follow"},
        {"NoDescr", header("{'fortran_order': False, 'shape': (3,)}"), kBad,
         "header key 'descr' is missing"},
        {"NoFortranOrder", header("{'descr': '<f4', 'shape': (3,)}"), kBad,
         "header key 'fortran_order' is missing"},
        {"NoShape", header("{'descr': '<f4', 'fortran_order': False, }"), kBad,
         "header key 'shape' is missing"},
        {"ExtraKey", header("{'descr': '<f4', 'extrakey': 1}"), kBad, "header key is 'extrakey'"},
        {"KeyTwice", header("{'descr': '<f4', 'descr': '<f8'}"), kBad, "'descr' is there twice"},
        {"KeyHiddenInAString", header("{'descr': 'shape', 'fortran_order': False}"), kBad,
         "descr is 'shape'"},
        {"KeyNotAString", header("{descr: '<f4'}"), kBad, "header key is descr: '<f4'"},
        {"NoColon", header("{'descr' '<f4'}"), kBad, "it must have ':' after a key"},
        {"TwoCommas", header("{'descr': '<f4',, 'shape': (3,)}"), kBad, "header key is ,"},
        {"NulInKey", header(std::string("{'de\0scr': '<f4'}", 17)), kBad,
         "header key is 'de\\x00scr'"},
        {"InvalidUtf8InVersion3", npy_file("{'descr': '<f\xff\xfe'}\n", "", 3), kBad, "\\xff\\xfe"},
        {"NonAsciiInVersion3", npy_file("{'d\xc3\xa9scr': '<f4'}\n", "", 3), kBad,
         "'d\\xc3\\xa9scr'"},
        {"StringNotClosed", header("{'descr': '<f4}"), kBad, "it must be a closed string"},
        {"EscapeInString", header("{'descr': '\\x3cf4'}"), kBad, "it must be a closed string"},
        {"OrderIs1", dict("'<f4'", "1", "(3,)"), kBad,
         "fortran_order is 1; it must be True or False"},
        {"OrderIsAString", dict("'<f4'", "'True'", "(3,)"), kBad, "fortran_order is 'True'"},
        {"OrderIsLowerCase", dict("'<f4'", "true", "(3,)"), kBad, "fortran_order is true"},
    }),
    name_of);

RefusedFile shape(const std::string& name, const std::string& value, ErrorKind kind,
                  const std::string& says) {
  return {name, dict("'<f4'", "False", value), kind, says};
}

INSTANTIATE_TEST_SUITE_P(
    Shape, RefusedNpy,
    testing::ValuesIn(std::vector<RefusedFile>{
        shape("Number", "3", kBad, "shape is 3; it must be a tuple of integers"),
        shape("List", "[3]", kBad, "shape is [3]; it must be a tuple"),
        shape("NumberInParentheses", "(3)", kBad, "shape is (3); it must be a tuple"),
        shape("Negative", "(-3,)", kBad, "shape has extent -3"),
        shape("Float", "(3.0,)", kBad, "shape has extent 3.0"),
        shape("Exponent", "(1e3,)", kBad, "shape has extent 1e3"),
        shape("Hexadecimal", "(0x10,)", kBad, "shape has extent 0x10"),
        shape("True", "(True,)", kBad, "shape has extent True"),
        shape("None", "(None,)", kBad, "shape has extent None"),
        shape("OnlyAComma", "(,)", kBad, "shape has extent ,)"),
        shape("NoCommas", "( 3 4 )", kBad, "shape has extent 3 4 )"),
        shape("LeadingZero", "(03,)", kBad, "shape has extent 03"),
        shape("TwoL", "(3LL,)", kBad, "shape has extent 3LL"),
        shape("Nested", "((3,),)", kBad, "shape has extent (3,)"),
        shape("NotClosed", "(3,", kBad, "shape has extent "),
        shape("Over63Bits", "(9223372036854775808,)", kBig,
              "extent 9223372036854775808; extents must fit 63 bits"),
        shape("30Digits", "(123456789012345678901234567890,)", kBig, "extents must fit 63 bits"),
        shape("ProductOver63Bits", "(4294967296, 4294967296)", kBig,
              "shape is [4294967296, 4294967296]; its bytes must fit 63 bits"),
        shape("BytesOver63Bits", "(4611686018427387904,)", kBig, "its bytes must fit 63 bits"),
        shape("EmptyButOverflowing", "(0, 4294967296, 4294967296)", kBig,
              "its bytes must fit 63 bits"),
        shape("RankOver8", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", kBig, "shape has more than 8 axes"),
        shape("Over16GiB", "(4294967297,)", kBig, "17179869188 bytes; the limit is 17179869184"),
        shape("MoreThanThePayload", "(4000000000,)", kCut,
              "payload is 12 bytes; shape [4000000000] of float32 needs 16000000000"),
    }),
    name_of);

TEST(NpyErrors, RefusesAShapeOf10000Axes) {
  std::string many = "(";
  for (int i = 0; i < 10000; ++i) many += "1, ";
  expect_error(read(dict("'<f4'", "False", many + ")")), kBig, "x.npy", "more than 8 axes");
}

TEST(NpyErrors, RefusesAPayloadCutByOneByte) {
  std::string bytes = good_npy();
  bytes.pop_back();
  expect_error(read(bytes), kCut, "x.npy", "payload is 11 bytes; shape [3] of float32 needs 12");
}

TEST(NpyErrors, RefusesOneByteAfterThePayload) {
  expect_error(read(good_npy() + '\0'), kBad, "x.npy",
               "payload is 13 bytes; shape [3] of float32 needs only 12");
}

RefusedFile descr(const std::string& name, const std::string& value, ErrorKind kind,
                  const std::string& says) {
  return {name, dict(value, "False", "(3,)"), kind, says};
}

INSTANTIATE_TEST_SUITE_P(
    Descr, RefusedNpy,
    testing::ValuesIn(std::vector<RefusedFile>{
        descr("Object", "'|O'", kNot, "dtype is object (descr '|O'); it must be float32 or"),
        descr("Structured", "[('a', '<f4'), ('b', '<f4')]", kNot, "dtype is structured"),
        descr("SubArray", "('<f4', (2,))", kNot, "dtype is structured"),
        descr("Void", "'|V16'", kNot, "dtype is void"),
        descr("Bytes", "'|S7'", kNot, "dtype is bytes (descr '|S7')"),
        descr("String", "'<U3'", kNot, "dtype is str (descr '<U3')"),
        descr("Datetime", "'<M8[ns]'", kNot, "dtype is datetime64 (descr '<M8[ns]')"),
        descr("Timedelta", "'<m8'", kNot, "dtype is timedelta64"),
        descr("Bool", "'|b1'", kNot, "dtype is bool (descr '|b1')"),
        descr("Int8", "'|i1'", kNot, "dtype is int8"),
        descr("UInt16ThatMayBeHalf", "'<u2'", kNot, "dtype is uint16 (descr '<u2'); it must be"),
        descr("Int32", "'<i4'", kNot,
              "dtype is int32 (descr '<i4'); it must be float32 or float64"),
        descr("UInt64BigEndian", "'>u8'", kNot, "dtype is uint64 (descr '>u8')"),
        descr("Float16", "'<f2'", kNot, "dtype is float16"),
        descr("Float128", "'<f16'", kNot, "dtype is float128"),
        descr("Complex64", "'<c8'", kNot, "dtype is complex64"),
        descr("Complex128", "'<c16'", kNot, "dtype is complex128"),
        descr("FloatOf3Bytes", "'<f3'", kBad, "descr is '<f3'; it must be a byte order"),
        descr("FloatOf0Bytes", "'<f0'", kBad, "descr is '<f0'"),
        descr("FloatOf4294967300Bytes", "'<f4294967300'", kBad, "descr is '<f4294967300'"),
        descr("FloatOf04Bytes", "'<f04'", kBad, "descr is '<f04'"),
        descr("FloatWithoutByteOrder", "'|f4'", kBad, "descr is '|f4'"),
        descr("NativeMark", "'=f4'", kBad, "descr is '=f4'"),
        descr("NoMark", "'f4'", kBad, "descr is 'f4'"),
        descr("Name", "'float32'", kBad, "descr is 'float32'"),
        descr("Empty", "''", kBad, "descr is ''"),
        descr("OnlyAMark", "'<'", kBad, "descr is '<'"),
        descr("NoSize", "'<f'", kBad, "descr is '<f'"),
        descr("UnitOnAFloat", "'<f4[ns]'", kBad, "descr is '<f4[ns]'"),
        descr("Code", "__import__('os')", kBad, "descr is __import__('os')"),
        descr("CodeInAString", "'__import__'", kBad, "descr is '__import__'"),
        descr("Number", "4", kBad, "descr is 4; it must be a string"),
    }),
    name_of);

TEST(NpyErrors, ChecksTheCallersLimits) {
  FileLimits limits;
  limits.array_bytes = 11;
  expect_error(read(good_npy(), limits), kBig, "x.npy", "shape is [3], 12 bytes; the limit is 11");
  limits = {};
  limits.axes = 0;
  expect_error(read(good_npy(), limits), kBig, "x.npy", "more than 0 axes");
  limits = {};
  limits.header_bytes = 20;
  expect_error(read(good_npy(), limits), kBig, "x.npy", "the limit is 20");
}

TEST(NpyErrors, RefusesValuesThatAreNotFiniteWhenAsked) {
  const float inf = std::numeric_limits<float>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string floats =
      npy_file(npy_dict("'<f4'", "False", "(2, 2)"), raw<float>({1, 2, 3, -inf}));
  const std::string doubles = npy_file(npy_dict("'<f8'", "True", "(2,)"), raw<double>({nan, 1}));
  EXPECT_FALSE(read(floats).kind);
  EXPECT_FALSE(read(doubles).kind);
  FileLimits limits;
  limits.finite = true;
  expect_error(read(floats, limits), kBig, "x.npy",
               "element 3 in the file's order is -inf; it must be finite, as the limits ask");
  expect_error(read(doubles, limits), kBig, "x.npy", "element 0 in the file's order is nan");
  EXPECT_FALSE(read(good_npy(), limits).kind);
}

TEST(NpyErrors, ShowsHostileBytesOnOneLine) {
  const Caught caught = read(header("{'a\nb\x1b[31m': 1}"));
  expect_error(caught, kBad, "x.npy", "'a\\x0ab\\x1b[31m");
}

TEST(NpyErrors, RefusesEveryTruncationOfAGoodFile) {
  expect_cut_everywhere(good_npy(), [](const std::string& bytes) { return read(bytes); });
}

TEST(NpyErrors, SurvivesEveryChangedByte) {
  const std::string whole = good_npy();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(value);
      read(bytes);  // an Error or a tensor; anything else fails the test or the sanitizer
    }
  }
}

// --- the file system ---

TEST(NpyFiles, NamesAFileThatIsNotThere) {
  expect_error(error_of([] { read_npy("/nowhere/x.npy"); }), ErrorKind::kIo, "/nowhere/x.npy",
               "cannot open: No such file or directory");
}

TEST(NpyFiles, RefusesADirectoryAndAPipe) {
  const TemporaryFolder folder;
  const auto pipe = folder / "pipe.npy";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect_error(error_of([&] { read_npy(folder / ""); }), ErrorKind::kIo, (folder / "").string(),
               "is a directory; it must be a file");
  expect_error(error_of([&] { read_npy(pipe); }), ErrorKind::kIo, pipe.string(),
               "is not a regular file");
}

TEST(NpyFiles, NoticesThatAFileIsLongerThanItWasWhenOpened) {
  // Files of /proc say that they are empty, and are not.
  expect_error(error_of([] { read_npy("/proc/self/status"); }), ErrorKind::kIo, "/proc/self/status",
               "it changed while it was read");
}

TEST(NpyFiles, ChecksTheSizeBeforeReading) {
  const TemporaryFolder folder;
  const auto path = folder / "huge.npy";
  write_bytes(path, good_npy());
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40);  // a hole: takes no disk
  expect_error(error_of([&] { read_npy(path); }), kBig, path.string(),
               "size is 1099511627776 bytes; the limit is");
}

TEST(NpyFiles, WritesNothingIntoADirectoryThatIsNotThere) {
  const Tensor tensor = Tensor::from<float>({1}, {1});
  expect_error(error_of([&] { write_npy("/nowhere/y.npy", tensor); }), ErrorKind::kIo,
               "/nowhere/y.npy", "cannot write: No such file or directory");
}

TEST(NpyFiles, DoesNotReplaceADirectoryOrADevice) {
  const TemporaryFolder folder;
  const Tensor tensor = Tensor::from<float>({1}, {1});
  expect_error(error_of([&] { write_npy(folder / ".", tensor); }), ErrorKind::kIo,
               (folder / ".").string(), "is a directory; the output must be a file");
  const auto pipe = folder / "pipe";  // stands for /dev/null, which a mistake would replace
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect_error(error_of([&] { write_npy(pipe, tensor); }), ErrorKind::kIo, pipe.string(),
               "is not a regular file");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"pipe"});
}

TEST(NpyFiles, KeepsTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const auto path = folder / "y.npy";
  write_bytes(path, "old");
  const Tensor tensor = Tensor::zeros(DType::kFloat32, {100000});
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4096, before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Caught caught = error_of([&] { write_npy(path, tensor); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  expect_error(caught, ErrorKind::kIo, path.string(), "cannot write: File too large");
  EXPECT_EQ(read_bytes(path), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"y.npy"});
}

TEST(NpyFiles, RefusesToWriteElementsWithoutMemory) {
  const TemporaryFolder folder;
  const ConstTensorView view(nullptr, DType::kFloat32, {2});
  expect_error(error_of([&] { write_npy(folder / "y.npy", view); }), ErrorKind::kInvalidArgument,
               (folder / "y.npy").string(), "array is null with shape [2]");
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace upconv::test
