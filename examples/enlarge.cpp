// upconv_demo: a photograph is shrunk to a half, a third and a quarter, and enlarged again by
// transposed convolution with the weights of three classical filters.
//
//   upconv_demo [photo.png [folder]]
//
// Each filter is separable, so that one pass over the columns and one over the rows do what one
// two-dimensional layer does, with 2 * taps multiplications in place of taps * taps.
#include <png.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "upconv/upconv.h"

namespace {

using upconv::ConvolutionTranspose;
using upconv::Dims;
using upconv::Index;
using upconv::Tensor;

constexpr Index kChannels = 3;

// ---------------------------------------------------------------------------------------------
// Pictures: float32 tensors [height, width, 3] of values from 0 to 255.

Index height(const Tensor& image) { return image.shape()[0]; }
Index width(const Tensor& image) { return image.shape()[1]; }

Tensor new_image(Index rows, Index columns) {
  return Tensor::zeros(upconv::DType::kFloat32, {rows, columns, kChannels});
}

float* pixel(Tensor& image, Index row, Index column) {
  return image.values<float>().data() + (row * width(image) + column) * kChannels;
}

const float* pixel(const Tensor& image, Index row, Index column) {
  return image.values<float>().data() + (row * width(image) + column) * kChannels;
}

[[noreturn]] void fail(const png_image& png, const std::filesystem::path& path) {
  throw std::runtime_error(path.string() + ": " + png.message);
}

Tensor read_png(const std::filesystem::path& path) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&png, path.c_str())) fail(png, path);
  png.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> bytes(PNG_IMAGE_SIZE(png));
  if (!png_image_finish_read(&png, nullptr, bytes.data(), 0, nullptr)) fail(png, path);
  Tensor image = new_image(Index{png.height}, Index{png.width});
  std::copy(bytes.begin(), bytes.end(), image.values<float>().begin());
  return image;
}

/// A value as a byte holds it.
std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 255.0F)));
}

void write_png(const std::filesystem::path& path, const Tensor& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width(image));
  png.height = static_cast<png_uint_32>(height(image));
  png.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> bytes;
  for (const float value : image.values<float>()) bytes.push_back(to_byte(value));
  if (!png_image_write_to_file(&png, path.c_str(), 0, bytes.data(), 0, nullptr)) fail(png, path);
}

/// Each pixel of the result is the mean of a square of `scale` by `scale` pixels, rounded to a byte
/// as a picture file would hold it.
Tensor shrink(const Tensor& image, Index scale) {
  Tensor small = new_image(height(image) / scale, width(image) / scale);
  for (Index row = 0; row < height(small); ++row) {
    for (Index column = 0; column < width(small); ++column) {
      for (Index channel = 0; channel < kChannels; ++channel) {
        float sum = 0;
        for (Index y = 0; y < scale; ++y) {
          for (Index x = 0; x < scale; ++x) {
            sum += pixel(image, row * scale + y, column * scale + x)[channel];
          }
        }
        pixel(small, row, column)[channel] = to_byte(sum / static_cast<float>(scale * scale));
      }
    }
  }
  return small;
}

/// Adds `margin` pixels on each side that repeat the nearest one of the picture.
Tensor extend(const Tensor& image, Index margin) {
  Tensor wide = new_image(height(image) + 2 * margin, width(image) + 2 * margin);
  for (Index row = 0; row < height(wide); ++row) {
    for (Index column = 0; column < width(wide); ++column) {
      std::copy_n(pixel(image, std::clamp<Index>(row - margin, 0, height(image) - 1),
                        std::clamp<Index>(column - margin, 0, width(image) - 1)),
                  kChannels, pixel(wide, row, column));
    }
  }
  return wide;
}

/// Each pixel as a square of `scale` by `scale`.
Tensor repeat(const Tensor& image, Index scale) {
  Tensor large = new_image(height(image) * scale, width(image) * scale);
  for (Index row = 0; row < height(large); ++row) {
    for (Index column = 0; column < width(large); ++column) {
      std::copy_n(pixel(image, row / scale, column / scale), kChannels, pixel(large, row, column));
    }
  }
  return large;
}

