// Many calls with random shapes: memory stays flat, results stay right. UPCONV_SOAK_CALLS says how
// many (docs/reliability.md has what was run).
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "checks.h"
#include "sanitized.h"

namespace upconv::test {
namespace {

constexpr std::uint64_t kSeed = 20261203;

/// Bytes of physical memory that the process has.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

long calls_to_make() {
  const char* const text = std::getenv("UPCONV_SOAK_CALLS");
  return text != nullptr ? std::strtol(text, nullptr, 10) : 20'000;
}

/// A layer with a few inputs and their results.
struct Worked {
  ConvolutionTranspose layer;
  std::vector<Tensor> inputs, results;
};

Worked make(std::uint64_t seed) {
  Random random(seed);
  Problem problem = random_problem(random);
  problem.padding = "SAME";  // any extents will do
  problem.output_padding.reset();
  Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  Worked worked{layer_of(c, isas()[seed % isas().size()], seed % 3 == 0 ? "tanh" : "relu"), {}, {}};
  for (int n = 0; n < 6; ++n) {
    for (Index& extent : c.problem.input) extent = draw(random, 0, 6);
    c.problem.batch.assign(static_cast<std::size_t>(draw(random, 0, 2)), draw(random, 1, 3));
    c.x = make_case(c.problem, c.dtype, Values::kNormal, random).x;
    worked.inputs.push_back(c.input());
    worked.results.push_back(worked.layer(worked.inputs.back()));
  }
  return worked;
}

TEST(Soak, MillionsOfCallsTakeNoMemory) {
  const long calls = calls_to_make();
  std::size_t used = 0, resident = 0;
  long made = 0;
  for (long round = 0; made < calls; ++round) {
    Random random(kSeed + static_cast<std::uint64_t>(round));
    const Worked worked = make(kSeed + static_cast<std::uint64_t>(round % 500));
    for (int n = 0; n < 400; ++n, ++made) {
      const auto at = static_cast<std::size_t>(draw(random, 0, 5));
      const int threads = n % 100 == 0 ? 2 : 1;
      ASSERT_TRUE(
          same_bits(worked.layer(worked.inputs[at], {.threads = threads}), worked.results[at]))
          << "round " << round;
    }
    if (made < calls / 2) {
      used = std::max(used, mallinfo2().uordblks);
      resident = std::max(resident, resident_bytes());
    }
  }
  if (!kSanitized) {  // a sanitizer keeps freed memory for a while
    EXPECT_LT(mallinfo2().uordblks, used + (1 << 20));
    EXPECT_LT(resident_bytes(), resident + (8 << 20));
  }
  RecordProperty("resident_bytes", std::to_string(resident_bytes()));
  std::printf("%ld calls; %zu bytes resident, %zu at most in the first half\n", made,
              resident_bytes(), resident);
}

}  // namespace
}  // namespace upconv::test
