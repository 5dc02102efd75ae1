// Broken, hostile and foreign .npz files: each is refused, with a message that says why.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <span>
#include <string>

#include "npy_bytes.h"
#include "refused_file.h"
#include "temporary_folder.h"
#include "upconv/npz.h"
#include "zip_archive.h"

namespace upconv::test {
namespace {

// Offsets of fields in a local header, an entry of the directory, and the end records.
constexpr int kLocalFlags = 6, kLocalMethod = 8, kLocalCrc = 14, kLocalCompressed = 18,
              kLocalSize = 22, kLocalExtraBytes = 28, kLocalName = 30;
constexpr int kFlags = 8, kMethod = 10, kCrc = 16, kCompressed = 20, kSize = 24, kNameBytes = 28,
              kExtraBytes = 30, kDisk = 34, kAttributes = 38, kOffset = 42, kName = 46;
constexpr int kEndDisk = 4, kEndEntriesHere = 8, kEndEntries = 10, kEndSize = 12, kEndOffset = 16;

Caught read(const std::string& bytes, const FileLimits& limits = {}) {
  return error_of([&] { read_npz(std::as_bytes(std::span(bytes)), "w.npz", limits); });
}

Zip two(bool deflate = false) {
  return Zip({{"a.npy", good_npy(), deflate}, {"b.npy", good_npy(), deflate}});
}

/// Two members, or two deflated ones, after `change`.
std::string broken(const std::function<void(Zip&)>& change, bool deflate = false) {
  Zip zip = two(deflate);
  change(zip);
  return zip.bytes;
}

std::string named(const std::string& name) { return Zip({{name, good_npy()}}).bytes; }

class RefusedNpz : public testing::TestWithParam<RefusedFile> {};

TEST_P(RefusedNpz, SaysWhy) {
  expect_error(read(GetParam().bytes), GetParam().kind, "w.npz", GetParam().says);
}

INSTANTIATE_TEST_SUITE_P(
    End, RefusedNpz,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"EmptyFile", "", kCut, "size is 0 bytes; a .npz file is a zip archive"},
        {"OnlyAnEndRecord", Zip({}).bytes, kBad, "archive has 0 members; it must have at least"},
        {"NoEndRecord", two().bytes.substr(0, two().end), kCut, "end record of the zip archive is"},
        {"CutInTheDirectory", two().bytes.substr(0, two().central[1] + 9), kCut, "the file is cut"},
        {"CutInALocalHeader", two().bytes.substr(0, two().local[1] + 9), kCut, "the file is cut"},
        {"CutInData", two().bytes.substr(0, two().local[1] - 5), kCut, "the file is cut"},
        {"CutAfter2Bytes", "PK", kCut, "the file is cut"},
        {"BytesAfterTheEnd", two().bytes + "x", kCut, "or has bytes after it"},
        {"BytesBeforeTheStart", "#!/bin/sh\n" + two().bytes, kBad, "first bytes are #!/bin;"},
        {"ANpy", good_npy(), kBad, "first bytes are \\x93NUMPY; a .npz file is a zip archive"},
        {"AWebPage", "<!DOCTYPE html><title>404</title>", kBad, "first bytes are <!DOCT"},
        {"EndCountsOneMore", broken([](Zip& z) {
           z.put(z.end + kEndEntriesHere, 3, 2).put(z.end + kEndEntries, 3, 2);
         }),
         kBad, "central directory has 2 entries; the end record counts 3"},
        {"EndCountsOneLess", broken([](Zip& z) {
           z.put(z.end + kEndEntriesHere, 1, 2).put(z.end + kEndEntries, 1, 2);
         }),
         kBad, "bytes after its 1 entries; the end record counts no more"},
        {"DirectoryOutsideTheFile",
         broken([](Zip& z) { z.put(z.end + kEndOffset, 0x7fffffff, 4); }), kBad,
         "at offset 2147483647; it must end at the end record"},
        {"DirectoryTooLong", broken([](Zip& z) { z.put(z.end + kEndSize, 0x7fffffff, 4); }), kBad,
         "central directory is 2147483647 bytes"},
        {"DirectoryNotAtTheEnd",
         broken([](Zip& z) { z.put(z.end + kEndOffset, z.central[0] - 1, 4); }), kBad,
         "it must end at the end record"},
        {"SecondDisk", broken([](Zip& z) { z.put(z.end + kEndDisk, 1, 2); }), kNot,
         "archive spans several disks"},
        {"EntriesOnAnotherDisk", broken([](Zip& z) { z.put(z.end + kEndEntriesHere, 1, 2); }), kNot,
         "archive spans several disks"},
        {"MemberOnAnotherDisk", broken([](Zip& z) { z.put(z.central[1] + kDisk, 1, 2); }), kNot,
         "archive spans several disks"},
    }),
    name_of);