/// Peak signal-to-noise ratio in dB, of bytes.
double psnr(const Tensor& image, const Tensor& original) {
  const std::span<const float> a = image.values<float>();
  const std::span<const float> b = original.values<float>();
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(to_byte(a[i])) - b[i];
    sum += difference * difference;
  }
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.size()) / sum);
}

// ---------------------------------------------------------------------------------------------
// Enlarging

struct Filter {
  std::string name;
  Index support;  ///< input pixels that it reaches on either side
  upconv::Initializer (*weights)(const Dims& strides);
};

const std::vector<Filter>& filters() {
  static const std::vector<Filter> list = {
      {"bilinear", 1, upconv::initializers::bilinear},
      {"bicubic", 2, [](const Dims& strides) { return upconv::initializers::bicubic(strides); }},
      {"lanczos", 3, [](const Dims& strides) { return upconv::initializers::lanczos(strides); }},
  };
  return list;
}

/// Enlarges pictures by a whole number: a layer for the columns of a picture, then one for the
/// rows.
class Enlarger {
 public:
  Enlarger(const Filter& filter, Index scale)
      : margin_(filter.support),
        columns_(layer(filter, scale, 0)),
        rows_(layer(filter, scale, 1)) {}

  Tensor operator()(const Tensor& image) const { return rows_(columns_(extend(image, margin_))); }

  /// Floating-point operations for a picture, zeros between channels and the cropped part included:
  /// two for each input element, tap and output channel.
  double operations(const Tensor& image) const {
    const Dims shape = extended_shape(image);
    const auto of = [](const ConvolutionTranspose& layer, const Dims& input) {
      const Dims& kernel = layer.kernel().shape();
      return 2.0 * static_cast<double>(element_count(input)) *
             static_cast<double>(kernel[0] * kernel[1] * kChannels);
    };
    return of(columns_, shape) + of(rows_, columns_.output_shape(shape));
  }

  upconv::KernelChoice kernel_choice(const Tensor& image) const {
    return rows_.kernel_choice(columns_.output_shape(extended_shape(image)));
  }

 private:
  Dims extended_shape(const Tensor& image) const {
    return {height(image) + 2 * margin_, width(image) + 2 * margin_, kChannels};
  }

  static ConvolutionTranspose layer(const Filter& filter, Index scale, std::size_t axis) {
    // One long axis, the other of length 1.
    std::vector<Index> strides = {1, 1};
    std::vector<Index> taps = {1, 1};
    strides[axis] = scale;
    taps[axis] = 2 * filter.support * scale;
    // The result without the margin: what SAME padding crops, and `scale` for each pixel more.
    const Index same = (taps[axis] - scale) / 2;
    const Index margin = filter.support * scale;
    upconv::Padding::Pairs crop = {{0, 0}, {0, 0}};
    crop[axis] = {margin + same, margin + (taps[axis] - scale) - same};
    return ConvolutionTranspose({.input_size = kChannels,
                                 .output_size = kChannels,
                                 .filter_shape = taps,
                                 .strides = strides,
                                 .padding = crop,
                                 .init_kernel_fn = filter.weights({strides[0], strides[1]}),
                                 .name = filter.name,
                                 .use_bias = false});
  }

  Index margin_;
  ConvolutionTranspose columns_;
  ConvolutionTranspose rows_;
};

