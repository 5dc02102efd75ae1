// A file is written whole or not at all: whichever call of the system fails, and whenever the
// process ends, the old file or the new one is there.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "checks.h"
#include "file_calls.h"
#include "temporary_folder.h"

namespace upconv::test {
namespace {

/// Something that writes a file, and the contents before and after.
struct Writer {
  std::string name;
  std::function<void(const std::filesystem::path&)> write;
};

/// For GoogleTest, which would print the bytes, padding too.
void PrintTo(const Writer& writer, std::ostream* out) { *out << writer.name; }

const Tensor& array() {
  static const Tensor values = initializers::normal()({50, 7}, DType::kFloat32);
  return values;
}

const ConvolutionTranspose& layer() {
  static const ConvolutionTranspose made(
      {.input_size = 3, .output_size = 4, .filter_shape = 5, .name = "up"});
  return made;
}

std::vector<Writer> writers() {
  return {
      {"npy", [](const auto& path) { write_npy(path, array()); }},
      {"npz",
       [](const auto& path) {
         write_npz(path, std::vector<NamedView>{{"a", array()}, {"b", array()}});
       }},
      {"layer", [](const auto& path) { layer().save(path); }},
      {"model", [](const auto& path) { Sequential(layer()).save(path); }},
  };
}

class WriteFaults : public testing::TestWithParam<Writer> {
 protected:
  WriteFaults() : path_(folder_ / "file") {
    GetParam().write(path_);
    whole_ = read_bytes(path_);
    const FileFault none;
    GetParam().write(path_);
    calls_ = none.calls();
    restore();
  }

  void restore() { write_bytes(path_, kOld); }

  /// The file is the old one or the new one, and no other file is there.
  void expect_old_or_new(bool must_be_old) const {
    const std::string now = read_bytes(path_);
    EXPECT_TRUE(now == kOld || (!must_be_old && now == whole_)) << now.size() << " bytes";
  }

  /// Writes in another process, which has the fault; its exit status.
  int write_in_child(Fault fault, int at) const {
    const pid_t child = fork();
    if (child == 0) {
      const FileFault injected(fault, at);
      GetParam().write(path_);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  inline static const std::string kOld = "the old file";
  TemporaryFolder folder_;
  std::filesystem::path path_;
  std::string whole_;
  std::vector<std::string> calls_;
};

TEST_P(WriteFaults, TheDataReachesTheDiskBeforeTheNameDoes) {
  std::vector<std::string> order;  // without repetitions
  for (const std::string& call : calls_) {
    if (order.empty() || order.back() != call) order.push_back(call);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"open", "write", "fsync", "close", "rename", "open",
                                             "fsync", "close"}));
}

TEST_P(WriteFaults, AnErrorOfAnyCallLeavesTheOldFile) {
  for (const int code : {ENOSPC, EDQUOT, EIO, EROFS}) {
    for (int at = 0; at < static_cast<int>(calls_.size()); ++at) {
      restore();
      const FileFault fault(Fault::kError, at, code);
      const Caught caught = error_of([&] { GetParam().write(path_); });
      SCOPED_TRACE(calls_[static_cast<std::size_t>(at)] + ", call " + std::to_string(at));
      // Behind the rename the file is whole and new: nothing is left to report.
      const auto rename = std::find(calls_.begin(), calls_.end(), "rename") - calls_.begin();
      if (at <= rename) {
        EXPECT_EQ(caught.kind, ErrorKind::kIo);
        EXPECT_TRUE(caught.text.starts_with(path_.string() + ": cannot ")) << caught.text;
        EXPECT_TRUE(caught.text.ends_with(std::generic_category().message(code))) << caught.text;
      } else {
        EXPECT_FALSE(caught.kind) << caught.text;
      }
      expect_old_or_new(at <= rename);
      EXPECT_EQ(folder_.names(), std::vector<std::string>{"file"});
    }
  }
}

TEST_P(WriteFaults, ShortAndInterruptedWritesGoOn) {
  for (const Fault fault : {Fault::kShort, Fault::kInterrupted}) {
    for (int at = 0; at < static_cast<int>(calls_.size()); ++at) {
      restore();
      const FileFault injected(fault, at);
      GetParam().write(path_);
      EXPECT_EQ(read_bytes(path_), whole_) << "call " << at;
    }
  }
}

TEST_P(WriteFaults, AnEndOfTheProcessAtAnyCallLeavesAWholeFile) {
  for (const Fault fault : {Fault::kKillBefore, Fault::kKillAfter}) {
    for (int at = 0; at < static_cast<int>(calls_.size()); ++at) {
      restore();
      EXPECT_EQ(write_in_child(fault, at), kKilled);
      SCOPED_TRACE("call " + std::to_string(at));
      expect_old_or_new(false);
      // What the dead process left behind is in nobody's way.
      GetParam().write(path_);
      EXPECT_EQ(read_bytes(path_), whole_);
    }
  }
}

TEST_P(WriteFaults, AKillAtAnyMomentLeavesAWholeFile) {
  for (int round = 0; round < 60; ++round) {
    restore();
    const pid_t child = fork();
    if (child == 0) {
      while (true) GetParam().write(path_);
    }
    usleep(static_cast<useconds_t>(round) * 97);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    expect_old_or_new(false);
  }
}

INSTANTIATE_TEST_SUITE_P(, WriteFaults, testing::ValuesIn(writers()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace upconv::test
