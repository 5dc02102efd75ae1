// What the tests of broken .npy and .npz files share: such a file, and what is said of it.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

#include "errors.h"

namespace upconv::test {

inline constexpr ErrorKind kCut = ErrorKind::kTruncated;
inline constexpr ErrorKind kBad = ErrorKind::kCorruptFile;
inline constexpr ErrorKind kNot = ErrorKind::kUnsupported;
inline constexpr ErrorKind kBig = ErrorKind::kLimitExceeded;

/// A parameter of a test: a file that must be refused, and how.
struct RefusedFile {
  std::string name;  ///< of the test
  std::string bytes;
  ErrorKind kind;
  std::string says;
};

/// Not the bytes, which GoogleTest would show.
inline void PrintTo(const RefusedFile& file, std::ostream* out) { *out << file.says; }

inline std::string name_of(const testing::TestParamInfo<RefusedFile>& test) {
  return test.param.name;
}

/// Expects one line that starts with the file's name and says `says`.
inline void expect_error(const Caught& caught, ErrorKind kind, std::string_view file,
                         std::string_view says) {
  ASSERT_TRUE(caught.kind.has_value()) << "accepted; it should say: " << says;
  EXPECT_EQ(*caught.kind, kind) << caught.text;
  EXPECT_TRUE(caught.text.starts_with(std::string(file) + ": ")) << caught.text;
  EXPECT_NE(caught.text.find(says), std::string::npos)
      << "says:  " << caught.text << "\nnot:   " << says;
  EXPECT_EQ(caught.text.find_first_of("\n\r"), std::string::npos) << caught.text;
}

/// Expects that every beginning of a good file is refused as cut. `read` gives what is Caught.
template <typename Read>
void expect_cut_everywhere(const std::string& whole, Read read) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Caught caught = read(whole.substr(0, size));
    ASSERT_TRUE(caught.kind.has_value()) << size;
    EXPECT_EQ(*caught.kind, kCut) << size << ' ' << caught.text;
  }
}

}  // namespace upconv::test