/// Best time of several calls, in seconds.
template <typename Call>
double best_time(const Call& call) {
  using Clock = std::chrono::steady_clock;
  constexpr double kSeconds = 0.2;
  double best = std::numeric_limits<double>::infinity();
  const Clock::time_point begin = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - begin).count() < kSeconds) {
    const Clock::time_point start = Clock::now();
    call();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

/// Copies a part of a picture into another, at a place.
void paste(const Tensor& from, Index top, Index left, Index rows, Index columns, Tensor& to,
           Index row, Index column) {
  for (Index y = 0; y < rows; ++y) {
    std::copy_n(pixel(from, top + y, left), columns * kChannels, pixel(to, row + y, column));
  }
}

void run(const std::filesystem::path& photo, const std::filesystem::path& folder) {
  constexpr Index kScales[] = {2, 3, 4};
  constexpr Index kDivisor = 12;  // of all scales
  const Tensor original = read_png(photo);
  if (height(original) % kDivisor != 0 || width(original) % kDivisor != 0) {
    throw std::runtime_error(photo.string() + ": the picture has " +
                             std::to_string(width(original)) + " x " +
                             std::to_string(height(original)) + " pixels; 12 must divide both");
  }
  std::filesystem::create_directories(folder);

  // The side-by-side picture: a row for each scale; repeated pixels, each filter, the original.
  const Index part_rows = height(original) / 2;
  const Index part_columns = width(original) / 2;
  const Index top = height(original) / 6;
  const Index left = width(original) / 6;
  constexpr Index kGap = 6;
  const auto parts = static_cast<Index>(filters().size() + 2);
  Tensor side_by_side =
      new_image(3 * (part_rows + kGap) - kGap, parts * (part_columns + kGap) - kGap);
  std::fill(side_by_side.values<float>().begin(), side_by_side.values<float>().end(), 255.0F);
  Index row = 0;

  std::printf("%s, %lld x %lld pixels, shrunk and enlarged by transposed convolution\n\n",
              photo.filename().c_str(), static_cast<long long>(width(original)),
              static_cast<long long>(height(original)));
  std::printf("%-18s %-9s %8s %9s %8s %9s  %s\n", "size", "filter", "ms", "GFLOP/s", "of peak",
              "PSNR dB", "kernel (and ISA)");
  double peak = 0;
  for (const Index scale : kScales) {
    std::string suffix = "_";
    suffix += std::to_string(scale) + "x";
    const Tensor small = shrink(original, scale);
    write_png(folder / ("small" + suffix + ".png"), small);
    Index column = 0;
    const auto add_part = [&](const Tensor& image) {
      paste(image, top, left, part_rows, part_columns, side_by_side, row, column);
      column += part_columns + kGap;
    };
    add_part(repeat(small, scale));
    for (const Filter& filter : filters()) {
      const Enlarger enlarge(filter, scale);
      const Tensor large = enlarge(small);
      const double seconds = best_time([&] { enlarge(small); });
      const upconv::KernelChoice choice = enlarge.kernel_choice(small);
      if (peak == 0) peak = upconv::measure_peak_gflops(choice.isa, upconv::DType::kFloat32);
      const double gflops = enlarge.operations(small) / seconds / 1e9;
      char size[32];
      std::snprintf(size, sizeof size, "%lldx%lld to %lldx%lld",
                    static_cast<long long>(width(small)), static_cast<long long>(height(small)),
                    static_cast<long long>(width(large)), static_cast<long long>(height(large)));
      std::printf("%-18s %-9s %8.3f %9.1f %7.1f%% %9.2f  %s\n", size, filter.name.c_str(),
                  seconds * 1e3, gflops, 100 * gflops / peak, psnr(large, original),
                  choice.kernel.c_str());
      write_png(folder / (filter.name + suffix + ".png"), large);
      upconv::write_npy(folder / (filter.name + suffix + ".npy"), large);
      add_part(large);
    }
    add_part(original);
    row += part_rows + kGap;
  }
  write_png(folder / "side_by_side.png", side_by_side);
  std::printf(
      "\nms and GFLOP/s are of one picture, both passes, one thread; products with the zeros "
      "between\n"
      "channels count. The peak, %.1f GFLOP/s, is measured with multiply-adds alone (%s). PSNR is\n"
      "against the photograph. Pictures are in %s; side_by_side.png has a row for each\n"
      "scale: pixels repeated, the three filters, the photograph.\n",
      peak, std::string(to_string(upconv::default_isa())).c_str(), folder.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
    std::puts("usage: upconv_demo [photo.png [folder]]");
    return argc > 1 && std::string(argv[1]) == "-h" ? 0 : 2;
  }
  try {
    run(argc > 1 ? argv[1] : UPCONV_PHOTO, argc > 2 ? argv[2] : UPCONV_DEMO_FOLDER);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "upconv_demo: error: %s\n", error.what());
    return 1;
  }
}
