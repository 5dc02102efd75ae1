// Initialisers: functions that make the first values of a kernel or a bias.
#pragma once

#include <cstdint>
#include <functional>

#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// Makes a tensor of a shape and dtype. For a kernel the shape is
/// `filter_shape ++ [input_size, output_size]`, for a bias `[output_size]`.
using Initializer = std::function<Tensor(const Dims& shape, DType dtype)>;

/// Seeded initialisers give the same values on every machine and run for the same seed, shape and
/// dtype (counter-based: element i depends on the seed and i only).
namespace initializers {

Initializer zeros();
Initializer ones();
Initializer constant(double value);
/// Uniform on [low, high). @throws Error kInvalidArgument unless both are finite and low <= high.
Initializer uniform(double low = -0.05, double high = 0.05, std::uint64_t seed = 0);
/// @throws Error kInvalidArgument unless mean is finite and stddev is finite and at least 0.
Initializer normal(double mean = 0, double stddev = 0.05, std::uint64_t seed = 0);
/// Normal, redrawn beyond two standard deviations. @throws as normal.
Initializer truncated_normal(double mean = 0, double stddev = 0.05, std::uint64_t seed = 0);

/// How many inputs and outputs a kernel's element connects.
/// kKernelShape: over `filter_shape ++ [input_size, output_size]`, as Keras: fan_in =
/// prod(filter_shape) * input_size, fan_out = prod(filter_shape) * output_size. (A shape of one
/// axis counts as both fans.)
/// kTfp2d: over TFP 0.25's 2-D variable `[prod(filter_shape) * input_size, output_size]`: fan_in is
/// the same, fan_out = output_size.
enum class Fans { kKernelShape, kTfp2d };

/// Variance scaling (Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998), as
/// tf.keras.initializers: limit sqrt(3 scale / fan) for uniform; truncated normal with standard
/// deviation sqrt(scale / fan) / 0.87962566103423978 for normal; fan is the mean of both fans for
/// glorot (scale 1), fan_in for he (scale 2) and lecun (scale 1).
Initializer glorot_uniform(std::uint64_t seed = 0, Fans fans = Fans::kKernelShape);
Initializer glorot_normal(std::uint64_t seed = 0, Fans fans = Fans::kKernelShape);
Initializer he_uniform(std::uint64_t seed = 0, Fans fans = Fans::kKernelShape);
Initializer he_normal(std::uint64_t seed = 0, Fans fans = Fans::kKernelShape);
Initializer lecun_uniform(std::uint64_t seed = 0, Fans fans = Fans::kKernelShape);
Initializer lecun_normal(std::uint64_t seed = 0, Fans fans = Fans::kKernelShape);

/// Up-sampling by `strides` (one entry per spatial axis): channel c of the output is channel c of
/// the input, enlarged. The kernel must have input_size == output_size; it is separable, and zero
/// between different channels. With SAME padding the result is the half-pixel-centred resize (as in
/// Pillow, OpenCV and tf.image): taps sit at their distance from the centre of the filter, or from
/// half a tap before it where filter - stride is odd, because SAME then crops one element more at
/// the end. Any filter length works; a short one cuts the support. The length that holds all of it
/// is s for nearest, 2s for bilinear, 4s for bicubic and 2 * lobes * s for lanczos; for odd s the
/// last tap of the latter three is 0 and may be left out. Each phase is scaled so that its taps sum
/// to 1: a constant image stays constant away from the border.
/// @throws Error kInvalidArgument: at once for a stride or lobes below 1, or an `a` that is not
///         finite; when called for input_size != output_size or a wrong number of strides.
Initializer nearest(const Dims& strides);
Initializer bilinear(const Dims& strides);
/// Keys' cubic convolution; a = -0.5 is Catmull-Rom (and Pillow's BICUBIC), -0.75 is OpenCV's.
Initializer bicubic(const Dims& strides, double a = -0.5);
Initializer lanczos(const Dims& strides, int lobes = 3);

/// ICNR (Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution"): every phase of
/// the output starts with the same values of `base`, so the layer starts as nearest-neighbour
/// up-sampling of a convolution and has no checkerboard. `base` makes a kernel of `filter_shape /
/// strides` taps.
/// @throws Error kInvalidArgument: when called for a filter_shape that is no multiple of strides
///         (then some phases have fewer taps) or a wrong number of strides.
Initializer icnr(const Dims& strides, Initializer base);

}  // namespace initializers
}  // namespace upconv::UPCONV_ABI
