// dlopen and dlclose: a shared object that holds the library can be unloaded, and leaves nothing.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "temporary_folder.h"

namespace upconv::test {
namespace {

using Run = int (*)(const char* scratch_file);

bool is_mapped() {
  std::ifstream maps("/proc/self/maps");
  const std::string text{std::istreambuf_iterator<char>(maps), {}};
  return text.find(std::filesystem::path(UPCONV_PLUGIN).filename().string()) != std::string::npos;
}

std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

/// Loads, runs and unloads.
void once(const std::string& scratch_file) {
  void* const plugin = dlopen(UPCONV_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(plugin, nullptr) << dlerror();
  const auto run = reinterpret_cast<Run>(dlsym(plugin, "upconv_plugin_run"));
  ASSERT_NE(run, nullptr) << dlerror();
  EXPECT_EQ(run(scratch_file.c_str()), 0);
  ASSERT_EQ(dlclose(plugin), 0) << dlerror();
}

TEST(Plugin, IsUnloadedAndLeavesNoThreadAndNoMemory) {
  const TemporaryFolder folder;
  const std::string file = (folder / "w.npz").string();
  const auto before = threads();
  once(file);
  EXPECT_FALSE(is_mapped()) << "something keeps the object loaded";
  EXPECT_EQ(threads(), before);
  // The loader and malloc's caches keep 1 KB a round at first, and below 100 bytes after 40.
  for (int round = 0; round < 40; ++round) once(file);
  const std::size_t used = mallinfo2().uordblks;
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round) once(file);
  EXPECT_FALSE(is_mapped());
  EXPECT_EQ(threads(), before);
  EXPECT_LT(mallinfo2().uordblks, used + kRounds * std::size_t{400});
}

TEST(Plugin, CanBeUsedOnAThreadThatEnds) {
  const TemporaryFolder folder;
  const std::string file = (folder / "w.npz").string();
  for (int round = 0; round < 5; ++round) std::thread([&] { once(file); }).join();
  EXPECT_FALSE(is_mapped());
}

}  // namespace
}  // namespace upconv::test
