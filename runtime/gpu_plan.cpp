// The GPU's strategy as a Plan: what is copied when, and what the kernel is told.
#include "gpu_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>
#include <vector>

#include "finite.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// The kernel counts elements in 32 bits.
constexpr Index kMostElements = std::numeric_limits<std::int32_t>::max();
/// Blocks of threads along the second and third axis of a grid, on every interface.
constexpr Index kMostBlocks = 65535;
constexpr Index kTile = 64;  ///< channels of a block, and positions (generators/gpu_phases.h)

/// What generators/gpu_conv_transpose.cpp takes per axis, in its order.
struct AxisArguments {
  std::int32_t input, output, filter, stride, offset, first_q, positions, tap_step, input_step,
      inverse;

  explicit AxisArguments(const CallAxis& axis) {
    const auto narrow = [](Index value) { return static_cast<std::int32_t>(value); };
    const AxisPhases& phases = *axis.phases;
    input = narrow(axis.input);
    output = narrow(axis.window.output);
    filter = narrow(phases.filter());
    stride = narrow(phases.stride());
    offset = narrow(axis.window.offset);
    first_q = narrow(axis.q_begin());
    positions = narrow(axis.q_end() - axis.q_begin());
    tap_step = narrow(phases.tap_step());
    input_step = narrow(phases.input_step());
    // Residue d of the stride is that of tap 1: its first tap is 1, or 0 where that is all there
    // is.
    inverse = 0;
    while (tap_step > 1 && Index{inverse} * input_step % tap_step != 1) ++inverse;
  }
};

/// A tensor of a call, dense: the call's own memory, or a copy.
class DenseInput {
 public:
  DenseInput(const Call& call, const std::byte* data, const Index (&strides)[3],
             const Index(BatchAxis::*batch), const Index (&extents)[3], Index channels) {
    Dims shape, steps;
    const auto add = [&](Index extent, Index step) {
      if (extent == 1) return;
      shape.push_back(extent);
      steps.push_back(step);
    };
    for (std::size_t axis = 0; axis < call.batch_axes; ++axis) {
      add(call.batch[axis].extent, call.batch[axis].*batch);
    }
    for (int axis = 0; axis < 3; ++axis) add(extents[axis], strides[axis]);
    add(channels, 1);
    values_ = reinterpret_cast<const float*>(data);
    elements_ = element_count(shape);
    if (steps == c_order_strides(shape)) return;
    copy_ = Tensor::copy_of(ConstTensorView(data, DType::kFloat32, shape, steps));
    values_ = copy_.values<float>().data();
  }
  const float* values() const { return values_; }
  Index elements() const { return elements_; }

 private:
  const float* values_;
  Index elements_;
  Tensor copy_;
};

/// Copies y, which is dense on the device, to where the call wants it.
void copy_out(const Gpu& gpu, const GpuArray& y, const Call& call, const Index (&extents)[3],
              Index channels) {
  float* const to = reinterpret_cast<float*>(call.y);
  // Steps of a dense y; a tensor of one pixel has any.
  Index row = channels;
  bool dense = call.batch_axes <= 1;
  for (int axis = 2; axis >= 0; --axis) {
    dense = dense && (extents[axis] == 1 || call.y_strides[axis] == row);
    row *= extents[axis];
  }
  if (dense && (call.batch_axes == 0 || call.batch[0].y == row)) return y.copy_to(gpu, to);

  Tensor copy(DType::kFloat32, {y.elements()});
  y.copy_to(gpu, copy.values<float>().data());
  const float* from = copy.values<float>().data();
  for (Index n = 0; n < call.batch_count(); ++n) {
    float* const image = to + call.image(n).y;
    for (Index d = 0; d < extents[0]; ++d) {
      for (Index h = 0; h < extents[1]; ++h) {
        for (Index w = 0; w < extents[2]; ++w, from += channels) {
          std::copy_n(
              from, channels,
              image + d * call.y_strides[0] + h * call.y_strides[1] + w * call.y_strides[2]);
        }
      }
    }
  }
}