std::string broken64(const std::function<void(Zip&)>& change) {
  Zip zip({{"a.npy", good_npy(), false, true}}, true);
  change(zip);
  return zip.bytes;
}

/// A directory entry that refers to a Zip64 extra field with these bytes, or to none.
std::string with_extra(const std::string& extra) {
  Zip zip({{"a.npy", good_npy()}});
  zip.put(zip.central[0] + kSize, 0xffffffff, 4).put(zip.central[0] + kExtraBytes, extra.size(), 2);
  zip.bytes.insert(zip.central[0] + kName + 5, extra);
  zip.end += extra.size();
  zip.put(zip.end + kEndSize, zip.end - zip.central[0], 4);
  return zip.bytes;
}

INSTANTIATE_TEST_SUITE_P(
    Zip64, RefusedNpz,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"EndRecordMissing", broken([](Zip& z) { z.put(z.end + kEndOffset, 0xffffffff, 4); }), kBad,
         "end record refers to a Zip64 end record; there is none"},
        {"LocatorOutsideTheFile", broken64([](Zip& z) { z.put(z.end - 12, ~0ull, 8); }), kBad,
         "Zip64 end record is at offset 18446744073709551615; it must end where"},
        {"EndRecordSignature", broken64([](Zip& z) { z.put(z.end64, 0, 1); }), kBad,
         "Zip64 end record is at offset"},
        {"EndRecordSize", broken64([](Zip& z) { z.put(z.end64 + 4, ~0ull, 8); }), kBad,
         "Zip64 end record is at offset"},
        {"DirectoryOutsideTheFile", broken64([](Zip& z) { z.put(z.end64 + 48, ~0ull, 8); }), kBad,
         "at offset 18446744073709551615; it must end at the end record"},
        {"RecordsDiffer", broken64([](Zip& z) { z.put(z.end + kEndSize, 7, 4); }), kBad,
         "end record differs from the Zip64 end record"},
        {"MillionsOfEntries",
         broken64([](Zip& z) { z.put(z.end64 + 24, ~0ull, 8).put(z.end64 + 32, ~0ull, 8); }), kBig,
         "archive has 18446744073709551615 members; the limit is 4096"},
        {"SeveralDisks", broken64([](Zip& z) { z.put(z.end - 4, 2, 4); }), kNot, "several disks"},
        {"ExtraMissing", with_extra(""), kBad, "Zip64 extra field that is missing"},
        {"ExtraShort", with_extra(little(1, 2) + little(4, 2) + little(0, 4)), kBad,
         "member \"a.npy\" has a Zip64 extra field that is cut; its size or offset must be there"},
        {"ExtraOverItsEnd", with_extra(little(1, 2) + little(8, 2) + little(0, 4)), kBad,
         "has a cut extra field"},
        {"ExtraOfThreeBytes", with_extra("abc"), kBad, "has a cut extra field"},
        {"ExtraTwice", with_extra(little(1, 2) + little(0, 2) + little(1, 2) + little(0, 2)), kBad,
         "has two Zip64 extra fields"},
        {"SizeOverTheFile", with_extra(little(1, 2) + little(8, 2) + little(~0ull, 8)), kBad,
         "is stored in 80 bytes; its size is 18446744073709551615"},
        {"LocalExtraMissing", broken([](Zip& z) { z.put(z.local[0] + kLocalSize, ~0ull, 4); }),
         kBad, "Zip64 extra field that is missing"},
    }),
    name_of);

