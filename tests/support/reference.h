// The definition of the layer in double precision, written without any of the library's arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace upconv::test {

using Index = std::int64_t;

/// One layer and one input shape, in the plainest form.
struct Problem {
  std::vector<Index> batch;  ///< batch extents, any number
  std::vector<Index> input;  ///< spatial extents; their number is the rank
  Index input_size = 1;
  Index output_size = 1;
  std::vector<Index> filter, strides, dilations;
  std::string padding;  ///< "VALID", "SAME" or "" for `pairs`
  std::vector<std::pair<Index, Index>> pairs;
  std::optional<std::vector<Index>> output_padding;

  int rank() const { return static_cast<int>(input.size()); }
  /// One line that can be pasted into a test.
  std::string text() const;
};

/// Output lengths and offsets, by the formulas of Keras, TFP, PyTorch and ONNX (docs/design.md).
struct ReferenceWindow {
  std::vector<Index> output, offset;
};
ReferenceWindow reference_window(const Problem& problem);

/// x: C order [batch..., spatial..., input_size]; kernel: [filter..., input_size, output_size];
/// bias: output_size values. @return C order [batch..., output..., output_size], before activation:
/// every input is scattered into the full result, and the window is cut out of it.
std::vector<double> reference(const Problem& problem, const std::vector<double>& x,
                              const std::vector<double>& kernel, const std::vector<double>& bias);

/// The same sums over absolute values: what a rounding error is relative to.
std::vector<double> reference_magnitude(const Problem& problem, const std::vector<double>& x,
                                        const std::vector<double>& kernel,
                                        const std::vector<double>& bias);

}  // namespace upconv::test
