// How a death test's process begins.
#pragma once

#include <gtest/gtest.h>

namespace upconv::test {

/// The program anew, so that nothing is left of what earlier tests did. An emulator's processes
/// cannot start it; there a test has a fork of its own process, in which CTest runs nothing else.
inline void start_death_tests_anew() {
#if defined(UPCONV_EMULATED)
  GTEST_FLAG_SET(death_test_style, "fast");
#else
  GTEST_FLAG_SET(death_test_style, "threadsafe");
#endif
}

}  // namespace upconv::test
