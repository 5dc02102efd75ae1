#include "reference.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace upconv::test {

namespace {

template <typename T>
void list(std::ostringstream& out, const char* name, const std::vector<T>& values) {
  out << " ." << name << "={";
  for (std::size_t i = 0; i < values.size(); ++i) out << (i ? "," : "") << values[i];
  out << "}";
}

/// Steps a multi-index through `shape`, last axis fastest; false after the last.
bool next(std::vector<Index>& at, const std::vector<Index>& shape) {
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (++at[axis] < shape[axis]) return true;
    at[axis] = 0;
  }
  return false;
}

Index product(const std::vector<Index>& values) {
  Index result = 1;
  for (const Index value : values) result *= value;
  return result;
}

}  // namespace

std::string Problem::text() const {
  std::ostringstream out;
  out << "Problem{";
  list(out, "batch", batch);
  list(out, "input", input);
  out << " .input_size=" << input_size << " .output_size=" << output_size;
  list(out, "filter", filter);
  list(out, "strides", strides);
  list(out, "dilations", dilations);
  if (padding.empty()) {
    out << " .pairs={";
    for (const auto& [begin, end] : pairs) out << "{" << begin << "," << end << "}";
    out << "}";
  } else {
    out << " .padding=" << padding;
  }
  if (output_padding) list(out, "output_padding", *output_padding);
  out << "}";
  return out.str();
}

ReferenceWindow reference_window(const Problem& p) {
  ReferenceWindow window;
  for (std::size_t a = 0; a < p.input.size(); ++a) {
    const Index i = p.input[a], s = p.strides[a], span = (p.filter[a] - 1) * p.dilations[a] + 1;
    const bool given = p.output_padding.has_value();
    const Index extra = given ? (*p.output_padding)[a] : 0;
    const Index full = (i - 1) * s + span;
    Index output = 0, offset = 0;
    if (p.padding == "VALID") {
      output = given ? full + extra : (i - 1) * s + std::max(span, s);
    } else if (p.padding == "SAME") {
      output = given ? (i - 1) * s + span % 2 + extra : i * s;
      offset = std::max<Index>(full - output, 0) / 2;
    } else {
      output = full + extra - p.pairs[a].first - p.pairs[a].second;
      offset = p.pairs[a].first;
    }
    if (i == 0) output = std::max<Index>(output, 0);
    window.output.push_back(output);
    window.offset.push_back(offset);
  }
  return window;
}

std::vector<double> reference(const Problem& p, const std::vector<double>& x,
                              const std::vector<double>& kernel, const std::vector<double>& bias) {
  const ReferenceWindow window = reference_window(p);
  const std::size_t rank = p.input.size();
  const Index images = product(p.batch), pixels = product(p.input), taps = product(p.filter);
  const Index image_out = product(window.output) * p.output_size;
  std::vector<double> y(static_cast<std::size_t>(images * image_out));
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = bias.empty() ? 0 : bias[i % static_cast<std::size_t>(p.output_size)];
  }
  if (images * pixels == 0 || y.empty()) return y;
  for (Index n = 0; n < images; ++n) {
    std::vector<Index> at(rank, 0);
    for (Index pixel = 0; pixel < pixels; ++pixel, next(at, p.input)) {
      std::vector<Index> tap(rank, 0);
      for (Index t = 0; t < taps; ++t, next(tap, p.filter)) {
        Index to = 0;
        bool inside = true;
        for (std::size_t a = 0; a < rank; ++a) {
          const Index j = at[a] * p.strides[a] + tap[a] * p.dilations[a] - window.offset[a];
          inside = inside && j >= 0 && j < window.output[a];
          to = to * window.output[a] + j;
        }
        if (!inside) continue;
        const double* from = &x[static_cast<std::size_t>((n * pixels + pixel) * p.input_size)];
        double* out = &y[static_cast<std::size_t>(n * image_out + to * p.output_size)];
        const double* w = &kernel[static_cast<std::size_t>(t * p.input_size * p.output_size)];
        for (Index ci = 0; ci < p.input_size; ++ci) {
          for (Index co = 0; co < p.output_size; ++co) {
            out[co] += from[ci] * w[ci * p.output_size + co];
          }
        }
      }
    }
  }
  return y;
}

std::vector<double> reference_magnitude(const Problem& problem, const std::vector<double>& x,
                                        const std::vector<double>& kernel,
                                        const std::vector<double>& bias) {
  const auto absolute = [](std::vector<double> values) {
    for (double& value : values) value = std::abs(value);
    return values;
  };
  return reference(problem, absolute(x), absolute(kernel), absolute(bias));
}

}  // namespace upconv::test
