// What the epilogue kernels read and write: every tail, the fences around it, calls in place.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "epilogue_kernels.h"
#include "guard_pages.h"

namespace upconv::test {
namespace {

/// Values between pages that nobody may touch.
template <typename T>
class Fenced {
 public:
  Fenced(std::size_t count, GuardPages::Edge edge) : pages_(count * sizeof(T), edge, 0) {}

  T* begin() const { return reinterpret_cast<T*>(pages_.bytes().data()); }
  T* end() const { return reinterpret_cast<T*>(pages_.bytes().data() + pages_.bytes().size()); }
  T& operator[](std::size_t i) const { return begin()[i]; }

 private:
  GuardPages pages_;
};

/// Every channel count up to two of the widest vectors and one: same bits as in one long run, and
/// not an element read or written elsewhere.
TEST_P(EpilogueKernelTest, TailsHaveTheSameBitsAndTouchNothingElse) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const auto [p0, p1] = parameters(kernel.activation).back();
    for (const auto edge : {GuardPages::Edge::kEnd, GuardPages::Edge::kBegin}) {
      for (int channels = 1; channels <= 33; ++channels) {
        SCOPED_TRACE("channels = " + std::to_string(channels));
        const std::size_t count = static_cast<std::size_t>(channels);
        // Three pixels, out of order, against both fences, one channel apart in the output.
        const std::size_t in_count = 3 * count, out_count = 3 * count + 2;
        const Fenced<T> in(in_count, edge), residual(in_count, edge), out(out_count, edge);
        std::mt19937 random(static_cast<unsigned>(channels));
        std::normal_distribution<double> normal(0, 4);
        std::generate(in.begin(), in.end(), [&] { return static_cast<T>(normal(random)); });
        std::generate(residual.begin(), residual.end(),
                      [&] { return static_cast<T>(normal(random)); });
        const int c = channels;
        const Offsets pixel_in = {c, 0, 2 * c}, pixel_residual = {2 * c, c, 0};
        const Offsets pixel_out = {2 * c + 2, c + 1, 0};
        for (const bool with_residual : {false, true}) {
          std::vector<T> values;  // in the order of the pixels
          for (std::size_t p = 0; p < 3; ++p) {
            for (std::size_t i = 0; i < count; ++i) {
              const T v = in[static_cast<std::size_t>(pixel_in[p]) + i];
              const T r = residual[static_cast<std::size_t>(pixel_residual[p]) + i];
              values.push_back(with_residual ? v + r : v);
            }
          }
          values.resize(values.size() + 64, T(1));  // so that all of them are in whole vectors
          const std::vector<T> expected = apply(kernel, values, p0, p1);
          const T untouched = T(-12345.75);
          std::fill(out.begin(), out.end(), untouched);
          apply<T>(kernel, in.begin(), in_count, with_residual ? residual.begin() : nullptr,
                   in_count, pixel_in, pixel_residual, pixel_out, channels, p0, p1, out.begin(),
                   out_count);
          for (std::size_t p = 0; p < 3; ++p) {
            for (std::size_t i = 0; i < count; ++i) {
              ASSERT_PRED2(same<T>, out[static_cast<std::size_t>(pixel_out[p]) + i],
                           expected[p * count + i])
                  << "pixel " << p << ", channel " << i;
            }
          }
          ASSERT_EQ(out[count], untouched);
          ASSERT_EQ(out[2 * count + 1], untouched);
        }
      }
    }
  });
}

TEST_P(EpilogueKernelTest, WorksInPlace) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const auto [p0, p1] = parameters(kernel.activation).back();
    for (const int channels : {1, 3, 8, 21, 32, 67}) {
      const Offsets pixels = {0, 2 * channels, channels};
      std::vector<T> values(static_cast<std::size_t>(3 * channels));
      std::mt19937 random(7);
      std::normal_distribution<double> normal(0, 4);
      std::generate(values.begin(), values.end(), [&] { return static_cast<T>(normal(random)); });
      for (const bool with_residual : {false, true}) {
        // The residual is the input itself, too: v + v.
        std::vector<T> in = values, doubled = values;
        for (T& v : doubled) v += v;
        const T* residual = with_residual ? in.data() : nullptr;
        apply<T>(kernel, in.data(), in.size(), residual, in.size(), pixels, pixels, pixels,
                 channels, p0, p1, in.data(), in.size());
        const std::vector<T> expected = apply(kernel, with_residual ? doubled : values, p0, p1);
        for (std::size_t i = 0; i < in.size(); ++i) ASSERT_PRED2(same<T>, in[i], expected[i]) << i;
      }
    }
  });
}

TEST_P(EpilogueKernelTest, DoesNothingForNoPixelsOrNoChannels) {
  with_type([]<typename T>() {
    const auto [p0, p1] = parameters(GetParam().activation).back();
    const T in = 1;
    T out = 7;
    apply<T>(GetParam(), &in, 1, nullptr, 0, {}, {}, {}, 1, p0, p1, &out, 1);
    apply<T>(GetParam(), &in, 1, nullptr, 0, {0}, {0}, {0}, 0, p0, p1, &out, 1);
    EXPECT_EQ(out, T(7));
  });
}

}  // namespace
}  // namespace upconv::test
