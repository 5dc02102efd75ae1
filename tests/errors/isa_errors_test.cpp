// UPCONV_ISA: what it may be, each value in a process of its own (it is read once).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "death_tests.h"
#include "kernel_table.h"
#include "upconv/upconv.h"

namespace upconv {
namespace {

std::string list(std::span<const Isa> isas) {
  std::string text;
  for (const Isa isa : isas) text += (text.empty() ? "" : ", ") + std::string(to_string(isa));
  return text;
}

/// Ends the process: with 0 after "isa <name>", or with 1 after an Error's text, on standard error.
[[noreturn]] void report_default_isa(const char* value) {
  if (value != nullptr) {
    setenv("UPCONV_ISA", value, 1);
  } else {
    unsetenv("UPCONV_ISA");
  }
  try {
    const ConvolutionTranspose layer({.input_size = 1, .output_size = 1, .filter_shape = 1});
    std::fprintf(stderr, "isa %s\n",
                 std::string(to_string(layer.kernel_choice({1, 1, 1}).isa)).c_str());
    std::exit(0);
  } catch (const Error& error) {
    std::fprintf(stderr, "%d: %s\n", static_cast<int>(error.kind()), error.what());
    std::exit(1);
  }
}

class IsaVariable : public testing::Test {
 protected:
  // Each child starts the program anew, and so has not read the variable yet.
  IsaVariable() { test::start_death_tests_anew(); }

  static std::string refused(const std::string& value) {
    const std::string runnable = list(runnable_isas());
    return "^" + std::to_string(static_cast<int>(ErrorKind::kInvalidArgument)) +
           ": UPCONV_ISA is \"" + value + "\"; it must be one of " + list(internal::built_isas()) +
           " \\(this machine runs " + runnable + "\\)\n$";
  }
};

TEST_F(IsaVariable, UnsetOrEmptyIsTheBestThatRuns) {
  const std::string best = "^isa " + std::string(to_string(runnable_isas().back())) + "\n$";
  EXPECT_EXIT(report_default_isa(nullptr), testing::ExitedWithCode(0), best);
  EXPECT_EXIT(report_default_isa(""), testing::ExitedWithCode(0), best);
}

TEST_F(IsaVariable, ForcesEachThatRuns) {
  for (const Isa isa : runnable_isas()) {
    const std::string name(to_string(isa));
    EXPECT_EXIT(report_default_isa(name.c_str()), testing::ExitedWithCode(0), "^isa " + name);
  }
}

TEST_F(IsaVariable, UnknownNamesAreRefused) {
  EXPECT_EXIT(report_default_isa("avx3"), testing::ExitedWithCode(1), refused("avx3"));
  EXPECT_EXIT(report_default_isa("AVX2"), testing::ExitedWithCode(1), refused("AVX2"));
  EXPECT_EXIT(report_default_isa(" "), testing::ExitedWithCode(1), refused(" "));
  EXPECT_EXIT(report_default_isa("avx2\n"), testing::ExitedWithCode(1), refused("avx2\\\\x0a"));
}

TEST_F(IsaVariable, IsasThatDoNotRunHereAreRefused) {
  const std::string runnable = list(runnable_isas());
  for (const char* name : {"sse41", "avx2", "avx512", "neon"}) {
    if (runnable.find(name) != std::string::npos) continue;
    EXPECT_EXIT(report_default_isa(name), testing::ExitedWithCode(1), refused(name));
  }
}

}  // namespace
}  // namespace upconv