std::string attributes(std::uint32_t value) {
  return broken([&](Zip& z) { z.put(z.central[1] + kAttributes, value, 4); });
}

INSTANTIATE_TEST_SUITE_P(
    Members, RefusedNpz,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"NoLocalHeader", broken([](Zip& z) { z.put(z.local[1], 0, 1); }), kBad,
         "member \"b.npy\" has no local header at offset"},
        {"OffsetOutsideTheFile", broken([](Zip& z) { z.put(z.central[1] + kOffset, 1u << 31, 4); }),
         kBad, "has no local header at offset 2147483648"},
        {"OffsetInsideData", broken([](Zip& z) { z.put(z.central[1] + kOffset, 50, 4); }), kBad,
         "has no local header at offset 50"},
        {"LocalNameDiffers", broken([](Zip& z) { z.put(z.local[0] + kLocalName, 'x', 1); }), kBad,
         "member \"a.npy\" is called \"x.npy\" in its local header; the names must be the same"},
        {"LocalMethodDiffers", broken([](Zip& z) { z.put(z.local[0] + kLocalMethod, 8, 2); }), kBad,
         "has method 8 in its local header; the central directory has 0"},
        {"LocalSizeDiffers", broken([](Zip& z) { z.put(z.local[0] + kLocalSize, 91, 4); }), kBad,
         "has size 91 in its local header; the central directory has 80"},
        {"LocalCompressedSizeDiffers",
         broken([](Zip& z) { z.put(z.local[0] + kLocalCompressed, 0, 4); }), kBad,
         "has compressed size 0 in its local header"},
        {"LocalCrcDiffers", broken([](Zip& z) { z.put(z.local[0] + kLocalCrc, 0, 4); }), kBad,
         "has CRC-32 0 in its local header"},
        {"LocalFlagsDiffer", broken([](Zip& z) { z.put(z.local[0] + kLocalFlags, 1, 2); }), kBad,
         "has flags 1 in its local header"},
        {"LocalExtraOverTheData",
         broken([](Zip& z) { z.put(z.local[1] + kLocalExtraBytes, 60000, 2); }), kBad,
         "it must end before the central directory"},
        {"DataOverTheDirectory", broken([](Zip& z) {
           z.put(z.central[1] + kCompressed, 95, 4).put(z.central[1] + kSize, 95, 4);
         }),
         kBad, "has 95 bytes at offset"},
        {"StoredInOtherSize", broken([](Zip& z) { z.put(z.central[1] + kSize, 79, 4); }), kBad,
         "is stored in 80 bytes; its size is 79"},
        {"NameTwice", Zip({{"a.npy", good_npy()}, {"a.npy", good_npy()}}).bytes, kBad,
         "member \"a.npy\" is there twice; names must differ"},
        {"BothAtTheSameOffset", broken([](Zip& z) {
           z.put(z.central[1] + kOffset, z.local[0], 4).put(z.central[1] + kName, 'a', 1);
           z.put(z.central[0] + kName, 'b', 1);
         }),
         kBad, "is called \"a.npy\" in its local header"},
        {"NameOverTheDirectory", broken([](Zip& z) { z.put(z.central[1] + kNameBytes, 999, 2); }),
         kBad, "central directory ends inside an entry"},
        {"EntrySignature", broken([](Zip& z) { z.put(z.central[1], 0, 1); }), kBad,
         "central directory has 1 entries; the end record counts 2"},
        {"Bzip2", broken([](Zip& z) { z.put(z.central[0] + kMethod, 12, 2); }), kNot,
         "member \"a.npy\" has compression method 12 (bzip2); it must be stored (0) or deflate"},
        {"Lzma", broken([](Zip& z) { z.put(z.central[0] + kMethod, 14, 2); }), kNot, "14 (lzma)"},
        {"Zstd", broken([](Zip& z) { z.put(z.central[0] + kMethod, 93, 2); }), kNot, "93 (zstd)"},
        {"UnknownMethod", broken([](Zip& z) { z.put(z.central[0] + kMethod, 7, 2); }), kNot,
         "compression method 7;"},
        {"Encrypted", broken([](Zip& z) { z.put(z.central[0] + kFlags, 1, 2); }), kNot,
         "is encrypted; it must not be"},
        {"StronglyEncrypted", broken([](Zip& z) { z.put(z.central[0] + kFlags, 0x41, 2); }), kNot,
         "is encrypted"},
        {"PatchData", broken([](Zip& z) { z.put(z.central[0] + kFlags, 0x20, 2); }), kNot,
         "is patch data"},
        {"DataDescriptor", broken([](Zip& z) {
           z.put(z.central[0] + kFlags, 8, 2).put(z.local[0] + kLocalFlags, 8, 2);
           z.put(z.local[0] + kLocalCompressed, 0, 8).put(z.local[0] + kLocalCrc, 0, 4);
         }),
         kNot, "has its sizes in a data descriptor"},
        {"Symlink", attributes(0120777u << 16), kBad, "is a directory, a link or a device"},
        {"UnixDirectory", attributes(0040755u << 16), kBad, "is a directory, a link or a device"},
        {"DosDirectory", attributes(0x10), kBad, "is a directory, a link or a device"},
    }),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Names, RefusedNpz,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"GoesUp", named("../../etc/x.npy"), kBad,
         "member \"../../etc/x.npy\" has a name that goes up by \"..\"; it must be a relative "
         "path"},
        {"GoesUpInside", named("a/../b.npy"), kBad, "goes up by"},
        {"GoesUpOnWindows", named("a\\..\\b.npy"), kBad, "goes up by"},
        {"Absolute", named("/etc/x.npy"), kBad, "has a name that is absolute"},
        {"DriveLetter", named("C:\\x.npy"), kBad, "has a name that is absolute"},
        {"NulInside", named(std::string("a\0b.npy", 7)), kBad,
         "member \"a\\x00b.npy\" has a name that has a control character"},
        {"NewlineInside", named("a\nb.npy"), kBad, "member \"a\\x0ab.npy\" has a name that has"},
        {"InvalidUtf8", named("\xff.npy"), kBad, "has a name that is not UTF-8"},
        {"OverlongUtf8", named("\xc0\xae.npy"), kBad, "has a name that is not UTF-8"},
        {"SurrogateInUtf8", named("\xed\xa0\x80.npy"), kBad, "has a name that is not UTF-8"},
        {"CutUtf8", named("a.npy\xc3"), kBad, "has a name that is not UTF-8"},
        {"Empty", named(""), kBad, "member \"\" has a name that is empty"},
        {"OnlyTheSuffix", named(".npy"), kBad, "member \".npy\": is not an array"},
        {"NoSuffix", named("readme.txt"), kBad, "member \"readme.txt\": is not an array; names"},
        {"ANestedNpz", named("inner.npz"), kBad, "member \"inner.npz\": is not an array"},
        {"Directory", named("a/"), kBad, "is a directory, a link or a device"},
        {"Longest", named(std::string(65531, 'a') + ".txt"), kBad, "aaa...\": is not an array"},
    }),
    name_of);

