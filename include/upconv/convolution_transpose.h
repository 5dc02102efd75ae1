// ConvolutionTranspose: the layer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "upconv/activation.h"
#include "upconv/arithmetic.h"
#include "upconv/device.h"
#include "upconv/initializers.h"
#include "upconv/kernel_order.h"
#include "upconv/module.h"
#include "upconv/shape.h"
#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

namespace internal {
struct CallShape;
}  // namespace internal

/// A layer's first kernel and bias.
struct KernelBias {
  Tensor kernel;               ///< `filter_shape ++ [input_size, output_size]`
  std::optional<Tensor> bias;  ///< `[output_size]`; none for a layer without bias
};

/// Makes both at once. As tfp.experimental.nn.util.make_kernel_bias.
using MakeKernelBias = std::function<KernelBias(
    const Dims& kernel_shape, const std::optional<Dims>& bias_shape,
    const Initializer& init_kernel_fn, const Initializer& init_bias_fn, DType dtype)>;

/// Calls init_kernel_fn and, when there is a bias shape, init_bias_fn.
KernelBias make_kernel_bias(const Dims& kernel_shape, const std::optional<Dims>& bias_shape,
                            const Initializer& init_kernel_fn, const Initializer& init_bias_fn,
                            DType dtype);

/// Arguments of ConvolutionTranspose, by name:
///
///   ConvolutionTranspose up({.input_size = 64, .output_size = 32, .filter_shape = 4,
///                            .strides = 2, .padding = "SAME", .activation_fn = "relu"});
struct ConvolutionTransposeOptions {
  /// Channels of the input; required, at least 1.
  Index input_size = 0;
  /// Channels of the output; required, at least 1.
  Index output_size = 0;
  /// Taps per spatial axis (Keras' kernel_size); required, at least 1.
  PerAxis filter_shape = 0;
  /// Number of spatial axes: 1, 2 or 3.
  int rank = 2;
  /// Output steps per input step, at least 1.
  PerAxis strides = 1;
  /// "VALID", "SAME" (any case) or [begin, end] crops per axis; "SPLIT_UPPER" and "SPLIT_LOWER"
  /// crop to output_lengths. See shape.h.
  Padding padding = "VALID";
  /// Output steps between taps, at least 1. May be combined with strides.
  PerAxis dilations = 1;
  /// Extra output length at the end; absent: inferred. Below the stride with VALID and SAME, below
  /// max(stride, dilation) with explicit padding.
  std::optional<PerAxis> output_padding = {};
  /// Output lengths of the spatial axes in every call that does not ask for others
  /// (CallOptions::output_lengths), in the place of output_padding; absent: inferred.
  std::optional<PerAxis> output_lengths = {};
  Initializer init_kernel_fn = initializers::glorot_uniform();
  Initializer init_bias_fn = initializers::zeros();
  MakeKernelBias make_kernel_bias_fn = make_kernel_bias;
  DType dtype = DType::kFloat32;
  Activation activation_fn = {};
  std::string name = "ConvolutionTranspose";
  /// False for a layer without bias.
  bool use_bias = true;
  /// Fast algorithms where they pay, or one fixed order of summation; see arithmetic.h.
  Arithmetic arithmetic = Arithmetic::kFast;
  /// Where the layer computes. On a GPU (docs/gpu.md) weights are copied there when they are set,
  /// input and output in every call; dtype must be float32.
  Device device = Device::kCpu;
  /// The instruction set to pack for; absent: default_isa(). Only for kCpu.
  std::optional<Isa> isa = {};
  /// An input shape to expect: checked at once, and what the strategies to pack for are chosen by
  /// (absent: 1024 positions at rank 1, 64 per axis at rank 2, 32 at rank 3). Calls of other shapes
  /// are as exact, if not as fast.
  std::optional<Dims> expected_input_shape = {};
  /// Where packed weights are kept; null: the C library's heap. Copies of the layer share it, from
  /// any thread that packs or drops weights; it must outlive them all.
  std::pmr::memory_resource* memory = nullptr;
};

/// Which arrays of a file are a layer's weights.
struct WeightNames {
  std::string kernel;
  std::string bias = {};  ///< empty for a layer without bias
  /// Whose order the kernel's axes are in; absent: ours.
  std::optional<Convention> order = {};
};

/// What a call would run.
struct KernelChoice {
  std::string kernel;     ///< the row of the kernel table, as in kernel_infos()
  std::string strategy;   ///< "wide", "narrow", "winograd" or "scatter"; or "gpu"
  Arithmetic arithmetic;  ///< of that strategy
  Isa isa;
  /// Why: the times estimated for the strategies that were weighed, or why there was one only.
  std::string reason;
};

