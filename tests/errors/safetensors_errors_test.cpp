// Broken, hostile and foreign .safetensors files: each is refused, with a message that says why.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "npy_bytes.h"
#include "refused_file.h"
#include "temporary_folder.h"
#include "upconv/safetensors.h"

namespace upconv::test {
namespace {

/// The length, the header and the data of a file.
std::string file(const std::string& header, const std::string& data = "") {
  return little(header.size(), 8) + header + data;
}

const std::string kData = raw<float>({1, 2, 3});

/// A file of one tensor with this description and three floats.
std::string tensor(const std::string& description) {
  return file("{\"a\":" + description + "}", kData);
}

std::string good() { return tensor(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})"); }

std::string shaped(const std::string& shape, const std::string& dtype = "F32") {
  return tensor(R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[0,12]})");
}

std::string placed(const std::string& offsets) {
  return tensor(R"({"dtype":"F32","shape":[3],"data_offsets":)" + offsets + "}");
}

/// Two tensors of 4 bytes at these places of 8 bytes of data.
std::string two(const std::string& a, const std::string& b, const std::string& data,
                const std::string& second = "b") {
  const std::string one = R"({"dtype":"F32","shape":[1],"data_offsets":)";
  return file(R"({"a":)" + one + a + R"(},")" + second + R"(":)" + one + b + "}}", data);
}

Caught read(const std::string& bytes, const FileLimits& limits = {}) {
  return error_of([&] { read_safetensors(std::as_bytes(std::span(bytes)), "w.st", limits); });
}

class RefusedSafetensors : public testing::TestWithParam<RefusedFile> {};

TEST_P(RefusedSafetensors, SaysWhy) {
  expect_error(read(GetParam().bytes), GetParam().kind, "w.st", GetParam().says);
}

INSTANTIATE_TEST_SUITE_P(
    Frame, RefusedSafetensors,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"Empty", "", kCut, "size is 0 bytes; the file ends inside the length of its header"},
        {"LengthCut", good().substr(0, 7), kCut, "size is 7 bytes; the file ends inside"},
        {"LengthOver100Mb", little(100'000'001, 8) + "{}", kBig,
         "header length is 100000001 bytes; the limit is 100000000"},
        {"LengthOf64Bits", std::string(8, '\xff') + "{}", kBig,
         "header length is 18446744073709551615 bytes; the limit"},
        {"LengthThatOverflows", little(~std::uint64_t{7}, 8) + "{}", kBig, "the limit is"},
        {"LengthBeyondTheFile", little(50, 8) + "{}", kCut,
         "header length is 50 bytes; the file has 2 after it"},
        {"HeaderEmpty", file(""), kBad, "header starts with \"\"; it must start with {"},
        {"NotUtf8", file("{\"\xff\":1}"), kBad, "header is not UTF-8; it must be"},
        {"Utf8Overlong", file("{\"\xc0\x80\":1}"), kBad, "header is not UTF-8"},
        {"Utf8Surrogate", file("{\"\xed\xa0\x80\":1}"), kBad, "header is not UTF-8"},
        {"LeadingSpace", file(" {}"), kBad, "header starts with \" \"; it must start with {"},
        {"ByteOrderMark", file("\xef\xbb\xbf{}"), kBad, "header starts with \"\\xef\""},
        {"AList", file("[]"), kBad, "header starts with \"[\""},
        {"ANumPyFile", good_npy(), kBig, "header length is"},
    }),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Json, RefusedSafetensors,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"NotClosed", file("{"), kBad,
         "header has nothing at byte 1; it must have a tensor's name"},
        {"TextAfterIt", file("{}x"), kBad, "header has \"x\" at byte 2 after its object"},
        {"NulAfterIt", file(std::string("{}\0", 3)), kBad, "header has \"\\x00\" at byte 2 after"},
        {"TrailingComma", file(good().substr(8, good().size() - 8 - 13) + ",}", kData), kBad,
         "header has \"}\" at byte"},
        {"TrailingCommaInAList", shaped("[3,]"), kBad, "it must be an integer of at least 0"},
        {"NoComma", shaped("[3 3]"), kBad, "it must have ',' or ']' after an integer of the shape"},
        {"NoColon", file("{\"a\" 1}"), kBad, "it must have ':' after a name"},
        {"Comment", file("{/* */}"), kBad,
         "header has \"/* */}\" at byte 1; it must have a tensor"},
        {"SingleQuotes", file("{'a':1}"), kBad, "it must have a tensor's name in quotes"},
        {"KeyWithoutQuotes", file("{a:1}"), kBad, "it must have a tensor's name in quotes"},
        {"NaN", shaped("[NaN]"), kBad, "header has \"NaN]"},
        {"ControlCharacter", file("{\"a\nb\":1}"), kBad,
         "header has the control character \"\\x0ab"},
        {"NameNotClosed", file("{\"abc"), kBad, "header ends inside a tensor's name"},
        {"EscapeUnknown", file("{\"a\\x\":1}"), kBad, "after a backslash in a tensor's name"},
        {"EscapeCut", file("{\"a\\"), kBad, "header has nothing at byte 4 after a backslash"},
        {"EscapeOfTwoDigits", file("{\"\\u12\":1}"), kBad, "it must be 4 hex digits"},
        {"EscapeSigned", file("{\"\\u-123\":1}"), kBad, "it must be 4 hex digits"},
        {"HalfASurrogatePair", file("{\"\\ud800\":1}"), kBad,
         "header has half a surrogate pair in a tensor's name"},
        {"SecondHalfAlone", file("{\"\\udc00\":1}"), kBad, "half a surrogate pair"},
        {"TwoFirstHalves", file("{\"\\ud800\\ud800\":1}"), kBad, "half a surrogate pair"},
        {"NestedTooDeep", file(std::string(100000, '{')), kBad, "it must have a tensor's name"},
        {"ListsTooDeep", file("{\"a\":" + std::string(100000, '[')), kBad,
         "it must have an object for tensor \"a\""},
        {"ATensorThatIsNull", tensor("null"), kBad, "it must have an object for tensor \"a\""},
        {"NameTwice", two("[0,4]", "[4,8]", raw<float>({1, 2}), "a"), kBad,
         "tensor \"a\" is there twice; names must differ"},
    }),
    name_of);

