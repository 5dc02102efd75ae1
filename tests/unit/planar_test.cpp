// Between channels-last and planar: every element, from and to any alignment, and no other.
#include "planar.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "layers.h"

namespace upconv::internal {
namespace {

using test::draw;
using test::Random;

constexpr int kCases = 2000;

/// Part of an array: `rows` rows of `columns` elements, `step` apart, from element `first` on.
struct Matrix {
  Index first, rows, columns, step;

  Index size() const { return first + rows * step + 16; }
  Index at(Index row, Index column) const { return first + row * step + column; }
};

/// Runs transpose(from, to) on such arrays, and looks at all of the one that is written.
template <typename T, typename Transpose>
void check(const Matrix& from, const Matrix& to, Transpose transpose) {
  std::vector<T> source(static_cast<std::size_t>(from.size()));
  std::iota(source.begin(), source.end(), T{0});
  std::vector<T> written(static_cast<std::size_t>(to.size()), T{-1});
  std::vector<T> wanted = written;
  for (Index row = 0; row < to.rows; ++row) {
    for (Index column = 0; column < to.columns; ++column) {
      wanted[static_cast<std::size_t>(to.at(row, column))] =
          source[static_cast<std::size_t>(from.at(column, row))];
    }
  }
  transpose(source.data() + from.first, written.data() + to.first);
  EXPECT_EQ(written, wanted);
}

template <typename T>
void check_random(Random& random) {
  const Index width = draw(random, 0, 40), channels = draw(random, 1, 20);
  // Rows of a plane mostly begin alike, as those of the narrow strategy do.
  const Index line = draw(random, 0, 2) > 0 ? 16 : 1;
  const Matrix pixels{draw(random, 0, 15), width, channels, channels + draw(random, 0, 5)};
  const Matrix planes{draw(random, 0, 15), channels, width, (width / line + 1) * line};
  SCOPED_TRACE(std::to_string(width) + " pixels of " + std::to_string(channels) + " channels, " +
               std::to_string(pixels.step) + " apart, from " + std::to_string(pixels.first) +
               "; planes " + std::to_string(planes.step) + " apart, from " +
               std::to_string(planes.first));
  check<T>(pixels, planes, [&](const T* from, T* to) {
    to_planar(from, pixels.step, width, channels, to, planes.step);
  });
  check<T>(planes, pixels, [&](const T* from, T* to) {
    from_planar(from, planes.step, width, channels, to, pixels.step);
  });
}

TEST(Planar, EveryElementAtAnyAlignment) {
  for (int n = 0; n < kCases; ++n) {
    SCOPED_TRACE("case " + std::to_string(n));
    Random random(static_cast<unsigned>(n));
    check_random<float>(random);
    check_random<double>(random);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace upconv::internal