GpuArray copy_bias(const Gpu& gpu, const Tensor* bias, Index channels) {
  if (bias != nullptr) return GpuArray::copy_of(gpu, bias->values<float>().data(), channels);
  const std::vector<float> zeros(static_cast<std::size_t>(channels));
  return GpuArray::copy_of(gpu, zeros.data(), channels);
}

/// @throws Error kLimitExceeded
void require_at_most(const LayerFacts& facts, const char* what, double value, Index most) {
  if (value <= static_cast<double>(most)) return;
  char text[160];
  std::snprintf(text, sizeof text, ": %s are %.0f; on a GPU they must be at most %lld", what, value,
                static_cast<long long>(most));
  throw Error(ErrorKind::kLimitExceeded, facts.label + text);
}

}  // namespace

GpuPlan::GpuPlan(const LayerFacts& facts, Gpu gpu, std::shared_ptr<const GpuArray> weights,
                 const Tensor* bias)
    : facts_(facts),
      gpu_(std::move(gpu)),
      weights_(std::move(weights)),
      bias_(copy_bias(gpu_, bias, facts.output_size)) {}

const char* GpuPlan::charge(Bill&, const CallAxis (&)[3], Index) const { return "gpu_float32"; }

std::shared_ptr<const Plan> GpuPlan::with_bias(const Tensor* bias) const {
  return std::make_shared<GpuPlan>(facts_, gpu_, weights_, bias);
}

std::size_t GpuPlan::packed_bytes() const {
  return static_cast<std::size_t>(weights_->elements() + bias_.elements()) * sizeof(float);
}

void GpuPlan::check(const Call& call) const {
  double inputs = static_cast<double>(call.batch_count()), outputs = inputs, positions = inputs;
  double phases = 1, reach = 0;
  for (const CallAxis& axis : call.axes) {
    inputs *= static_cast<double>(axis.input);
    outputs *= static_cast<double>(axis.window.output);
    positions *= static_cast<double>(axis.q_end() - axis.q_begin());
    phases *= static_cast<double>(axis.phases->stride());
    // All that a position or a tap may be, in elements of an axis.
    const double taps =
        static_cast<double>(axis.phases->filter()) * static_cast<double>(axis.phases->dilation());
    reach = std::max(reach, taps + static_cast<double>(axis.phases->stride()) +
                                std::fabs(static_cast<double>(axis.window.offset)) +
                                static_cast<double>(axis.window.output));
  }
  require_at_most(facts_, "elements of the input", inputs * static_cast<double>(facts_.input_size),
                  kMostElements);
  require_at_most(facts_, "elements of the output",
                  outputs * static_cast<double>(facts_.output_size), kMostElements);
  require_at_most(facts_, "positions of a phase", positions, kMostElements - kTile);
  require_at_most(facts_, "phases (the product of strides)", phases, kMostBlocks);
  require_at_most(facts_, "the lengths and the reach of an axis", reach, kMostElements / 4);
}

void GpuPlan::run(const Call& call, int, Executor*, std::span<std::byte>) const {
  Index inputs[3], outputs[3];
  for (int axis = 0; axis < 3; ++axis) {
    inputs[axis] = call.axes[axis].input;
    outputs[axis] = call.axes[axis].window.output;
  }
  const auto to_device = [&](const DenseInput& from) {
    return GpuArray::copy_of(gpu_, from.values(), from.elements());
  };
  const GpuArray x =
      to_device(DenseInput(call, call.x, call.x_strides, &BatchAxis::x, inputs, facts_.input_size));
  std::optional<GpuArray> residual;
  if (call.residual != nullptr) {
    residual.emplace(to_device(DenseInput(call, call.residual, call.residual_strides,
                                          &BatchAxis::residual, outputs, facts_.output_size)));
  }
  const Index pixels = call.batch_count() * outputs[0] * outputs[1] * outputs[2];
  const GpuArray y(gpu_, pixels * facts_.output_size);
  launch(call, x, residual ? &*residual : nullptr, y);
  copy_out(gpu_, y, call, outputs, facts_.output_size);
}