INSTANTIATE_TEST_SUITE_P(Metadata, RefusedSafetensors,
                         testing::ValuesIn(std::vector<RefusedFile>{
                             {"NotAnObject", file(R"({"__metadata__":"x"})"), kBad,
                              "it must have an object of strings for __metadata__"},
                             {"ANumber", file(R"({"__metadata__":{"x":1}})"), kBad,
                              "it must have a string in quotes for key \"x\" of __metadata__"},
                             {"AnObjectInside", file(R"({"__metadata__":{"x":{}}})"), kBad,
                              "it must have a string"},
                             {"KeyTwice", file(R"({"__metadata__":{"x":"1","x":"2"}})"), kBad,
                              "key \"x\" of __metadata__ is there twice"},
                             {"Twice", file(R"({"__metadata__":{},"__metadata__":{}})"), kBad,
                              "tensor \"__metadata__\" is there twice"},
                         }),
                         name_of);

INSTANTIATE_TEST_SUITE_P(
    Tensors, RefusedSafetensors,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"NoDtype", tensor(R"({"shape":[3],"data_offsets":[0,12]})"), kBad,
         "dtype of tensor \"a\" is missing; it is required"},
        {"NoShape", tensor(R"({"dtype":"F32","data_offsets":[0,12]})"), kBad,
         "shape of tensor \"a\" is missing"},
        {"NoOffsets", tensor(R"({"dtype":"F32","shape":[3]})"), kBad,
         "data_offsets of tensor \"a\" is missing"},
        {"NoFields", tensor("{}"), kBad, "it must have a key in quotes of tensor \"a\""},
        {"AnotherField", tensor(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12],"x":1})"), kBad,
         "key of tensor \"a\" is \"x\"; the keys must be dtype, shape and data_offsets"},
        {"FieldTwice", tensor(R"({"dtype":"F32","dtype":"F32","shape":[3],"data_offsets":[0,12]})"),
         kBad, "dtype of tensor \"a\" is there twice"},
        {"ShapeTwice", tensor(R"({"dtype":"F32","shape":[3],"shape":[3],"data_offsets":[0,12]})"),
         kBad, "shape of tensor \"a\" is there twice"},
        {"DtypeUnknown", shaped("[3]", "F31"), kBad,
         "dtype of tensor \"a\" is \"F31\"; it must be one of the format's"},
        {"DtypeInLowerCase", shaped("[3]", "f32"), kBad, "dtype of tensor \"a\" is \"f32\""},
        {"DtypeANumber", tensor(R"({"dtype":32,"shape":[3],"data_offsets":[0,12]})"), kBad,
         "it must have a dtype in quotes of tensor \"a\""},
        {"BitsThatAreNoBytes", shaped("[3]", "F4"), kBad,
         "shape of tensor \"a\" is [3], 12 bits of F4; they must be whole bytes"},
        {"HalfFloats", shaped("[6]", "F16"), kNot, "tensor \"a\": is F16; it must be F32 or F64"},
        {"Integers", shaped("[3]", "I32"), kNot, "is I32; it must be F32 or F64"},
        {"ShapeANumber", shaped("3"), kBad, "it must have the shape of tensor \"a\", a list of"},
        {"ExtentWithAFraction", shaped("[3.0]"), kBad, "header has \"3.0]"},
        {"ExtentWithAnExponent", shaped("[1e2]"), kBad, "it must be an integer of at least 0"},
        {"ExtentNegative", shaped("[-3]"), kBad, "header has \"-3]"},
        {"ExtentWithALeadingZero", shaped("[03]"), kBad, "header has \"03]"},
        {"ExtentInQuotes", shaped("[\"3\"]"), kBad, "it must be an integer of at least 0"},
        {"ExtentOver63Bits", shaped("[9223372036854775808]"), kBig,
         "header has 9223372036854775808 in the shape of tensor \"a\"; integers must fit 63 bits"},
        {"ShapeThatOverflows", shaped("[4294967296,4294967296]"), kBig,
         "shape of tensor \"a\" is [4294967296, 4294967296]; its bits must fit 64 bits"},
        {"TooManyAxes", shaped("[1,1,1,1,1,1,1,1,3]"), kBig, "has 9 axes; the limit is 8"},
        {"AxesWithoutEnd",
         shaped("[" +
                std::string(200, '1').replace(1, 198,
                                              [] {
                                                std::string ones;
                                                for (int i = 0; i < 99; ++i) ones += ",1";
                                                return ones;
                                              }()) +
                "]"),
         kBig, "header has over 64 integers in the shape of tensor \"a\""},
        {"EmptyThatOverflows",
         file(R"({"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})"),
         kBig, "has shape [0, 4294967296, 4294967296]; its bytes must fit 63 bits"},
    }),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Places, RefusedSafetensors,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"Reversed", placed("[12,0]"), kBad,
         "data_offsets of tensor \"a\" are [12, 0]; they must be a pair [begin, end]"},
        {"Negative", placed("[-12,0]"), kBad, "header has \"-12,0]"},
        {"OfOne", placed("[12]"), kBad, "are [12]; they must be a pair"},
        {"OfThree", placed("[0,6,12]"), kBad, "are [0, 6, 12]; they must be a pair"},
        {"OfNone", placed("[]"), kBad, "are []; they must be a pair"},
        {"TooShortForTheShape", placed("[0,8]"), kBad,
         "data_offsets of tensor \"a\" span 8 bytes; shape [3] of F32 needs 12"},
        {"TooLongForTheShape", shaped("[2]"), kBad, "span 12 bytes; shape [2] of F32 needs 8"},
        {"Overlap", two("[0,4]", "[2,6]", std::string(6, 'x')), kBad,
         "tensor \"b\" begins at byte 2 of the data; it must be at 4, where another one ends"},
        {"Twice", two("[0,4]", "[0,4]", std::string(4, 'x')), kBad,
         "begins at byte 0 of the data; it must be at 4, where another one ends"},
        {"Hole", two("[0,4]", "[8,12]", std::string(12, 'x')), kBad,
         "tensor \"b\" begins at byte 8 of the data; it must be at 4, so that no bytes are left"},
        {"NotAtTheBeginning", placed("[4,16]"), kBad,
         "begins at byte 4 of the data; it must be at 0"},
        {"BytesAfterTheLast", good() + "PK", kBad,
         "data has 14 bytes; the tensors are 12, and nothing may follow them"},
        {"BytesAfterNoTensors", file("{}", "x"), kBad, "data has 1 bytes; the tensors are 0"},
        {"PastTheEnd", good().substr(0, good().size() - 1), kCut,
         "tensor \"a\" ends at byte 12 of the data, of which the file has 11"},
        {"EmptyTensorInTheMiddle",
         file(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
              R"("b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})",
              kData),
         kBad, "tensor \"b\" begins at byte 4 of the data; it must be at 12"},
    }),
    name_of);

