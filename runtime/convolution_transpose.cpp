#include "upconv/convolution_transpose.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "call.h"
#include "options.h"
#include "strategy.h"
#include "upconv/error.h"
#include "weights.h"

namespace upconv {

using internal::Call;
using internal::CallAxis;
using internal::CallShape;
using internal::CheckedOptions;
using internal::LayerFacts;
using internal::Plan;

namespace {

LayerFacts facts_for(const CheckedOptions& checked, Isa isa) {
  LayerFacts facts;
  const std::size_t rank = static_cast<std::size_t>(checked.options.rank);
  for (std::size_t a = 0; a < rank; ++a) {
    const Axis& axis = checked.axes[a];
    facts.axes[3 - rank + a] = internal::AxisPhases(axis.filter, axis.stride, axis.dilation);
  }
  facts.input_size = checked.options.input_size;
  facts.output_size = checked.options.output_size;
  facts.dtype = checked.options.dtype;
  facts.isa = isa;
  facts.label = checked.label;
  return facts;
}

std::shared_ptr<const Plan> pack(const LayerFacts& facts, const Tensor& kernel,
                                 const Tensor* bias) {
  return internal::choose_strategy(facts).pack(facts, kernel, bias);
}

void require_runnable(const std::string& what, Isa isa) {
  const std::vector<Isa>& runnable = runnable_isas();
  if (std::find(runnable.begin(), runnable.end(), isa) != runnable.end()) return;
  std::string list;
  for (const Isa other : runnable) {
    list += (list.empty() ? "" : ", ") + std::string(to_string(other));
  }
  throw Error(ErrorKind::kUnsupported,
              what + ": isa is " + std::string(to_string(isa)) + "; this machine runs " + list);
}

/// The stride of an axis, or 0 where nothing is a step away: such a stride may be any number, too
/// large for arithmetic.
Index used_stride(const ConstTensorView& view, std::size_t axis) {
  return view.shape()[axis] > 1 && element_count(view.shape()) > 0 ? view.strides()[axis] : 0;
}

/// Strides of a view's spatial axes, in the slots of a call (d, h, w).
void spatial_strides(const ConstTensorView& view, std::size_t rank, Index (&out)[3]) {
  const std::size_t first = view.shape().size() - rank - 1;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    out[3 - rank + axis] = used_stride(view, first + axis);
  }
}

/// Batch axes of extent above 1; neighbours that all views step through evenly become one.
void batch_axes(Call& call, const ConstTensorView& x, const ConstTensorView& y,
                const ConstTensorView* residual, std::size_t count) {
  for (std::size_t axis = 0; axis < count; ++axis) {
    const Index extent = x.shape()[axis];
    if (extent == 1) continue;
    const internal::BatchAxis next{extent, used_stride(x, axis), used_stride(y, axis),
                                   residual != nullptr ? used_stride(*residual, axis) : 0};
    if (call.batch_axes > 0) {
      internal::BatchAxis& last = call.batch[call.batch_axes - 1];
      if (last.x == next.x * extent && last.y == next.y * extent &&
          last.residual == next.residual * extent) {
        last = {last.extent * extent, next.x, next.y, next.residual};
        continue;
      }
    }
    call.batch[call.batch_axes++] = next;
  }
}

/// More threads than this would only wait for each other.
constexpr int kMostThreads = 256;

/// Threads for one call only: started and joined by it.
class OwnThreads final : public Executor {
 public:
  void run(int count, const std::function<void(int)>& task) override {
    ThreadPool(count).run(count, task);
  }
};

}  // namespace

KernelBias make_kernel_bias(const Dims& kernel_shape, const std::optional<Dims>& bias_shape,
                            const Initializer& init_kernel_fn, const Initializer& init_bias_fn,
                            DType dtype) {
  const auto require_callable = [](const Initializer& function, const char* name) {
    if (function) return;
    throw Error(ErrorKind::kInvalidArgument,
                std::string(name) + " is an empty function; it must be callable");
  };
  require_callable(init_kernel_fn, "init_kernel_fn");
  KernelBias made{.kernel = init_kernel_fn(kernel_shape, dtype), .bias = {}};
  if (bias_shape) {
    require_callable(init_bias_fn, "init_bias_fn");
    made.bias = init_bias_fn(*bias_shape, dtype);
  }
  return made;
}