/// One deflated member whose stream in the archive is `stored`.
std::string stream(const std::string& stored) {
  return Zip({{"a.npy", good_npy(), true, false, stored}}).bytes;
}

/// An archive that is right in itself, around these bytes.
std::string holding(const std::string& bytes) {
  const std::vector<Member> one = {{"a.npy", bytes, true}};
  return Zip(one).bytes;
}

INSTANTIATE_TEST_SUITE_P(
    Content, RefusedNpz,
    testing::ValuesIn(std::vector<RefusedFile>{
        {"StoredByteChanged", broken([](Zip& z) { z.put(z.local[1] - 1, 0, 1); }), kBad,
         "member \"a.npy\": CRC-32 is 0x"},
        {"CrcWrongInBothHeaders",
         broken([](Zip& z) { z.put(z.central[1] + kCrc, 0, 4).put(z.local[1] + kLocalCrc, 0, 4); },
                true),
         kBad, "; the archive declares 0x00000000"},
        {"InflatesToMore", stream(deflated(good_npy() + "x")), kBad,
         "member \"a.npy\": inflates to more than 80 bytes; that is its declared size"},
        {"InflatesToLess", stream(deflated(good_npy().substr(1))), kBad,
         "inflates to 79 bytes; its declared size is 80"},
        {"StreamEndsEarly", stream(deflated(good_npy()).substr(0, 40)), kBad,
         "deflate stream is broken after "},
        {"StreamEndsBeforeItsLastByte",
         stream(deflated(good_npy()).substr(0, deflated(good_npy()).size() - 1)), kBad,
         "deflate stream is broken after "},
        {"StreamIsGarbage", stream(std::string(50, '\xff')), kBad,
         "deflate stream is broken after 0 of 80 bytes; invalid block type"},
        {"BytesAfterTheStream", stream(deflated(good_npy()) + "abc"), kBad,
         "deflate stream has 3 bytes after its end; there must be none"},
        {"ASecondStream", stream(deflated(good_npy()) + deflated(good_npy())), kBad,
         "bytes after its end"},
        {"NotANpyInside", holding("PK\3\4 and so on"), kBad,
         "member \"a.npy\": first bytes are PK\\x03\\x04 a; a .npy file starts"},
        {"EmptyMember", holding(""), kCut, "member \"a.npy\": size is 0 bytes"},
        {"IntegersInside", holding(npy_file(npy_dict("'<i4'", "False", "(1,)"), "1234")), kNot,
         "member \"a.npy\": dtype is int32 (descr '<i4'); it must be float32 or float64"},
        {"MoreInsideThanDeclared", holding(good_npy() + "1234"), kBad,
         "member \"a.npy\": payload is 16 bytes; shape [3] of float32 needs only 12"},
    }),
    name_of);