TEST(SafetensorsErrors, EveryBeginningIsRefused) {
  expect_cut_everywhere(good(), [](const std::string& bytes) { return read(bytes); });
}

TEST(SafetensorsErrors, EveryChangedByteIsReadOrRefusedButNothingElse) {
  const std::string whole = good();
  const std::size_t header = whole.size() - kData.size();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < header; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      const Caught caught = read(changed);
      if (!caught.kind) continue;
      ++refused;
      EXPECT_TRUE(caught.text.starts_with("w.st: ")) << caught.text;
    }
  }
  EXPECT_GT(refused, header * 200);
}

TEST(SafetensorsErrors, LimitsHoldBeforeAnythingIsAllocated) {
  expect_error(read(good(), {.array_bytes = 8}), kBig, "w.st",
               "tensor \"a\": is 12 bytes; the limit is 8");
  expect_error(read(good(), {.safetensors_header = 10}), kBig, "w.st", "the limit is 10");
  expect_error(read(two("[0,4]", "[4,8]", std::string(8, 'x')), {.safetensors_entries = 1}), kBig,
               "w.st", "header lists over 1 tensors; that is the limit");
}

TEST(SafetensorsErrors, InfinitiesWhereTheLimitsAskForNone) {
  std::string bytes = good();
  bytes.replace(bytes.size() - 4, 4, raw<float>({std::numeric_limits<float>::infinity()}));
  EXPECT_FALSE(read(bytes).kind.has_value());
  expect_error(read(bytes, {.finite = true}), kBig, "w.st",
               "tensor \"a\": element 2 in the file's order is inf; it must be finite");
}