/// Options, variables and packed weights. The packed weights are immutable and shared: a call keeps
/// those it started with, and a copy of the layer starts with the same.
struct ConvolutionTranspose::State {
  CheckedOptions checked;
  std::optional<Variable> kernel_variable;  // none once dropped
  std::optional<Variable> bias_variable;    // none for a layer without bias
  std::shared_ptr<const Plan> packed;       // for the layer's own ISA

  // At most one more format, for calls that name another ISA.
  mutable std::mutex other_lock;
  mutable std::shared_ptr<const Plan> other;

  State() = default;
  State(const State& from)
      : checked(from.checked),
        kernel_variable(from.kernel_variable),
        bias_variable(from.bias_variable),
        packed(from.packed) {
    const std::lock_guard guard(from.other_lock);
    other = from.other;
  }

  bool has_bias() const { return checked.options.use_bias; }
  const Tensor* kernel() const { return kernel_variable ? &kernel_variable->value() : nullptr; }
  const Tensor* bias() const { return bias_variable ? &bias_variable->value() : nullptr; }

  std::shared_ptr<const Plan> packed_for(std::optional<Isa> isa) const {
    if (!isa || *isa == packed->facts().isa) return packed;
    require_runnable(checked.label, *isa);
    const std::lock_guard guard(other_lock);
    if (other == nullptr || other->facts().isa != *isa) {
      if (kernel() == nullptr) {
        throw Error(ErrorKind::kUnsupported,
                    checked.label + ": isa is " + std::string(to_string(*isa)) +
                        "; the layer is packed for " + std::string(to_string(packed->facts().isa)) +
                        " and its kernel was dropped");
      }
      other = pack(facts_for(checked, *isa), *kernel(), bias());
    }
    return other;
  }
};

namespace {

void require_shape(const std::string& what, const Tensor& value, const Dims& shape, DType dtype) {
  if (value.shape() == shape && value.dtype() == dtype) return;
  throw Error(ErrorKind::kShapeMismatch, what + " is " + std::string(to_string(value.dtype())) +
                                             " of shape " + to_string(value.shape()) +
                                             "; it must be " + std::string(to_string(dtype)) +
                                             " of shape " + to_string(shape));
}

}  // namespace

ConvolutionTranspose::ConvolutionTranspose(ConvolutionTransposeOptions options)
    : Layer(options.name), state_(std::make_unique<State>()) {
  State& state = *state_;
  state.checked = internal::check_options(std::move(options));
  const ConvolutionTransposeOptions& checked = state.checked.options;
  const Isa isa = checked.isa ? *checked.isa : default_isa();
  require_runnable(state.checked.label, isa);
  if (checked.expected_input_shape) {
    internal::check_input_shape(state.checked, *checked.expected_input_shape);
  }
  if (!checked.make_kernel_bias_fn) {
    throw Error(
        ErrorKind::kInvalidArgument,
        state.checked.label + ": make_kernel_bias_fn is an empty function; it must be callable");
  }
  const LayerFacts facts = facts_for(state.checked, isa);
  internal::choose_strategy(facts);  // refuse before the initialisers run

  std::optional<Dims> bias_shape;
  if (checked.use_bias) bias_shape = state.checked.bias_shape;
  KernelBias made =
      checked.make_kernel_bias_fn(state.checked.kernel_shape, bias_shape, checked.init_kernel_fn,
                                  checked.init_bias_fn, checked.dtype);
  const std::string& what = state.checked.label;
  require_shape(what + ": initial kernel", made.kernel, state.checked.kernel_shape, checked.dtype);
  state.kernel_variable.emplace("kernel", std::move(made.kernel));
  if (checked.use_bias) {
    if (!made.bias) {
      throw Error(ErrorKind::kShapeMismatch,
                  what + ": make_kernel_bias_fn made no bias; use_bias is true");
    }
    require_shape(what + ": initial bias", *made.bias, state.checked.bias_shape, checked.dtype);
    state.bias_variable.emplace("bias", std::move(*made.bias));
  }
  state.packed = pack(facts, *state.kernel(), state.bias());
  adopt_variables();
}