TEST(NpzErrors, RefusesMembersThatOverlap) {
  // The "quoted overlap": the first member's data begin with the second's local header.
  const Zip inner({{"b.npy", good_npy()}});
  const std::string quoted = inner.bytes.substr(0, inner.central[0]);
  Zip zip({{"a.npy", quoted}, {"b.npy", good_npy()}});
  zip.put(zip.central[1] + kOffset, zip.local[0] + kLocalName + 5, 4);
  expect_error(read(zip.bytes), kBad, "w.npz",
               "member \"b.npy\" overlaps member \"a.npy\"; every byte must belong to one only");
}

TEST(NpzErrors, RefusesABombByItsRatioBeforeInflating) {
  Zip zip({{"a.npy", good_npy(), true}});
  zip.put(zip.central[0] + kSize, 1'000'000'000, 4)
      .put(zip.local[0] + kLocalSize, 1'000'000'000, 4);
  expect_error(read(zip.bytes), kBig, "w.npz",
               "member \"a.npy\": size is 1000000000 bytes, over 1100 times the");
}

TEST(NpzErrors, ChecksTheCallersLimits) {
  FileLimits limits;
  limits.members = 1;
  expect_error(read(two().bytes, limits), kBig, "w.npz", "archive has 2 members; the limit is 1");
  limits = {};
  limits.total_bytes = 159;
  expect_error(
      read(two().bytes, limits), kBig, "w.npz",
      "member \"b.npy\": size is 80 bytes, too many with those before it; the limit is 159");
  limits = {};
  limits.array_bytes = 11;
  expect_error(read(two().bytes, limits), kBig, "w.npz", "the limit is 11");
  limits.header_bytes = 10;
  expect_error(read(two().bytes, limits), kBig, "w.npz", "size is 80 bytes; the limit is 33");
  limits = {};
  limits.finite = true;
  const std::string nan = npy_file(npy_dict("'<f4'", "False", "(1,)"),
                                   raw<float>({std::numeric_limits<float>::quiet_NaN()}));
  expect_error(read(holding(nan), limits), kBig, "w.npz",
               "member \"a.npy\": element 0 in the file's order is nan; it must be finite");
}

TEST(NpzErrors, Refuses65536Entries) {
  std::vector<Member> members(65536, {"", "x"});
  for (std::size_t i = 0; i < members.size(); ++i) members[i].name = std::to_string(i) + ".npy";
  expect_error(read(Zip(members, true).bytes), kBig, "w.npz",
               "archive has 65536 members; the limit is 4096");
}

TEST(NpzErrors, RefusesEveryTruncation) {
  expect_cut_everywhere(two(true).bytes, [](const std::string& bytes) { return read(bytes); });
}

TEST(NpzErrors, SurvivesChangedBytes) {
  const std::string whole =
      Zip({{"a.npy", good_npy(), true, true}, {"b.npy", good_npy()}}, true, "comment").bytes;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {0x01, 0x08, 0x80, 0xff}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      read(bytes);  // an Error or tensors; anything else fails the test or the sanitizer
    }
  }
}