void GpuPlan::launch(const Call& call, const GpuArray& x, const GpuArray* residual,
                     const GpuArray& y) const {
  const AxisArguments axes[3] = {AxisArguments(call.axes[0]), AxisArguments(call.axes[1]),
                                 AxisArguments(call.axes[2])};
  const Activation& activation = call.activation;
  const bool clamp = activation.is_clamp();
  const float infinity = std::numeric_limits<float>::infinity();
  const float min = clamp ? static_cast<float>(activation.min()) : -infinity;
  const float max = clamp ? static_cast<float>(activation.max()) : infinity;
  const auto narrow = [](Index value) { return static_cast<std::int32_t>(value); };
  const std::int32_t sizes[] = {narrow(call.batch_count()), narrow(facts_.input_size),
                                narrow(facts_.output_size),
                                residual != nullptr ? narrow(y.elements()) : 0};
  halide_buffer_t buffers[] = {x.argument(), weights_->argument(), bias_.argument(),
                               (residual != nullptr ? *residual : y).argument()};
  halide_buffer_t out = y.argument();

  // In the order of generators/gpu_conv_transpose.cpp.
  std::vector<const void*> arguments;
  for (const halide_buffer_t& buffer : buffers) arguments.push_back(&buffer);
  for (const std::int32_t& size : sizes) arguments.push_back(&size);
  using Member = std::int32_t AxisArguments::*;
  for (const Member member :
       {&AxisArguments::input, &AxisArguments::output, &AxisArguments::filter,
        &AxisArguments::stride, &AxisArguments::offset, &AxisArguments::first_q,
        &AxisArguments::positions, &AxisArguments::tap_step, &AxisArguments::input_step,
        &AxisArguments::inverse}) {
    for (const AxisArguments& axis : axes) arguments.push_back(&(axis.*member));
  }
  arguments.insert(arguments.end(), {&min, &max, &out});
  gpu_.run(gpu_.api->conv_transpose, arguments);

  if (clamp) return;
  const auto& activations = gpu_.api->activations;
  const auto epilogue =
      std::find_if(activations.begin(), activations.end(),
                   [&](const GpuActivation& row) { return row.kind == activation.kind(); });
  const float p0 = static_cast<float>(activation.alpha()), p1 = 0;
  halide_buffer_t in = y.argument();
  gpu_.run(epilogue->kernel, std::array<const void*, 4>{&in, &p0, &p1, &out});
}

std::optional<KernelCost> gpu_cost(const LayerFacts& facts, const CallAxis (&)[3], Index) {
  require_gpu(facts.device, facts.label);
  if (facts.dtype != DType::kFloat32) {
    throw Error(ErrorKind::kUnsupported, facts.label + ": dtype is " +
                                             std::string(to_string(facts.dtype)) +
                                             "; on a GPU it must be float32");
  }
  return KernelCost{"gpu_float32", 1};
}

std::shared_ptr<const Plan> gpu_pack(const LayerFacts& facts, const Tensor& kernel,
                                     const Tensor* bias) {
  require_at_most(facts, "elements of the kernel", static_cast<double>(kernel.size()),
                  kMostElements);
  require_at_most(facts, "blocks of output channels",
                  std::ceil(static_cast<double>(facts.output_size) / kTile), kMostBlocks);
  if (!all_finite(kernel)) {
    throw Error(ErrorKind::kUnsupported, facts.label +
                                             ": the kernel has values that are not finite; on a "
                                             "GPU they would reach outputs that do not see them");
  }
  const Gpu gpu{&require_gpu(facts.device, facts.label), facts.label};
  auto weights = std::make_shared<const GpuArray>(
      GpuArray::copy_of(gpu, kernel.values<float>().data(), kernel.size()));
  return std::make_shared<GpuPlan>(facts, gpu, std::move(weights), bias);
}

}  // namespace upconv::UPCONV_ABI::internal