/// Transposed convolution of rank 1, 2 or 3 (see shape.h for the formula), channels-last:
///
///   input   [batch..., spatial..., input_size]     any number of batch axes, none included
///   kernel  filter_shape ++ [input_size, output_size]
///   bias    [output_size]
///   output  [batch..., window..., output_size]
///
/// Spatial axes are (w), (h, w) or (d, h, w). Batch and extents may differ in every call at no
/// cost: weights are packed when they are set, and never again. Results are bitwise equal for every
/// number of threads. Copies are deep; moves are cheap.
class ConvolutionTranspose : public Layer {
 public:
  /// @throws Error kInvalidArgument; the message names the option, its value and the rule.
  explicit ConvolutionTranspose(ConvolutionTransposeOptions options);
  ConvolutionTranspose(const ConvolutionTranspose& other);
  ConvolutionTranspose& operator=(const ConvolutionTranspose& other);
  ConvolutionTranspose(ConvolutionTranspose&& other) noexcept;
  ConvolutionTranspose& operator=(ConvolutionTranspose&& other) noexcept;
  ~ConvolutionTranspose() override;

  /// The options it was made with, filter_shape, strides and dilations expanded to `rank` values.
  const ConvolutionTransposeOptions& options() const;
  DType dtype() const { return options().dtype; }
  const Activation& activation_fn() const { return options().activation_fn; }
  int rank() const { return options().rank; }

  /// The kernel; assign() re-packs. @throws Error kUnsupported after drop_kernel().
  Variable& kernel();
  const Variable& kernel() const;
  /// The bias; assign() packs nothing. @throws Error kUnsupported for a layer without bias.
  Variable& bias();
  const Variable& bias() const;
  bool has_bias() const;
  /// Frees the plain kernel and keeps what is packed: kernel(), save() and calls on another
  /// instruction set are then errors. The bias can still be assigned.
  void drop_kernel();

  using Layer::operator();
  Tensor operator()(const ConstTensorView& x, const CallOptions& options = {}) const override;
  /// Into a view of the output's shape; any strides that keep channels contiguous (a channel slice
  /// of a bigger tensor, for example). The view must not overlap x or the residual.
  void operator()(const ConstTensorView& x, const TensorView& y,
                  const CallOptions& options = {}) const;

  Dims output_shape(const Dims& input_shape) const override;
  /// The same for a call with CallOptions::output_lengths.
  Dims output_shape(const Dims& input_shape, const PerAxis& output_lengths) const;
  /// Bytes of CallOptions::scratch for such a call on an instruction set (absent: the layer's own):
  /// bounded for a layer, whatever the extents (about 5 MiB per thread at most). For an
  /// instruction set that is not the layer's own it packs as a call would.
  std::size_t scratch_bytes(const Dims& input_shape, int threads = 1, std::optional<Isa> isa = {},
                            const std::optional<PerAxis>& output_lengths = {}) const;
  /// Bytes of packed weights held now.
  std::size_t packed_bytes() const;
  /// What a call on this input shape runs, on an instruction set (absent: the layer's own) that may
  /// be one that this machine lacks. For another than the layer's own, finite weights are assumed.
  KernelChoice kernel_choice(const Dims& input_shape, std::optional<Isa> isa = {}) const;

  /// As save(path); kernel_2d writes the kernel as TFP 0.25's C-order variable
  /// [prod(filter_shape) * input_size, output_size].
  void save(const std::filesystem::path& path, bool kernel_2d) const;
  /// A .npz as TFP's; a path that ends in .safetensors names the arrays "bias" and "kernel".
  void save(const std::filesystem::path& path) const override { save(path, false); }
  /// Tells the arrays apart by rank: bias 1; kernel rank + 2, or 2 in TFP 0.25's order. Any order,
  /// any names, float32 or float64 (rounded to dtype()). A .npz, or a path that ends in
  /// .safetensors.
  void load(const std::filesystem::path& path) override;
  /// Takes the arrays of these names; what else the file holds does not matter. Float32 or float64,
  /// rounded to dtype(). On an error nothing has changed.
  /// @throws Error kInvalidArgument for a name that the file has not, listing those it has;
  ///         kShapeMismatch as kernel_from; as read_npz or read_safetensors.
  void load(const std::filesystem::path& path, const WeightNames& names);

  std::unique_ptr<Layer> clone() const override;

 protected:
  std::vector<Variable*> own_variables() override;
  void before_assign(const Variable& variable, const Tensor& value) override;

  void before_save() const override;

 private:
  struct State;
  void adopt_variables();
  void take(KernelBias weights);
  void run(const internal::CallShape& shape, const ConstTensorView& x, const TensorView& y,
           const CallOptions& options) const;
  /// @throws Error kUnsupported when the layer was moved from.
  State& state() const;
  std::unique_ptr<State> state_;
};

/// The layer with its rank fixed. `rank` in the options may be left at its default; any other value
/// than that and the layer's own is an error.
class ConvolutionTranspose1D : public ConvolutionTranspose {
 public:
  explicit ConvolutionTranspose1D(ConvolutionTransposeOptions options);
  std::unique_ptr<Layer> clone() const override;
};
class ConvolutionTranspose2D : public ConvolutionTranspose {
 public:
  explicit ConvolutionTranspose2D(ConvolutionTransposeOptions options);
  std::unique_ptr<Layer> clone() const override;
};
class ConvolutionTranspose3D : public ConvolutionTranspose {
 public:
  explicit ConvolutionTranspose3D(ConvolutionTransposeOptions options);
  std::unique_ptr<Layer> clone() const override;
};

}  // namespace upconv::UPCONV_ABI