// --- the file system and writing ---

TEST(NpzFiles, AreNamedByTheirPath) {
  const TemporaryFolder folder;
  const auto path = folder / "cut.npz";
  write_bytes(path, two().bytes.substr(0, 100));
  expect_error(error_of([&] { read_npz(path); }), kCut, path.string(), "the file is cut");
}

TEST(NpzFiles, NamesAFileThatIsNotThere) {
  expect_error(error_of([] { read_npz("/nowhere/w.npz"); }), ErrorKind::kIo, "/nowhere/w.npz",
               "cannot open: No such file or directory");
}

TEST(NpzFiles, RefusesBadNamesAndLeavesNoFile) {
  const TemporaryFolder folder;
  const auto path = folder / "w.npz";
  const Tensor one = Tensor::from<float>({1}, {1});
  const auto expect = [&](const std::vector<NamedView>& arrays, const char* says) {
    expect_error(error_of([&] { write_npz(path, arrays); }), ErrorKind::kInvalidArgument,
                 path.string(), says);
  };
  expect({}, "number of arrays is 0; it must be at least 1");
  expect({{"", one}}, "array name is \"\"; it must not be empty");
  expect({{"a", one}, {"a", one}}, "array name is \"a\"; it is there twice");
  expect({{"../a", one}}, "array name is \"../a\"; it goes up by");
  expect({{"\xff", one}}, "array name is \"\\xff\"; it is not UTF-8");
  expect({{std::string(65532, 'a'), one}}, "it must be shorter than 65532 bytes");
  expect({{"a", ConstTensorView(nullptr, DType::kFloat32, {2})}}, "array is null with shape [2]");
  EXPECT_TRUE(folder.names().empty());
}

TEST(NpzFiles, WritesNothingIntoADirectoryThatIsNotThere) {
  const Tensor one = Tensor::from<float>({1}, {1});
  expect_error(error_of([&] {
                 write_npz("/nowhere/w.npz", std::vector<NamedView>{{"a", one}});
               }),
               ErrorKind::kIo, "/nowhere/w.npz", "cannot write: No such file or directory");
}

}  // namespace
}  // namespace upconv::test