void ConvolutionTranspose::adopt_variables() {
  for (std::optional<Variable>* variable : {&state_->kernel_variable, &state_->bias_variable}) {
    if (*variable) adopt(**variable);
  }
}

ConvolutionTranspose::ConvolutionTranspose(const ConvolutionTranspose& other)
    : Layer(other), state_(std::make_unique<State>(other.state())) {
  adopt_variables();
}

ConvolutionTranspose& ConvolutionTranspose::operator=(const ConvolutionTranspose& other) {
  return *this = ConvolutionTranspose(other);
}

ConvolutionTranspose::ConvolutionTranspose(ConvolutionTranspose&& other) noexcept
    : Layer(std::move(other)), state_(std::move(other.state_)) {
  if (state_ == nullptr) return;  // `other` was moved from before
  adopt_variables();
}

ConvolutionTranspose& ConvolutionTranspose::operator=(ConvolutionTranspose&& other) noexcept {
  if (this == &other) return *this;
  state_ = std::move(other.state_);
  Layer::operator=(std::move(other));
  if (state_ == nullptr) return *this;  // `other` was moved from before
  adopt_variables();
  return *this;
}

ConvolutionTranspose::~ConvolutionTranspose() = default;

ConvolutionTranspose::State& ConvolutionTranspose::state() const {
  if (state_ == nullptr) {
    throw Error(ErrorKind::kUnsupported,
                internal::label(name()) + ": the layer was moved from; assign another to use it");
  }
  return *state_;
}

const ConvolutionTransposeOptions& ConvolutionTranspose::options() const {
  return state().checked.options;
}

const Variable& ConvolutionTranspose::kernel() const {
  if (!state().kernel_variable) {
    throw Error(ErrorKind::kUnsupported,
                state().checked.label + ": the kernel was dropped; only packed weights are left");
  }
  return *state().kernel_variable;
}

Variable& ConvolutionTranspose::kernel() {
  return const_cast<Variable&>(std::as_const(*this).kernel());
}

const Variable& ConvolutionTranspose::bias() const {
  if (!has_bias()) {
    throw Error(ErrorKind::kUnsupported,
                state().checked.label + ": the layer has no bias; use_bias is false");
  }
  return *state().bias_variable;
}

Variable& ConvolutionTranspose::bias() {
  return const_cast<Variable&>(std::as_const(*this).bias());
}

bool ConvolutionTranspose::has_bias() const { return state().has_bias(); }

void ConvolutionTranspose::drop_kernel() { state().kernel_variable.reset(); }

std::vector<Variable*> ConvolutionTranspose::own_variables() {
  // TFP's order, which its files have: the bias first.
  std::vector<Variable*> own;
  for (std::optional<Variable>* variable : {&state().bias_variable, &state().kernel_variable}) {
    if (*variable) own.push_back(&**variable);
  }
  return own;
}

void ConvolutionTranspose::before_save() const { kernel(); }

void ConvolutionTranspose::before_assign(const Variable& variable, const Tensor& value) {
  State& state = this->state();
  if (!state.kernel_variable) {
    throw Error(ErrorKind::kUnsupported,
                state.checked.label + ": " + variable.name() +
                    " cannot be assigned; the kernel was dropped and cannot be packed again");
  }
  const bool is_kernel = &variable == &*state.kernel_variable;
  state.packed = pack(state.packed->facts(), is_kernel ? value : *state.kernel(),
                      is_kernel ? state.bias() : &value);
  const std::lock_guard guard(state.other_lock);
  state.other.reset();
}

