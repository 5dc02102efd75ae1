// Whole calls with any views: a result with the bits of the same data in C order and nothing else
// written, or an Error and nothing written.
#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "bytes.h"
#include "upconv/upconv.h"

using namespace upconv;

namespace {

constexpr Index kArena = 4096;  ///< elements that views lie in

__extension__ using Wide = __int128;

/// A place and strides for a shape, in the arena; nothing when the elements would leave it (then
/// reading them is the caller's fault, and no library can know).
template <typename View>
std::optional<View> view_of(fuzz::Bytes& bytes, std::vector<float>& arena, const Dims& shape) {
  Dims strides = c_order_strides(shape);
  const Index kind = bytes.small(0, 3);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (kind == 1) strides[axis] += bytes.small(0, 3);
    if (kind == 2) strides[axis] = bytes.small(-40, 40);
    if (kind == 3) strides[axis] = bytes.odd();
  }
  const Index begin = bytes.small(0, 255) * 8;
  Wide low = begin, high = begin;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 0) return View(arena.data() + begin, shape, strides);
    const Wide span = Wide{shape[axis] - 1} * strides[axis];
    (span < 0 ? low : high) += span;
  }
  if (low < 0 || high >= kArena) return std::nullopt;
  return View(arena.data() + begin, shape, strides);
}

std::vector<Index> numbers(fuzz::Bytes& bytes, int rank, Index most) {
  std::vector<Index> values;
  values.reserve(3);
  for (int axis = 0; axis < rank; ++axis) values.push_back(bytes.small(1, most));
  return values;
}

ConvolutionTransposeOptions options_of(fuzz::Bytes& bytes, int rank) {
  ConvolutionTransposeOptions options{.input_size = bytes.small(1, 5),
                                      .output_size = bytes.small(1, 40)};
  options.rank = rank;
  options.filter_shape = numbers(bytes, rank, 4);
  options.strides = numbers(bytes, rank, 3);
  options.dilations = numbers(bytes, rank, 3);
  if (bytes.flip()) options.padding = "SAME";
  options.activation_fn = activation_names()[static_cast<std::size_t>(
      bytes.small(0, static_cast<Index>(activation_names().size()) - 1))];
  options.isa = runnable_isas()[static_cast<std::size_t>(
      bytes.small(0, static_cast<Index>(runnable_isas().size()) - 1))];
  return options;
}

/// Whether the bytes of two arrays are the same but for the elements of `view`.
bool same_outside(std::vector<float> a, std::vector<float> b, const TensorView& view,
                  const float* arena) {
  const Tensor zero = Tensor::zeros(DType::kFloat32, view.shape());
  for (Index n = 0; n < zero.size(); ++n) {
    Index rest = n, at = view.data_as<float>() - arena;
    for (std::size_t axis = view.shape().size(); axis-- > 0;) {
      at += rest % view.shape()[axis] * view.strides()[axis];
      rest /= view.shape()[axis];
    }
    a[static_cast<std::size_t>(at)] = b[static_cast<std::size_t>(at)] = 0;
  }
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool same_bits(const ConstTensorView& a, const ConstTensorView& b) {
  const Tensor left = Tensor::copy_of(a), right = Tensor::copy_of(b);
  return left.shape() == right.shape() &&
         (left.size() == 0 ||
          std::memcmp(left.data(), right.data(), static_cast<std::size_t>(left.size()) * 4) == 0);
}

void call(fuzz::Bytes& bytes) {
  const int rank = static_cast<int>(bytes.small(1, 3));
  const ConvolutionTranspose layer(options_of(bytes, rank));
  Dims shape;
  for (Index axis = bytes.small(0, 2); axis-- > 0;) shape.push_back(bytes.small(0, 3));
  for (int axis = 0; axis < rank; ++axis) shape.push_back(bytes.small(0, 5));
  shape.push_back(layer.options().input_size);

  std::vector<float> arena(static_cast<std::size_t>(kArena));
  for (std::size_t i = 0; i < arena.size(); ++i) arena[i] = static_cast<float>(i % 19) - 9;
  std::vector<float> other(arena.size(), 3);
  const auto x = view_of<ConstTensorView>(bytes, arena, shape);
  Dims result = layer.output_shape(shape);
  if (bytes.small(0, 9) == 9) result[result.size() - 1] = bytes.small(0, 50);
  // In the arena of x, where they may overlap, or in its own.
  std::vector<float>& home = bytes.flip() ? arena : other;
  const auto y = view_of<TensorView>(bytes, home, result);
  std::optional<ConstTensorView> residual;
  if (bytes.flip()) residual = view_of<ConstTensorView>(bytes, arena, result);
  if (!x || !y) return;

  const CallOptions call{.threads = static_cast<int>(bytes.small(1, 2)), .residual = residual};
  const std::vector<float> before = home;
  Tensor expected;
  try {
    const Tensor x_copy = Tensor::copy_of(*x);
    CallOptions plain;
    Tensor residual_copy;
    if (residual) {
      residual_copy = Tensor::copy_of(*residual);
      plain.residual = residual_copy.view();
    }
    expected = layer(x_copy, plain);
    layer(*x, *y, call);
  } catch (const Error&) {
    fuzz::require(std::memcmp(home.data(), before.data(), home.size() * sizeof(float)) == 0);
    return;
  }
  fuzz::require(same_bits(*y, expected));
  fuzz::require(same_outside(home, before, *y, home.data()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes bytes(data, size);
  try {
    call(bytes);
  } catch (const Error&) {  // a layer or a shape that is refused
  }
  return 0;
}