std::string header_of(int tensors) {
  std::string header = "{";
  for (int i = 0; i < tensors; ++i) {
    header += (i ? ",\"" : "\"") + std::to_string(i) +
              R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  return header + "}";
}

// Seconds would be this machine's, so the time is told by that of a smaller file: to look through
// all names for each name would take a hundred times as long for ten times as many.
TEST(SafetensorsErrors, AMillionTensorsAreRefusedInTheTimeOfTheLimit) {
  using Clock = std::chrono::steady_clock;
  const std::string many = file(header_of(1'000'000));
  const std::string tenth_of_the_limit = file(header_of(10'000));
  Clock::duration refused = Clock::duration::max();
  Clock::duration accepted = Clock::duration::max();
  for (int round = 0; round < 3; ++round) {
    const Clock::time_point start = Clock::now();
    EXPECT_FALSE(read(tenth_of_the_limit).kind.has_value());
    const Clock::time_point middle = Clock::now();
    expect_error(read(many), kBig, "w.st", "header lists over 100000 tensors");
    accepted = std::min(accepted, middle - start);
    refused = std::min(refused, Clock::now() - middle);
  }
  EXPECT_LT(refused, 50 * accepted);
}

TEST(SafetensorsErrors, ANameThatIsNotThere) {
  const std::vector<std::string> names = {"a", "b\n"};
  const std::string bytes = good();
  const Caught caught =
      error_of([&] { read_safetensors(std::as_bytes(std::span(bytes)), "w.st", names); });
  expect_error(caught, ErrorKind::kInvalidArgument, "w.st",
               "has no tensor \"b\\x0a\"; it has \"a\"");
}

TEST(SafetensorsErrors, Files) {
  const TemporaryFolder folder;
  expect_error(error_of([&] { read_safetensors(folder / "none.safetensors"); }), ErrorKind::kIo,
               (folder / "none.safetensors").string(), "cannot open: No such file or directory");
  const std::vector<float> data(2);
  const ConstTensorView view(data.data(), {2});
  const auto refuse = [&](const std::vector<NamedView>& arrays, const std::string& says) {
    const std::filesystem::path path = folder / "w.safetensors";
    expect_error(error_of([&] { write_safetensors(path, arrays); }), ErrorKind::kInvalidArgument,
                 path.string(), says);
    EXPECT_FALSE(std::filesystem::exists(path));
  };
  refuse({{"", view}}, "tensor name is \"\"; it must not be empty");
  refuse({{"a", view}, {"a", view}}, "tensor name is \"a\"; it is there twice");
  refuse({{"__metadata__", view}}, "that is the format's own");
  refuse({{"\xff", view}}, "it must be UTF-8 without control characters");
  refuse({{"a\n", view}}, "it must be UTF-8 without control characters");
  refuse({{"a", ConstTensorView(nullptr, DType::kFloat32, {2})}}, "array is null with shape [2]");
}

}  // namespace
}  // namespace upconv::test