Tensor ConvolutionTranspose::operator()(const ConstTensorView& x,
                                        const CallOptions& options) const {
  Tensor y(dtype(), output_shape(x.shape()));
  (*this)(x, y.view(), options);
  return y;
}

void ConvolutionTranspose::operator()(const ConstTensorView& x, const TensorView& y,
                                      const CallOptions& options) const {
  const CheckedOptions& checked = state().checked;
  const CallShape shape = internal::check_input_shape(checked, x.shape());
  internal::check_tensor(checked, x, "input");
  internal::check_output(checked, y, shape.output);
  internal::check_no_overlap(checked.label, y, "output", x, "input");
  if (options.threads < 1) {
    throw Error(ErrorKind::kInvalidArgument, checked.label + ": threads is " +
                                                 std::to_string(options.threads) +
                                                 "; it must be at least 1");
  }
  if (options.residual != nullptr) {
    if (!(options.residual->shape() == shape.output)) {
      throw Error(ErrorKind::kShapeMismatch,
                  checked.label + ": residual has shape " + to_string(options.residual->shape()) +
                      "; it must be the output's, " + to_string(shape.output));
    }
    internal::check_tensor(checked, *options.residual, "residual");
    internal::check_no_overlap(checked.label, y, "output", *options.residual, "residual");
  }

  const std::shared_ptr<const Plan> packed = state().packed_for(options.isa);
  const std::size_t rank = static_cast<std::size_t>(checked.options.rank);

  // Kernels walk contiguous channels; other inputs are copied once.
  Tensor x_copy, residual_copy;
  ConstTensorView x_view = x, residual_view;
  if (x.shape().back() > 1 && x.strides().back() != 1) {
    x_copy = Tensor::copy_of(x);
    x_view = x_copy;
  }
  Call call;
  call.dtype = checked.options.dtype;
  call.activation = checked.options.activation_fn;
  if (options.residual != nullptr) {
    residual_view = *options.residual;
    if (residual_view.shape().back() > 1 && residual_view.strides().back() != 1) {
      residual_copy = Tensor::copy_of(residual_view);
      residual_view = residual_copy;
    }
    spatial_strides(residual_view, rank, call.residual_strides);
    call.residual = static_cast<const std::byte*>(residual_view.data());
  }
  const bool callable = call.activation.kind() == ActivationKind::kCallable;
  if (callable) call.activation = Activation::linear();
  spatial_strides(x_view, rank, call.x_strides);
  spatial_strides(y, rank, call.y_strides);
  batch_axes(call, x_view, y, call.residual != nullptr ? &residual_view : nullptr,
             shape.output.size() - rank - 1);
  call.x = static_cast<const std::byte*>(x_view.data());
  call.y = static_cast<std::byte*>(y.data());
  for (std::size_t slot = 0; slot < 3; ++slot) {
    call.axes[slot] = {&packed->facts().axes[slot], shape.inputs[slot], shape.windows[slot]};
  }
  packed->check(call);

  const int threads = std::min(options.threads, kMostThreads);
  const std::size_t wanted = packed->scratch_bytes_per_thread() * static_cast<std::size_t>(threads);
  std::span<std::byte> scratch = options.scratch;
  Tensor own_scratch;
  if (scratch.empty()) {
    own_scratch = Tensor(DType::kFloat64, {static_cast<Index>(wanted / sizeof(double))});
    scratch = {static_cast<std::byte*>(own_scratch.data()), wanted};
  } else if (scratch.size() < wanted || reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) {
    throw Error(ErrorKind::kInvalidArgument,
                checked.label + ": scratch is " + std::to_string(scratch.size()) +
                    " bytes; it must be " + std::to_string(wanted) + " or more, 64-byte aligned");
  }
  OwnThreads own_threads;
  packed->run(call, threads, options.executor ? options.executor : &own_threads, scratch);
  if (callable && element_count(shape.output) > 0) checked.options.activation_fn.function()(y);
}

Dims ConvolutionTranspose::output_shape(const Dims& input_shape) const {
  return internal::check_input_shape(state().checked, input_shape).output;
}

std::size_t ConvolutionTranspose::scratch_bytes(const Dims& input_shape, int threads) const {
  internal::check_input_shape(state().checked, input_shape);
  return state().packed->scratch_bytes_per_thread() *
         static_cast<std::size_t>(std::clamp(threads, 1, kMostThreads));
}

std::size_t ConvolutionTranspose::packed_bytes() const {
  const std::lock_guard guard(state().other_lock);
  return state().packed->packed_bytes() +
         (state().other != nullptr ? state().other->packed_bytes() : 0);
}

KernelChoice ConvolutionTranspose::kernel_choice(const Dims& input_shape,
                                                 std::optional<Isa> isa) const {
  internal::check_input_shape(state().checked, input_shape);
  const LayerFacts facts = facts_for(state().checked, isa.value_or(state().packed->facts().isa));
  const internal::Strategy& strategy = internal::choose_strategy(facts);
  return {strategy.kernel(facts), strategy.name, facts.isa};
}

void ConvolutionTranspose::save(const std::filesystem::path& path, bool kernel_2d) const {
  std::optional<ConstTensorView> bias_view;
  if (has_bias()) bias_view = bias().value().view();
  internal::save_kernel_bias(path, bias_view, kernel().value().view(), kernel_2d);
}

void ConvolutionTranspose::load(const std::filesystem::path& path) {
  State& state = this->state();
  KernelBias read = internal::load_kernel_bias(path, state.checked.kernel_shape, has_bias(),
                                               dtype(), state.checked.label);
  auto packed = pack(state.packed->facts(), read.kernel, read.bias ? &*read.bias : nullptr);
  // Nothing below throws: the layer changes as a whole or not at all. The variables stay where they
  // are, so that references to them stay valid.
  state.kernel_variable.emplace("kernel", std::move(read.kernel));
  if (read.bias) state.bias_variable.emplace("bias", std::move(*read.bias));
  adopt_variables();
  state.packed = std::move(packed);
  const std::lock_guard guard(state.other_lock);
  state.other.reset();
}

std::unique_ptr<Layer> ConvolutionTranspose::clone() const {
  return std::make_unique<ConvolutionTranspose>(*this);
}
std::unique_ptr<Layer> ConvolutionTranspose1D::clone() const {
  return std::make_unique<ConvolutionTranspose1D>(*this);
}
std::unique_ptr<Layer> ConvolutionTranspose2D::clone() const {
  return std::make_unique<ConvolutionTranspose2D>(*this);
}
std::unique_ptr<Layer> ConvolutionTranspose3D::clone() const {
  return std::make_unique<ConvolutionTranspose3D>(*this);
}

namespace {

ConvolutionTransposeOptions with_rank(ConvolutionTransposeOptions options, int rank) {
  constexpr int kDefault = 2;  // what an absent `rank` reads as
  if (options.rank != rank && options.rank != kDefault) {
    throw Error(ErrorKind::kInvalidArgument, internal::label(options.name) + ": rank is " +
                                                 std::to_string(options.rank) +
                                                 "; ConvolutionTranspose" + std::to_string(rank) +
                                                 "D has rank " + std::to_string(rank));
  }
  options.rank = rank;
  return options;
}

}  // namespace

ConvolutionTranspose1D::ConvolutionTranspose1D(ConvolutionTransposeOptions options)
    : ConvolutionTranspose(with_rank(std::move(options), 1)) {}
ConvolutionTranspose2D::ConvolutionTranspose2D(ConvolutionTransposeOptions options)
    : ConvolutionTranspose(with_rank(std::move(options), 2)) {}
ConvolutionTranspose3D::ConvolutionTranspose3D(ConvolutionTransposeOptions options)
    : ConvolutionTranspose(with_rank(std::move(options), 3)) {}

}  // namespace upconv
