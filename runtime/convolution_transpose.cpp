#include "upconv/convolution_transpose.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "bind.h"
#include "layer_state.h"
#include "options.h"
#include "strategy.h"
#include "units.h"
#include "upconv/error.h"
#include "weights.h"

namespace upconv::UPCONV_ABI {

using internal::CallShape;
using internal::CheckedOptions;
using internal::kMostThreads;
using internal::LayerFacts;
using internal::PackedLayer;
using internal::Plan;

namespace {

/// Threads for one call only: started and joined by it.
class OwnThreads final : public Executor {
 public:
  void run(int count, const std::function<void(int)>& task) override {
    ThreadPool(count).run(count, task);
  }
};

/// What the choice of a plan depends on. Refers to the facts.
struct Extents {
  Extents(const CheckedOptions& checked, const LayerFacts& facts, const Dims& input_shape,
          const std::optional<PerAxis>& output_lengths = {}) {
    internal::bind_axes(axes, facts,
                        internal::check_input_shape(checked, input_shape, output_lengths));
    const std::size_t spatial = static_cast<std::size_t>(checked.options.rank) + 1;
    for (std::size_t axis = 0; axis + spatial < input_shape.size(); ++axis) {
      // Beside an empty axis, others may be of any extent.
      if (__builtin_mul_overflow(batches, input_shape[axis], &batches)) batches = kMostBatches;
    }
  }
  internal::CallAxis axes[3];
  Index batches = 1;

 private:
  static constexpr Index kMostBatches = std::numeric_limits<Index>::max();
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
  internal::require_runnable(state.checked.label, isa);
  if (!checked.make_kernel_bias_fn) {
    throw Error(
        ErrorKind::kInvalidArgument,
        state.checked.label + ": make_kernel_bias_fn is an empty function; it must be callable");
  }
  const LayerFacts facts = layer_facts(state.checked, isa);
  internal::require_kernels(facts);  // refuse before the initialisers run

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
  state.packed = std::make_shared<const PackedLayer>(facts, *state.kernel(), state.bias());
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
    // NOLINTNEXTLINE(bugprone-use-after-move): the base took its own part alone.
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
  if (state.bias_variable && &variable == &*state.bias_variable) {
    state.take_bias(value);
  } else {
    state.take(state.pack(value, state.bias()));
  }
}

Tensor ConvolutionTranspose::operator()(const ConstTensorView& x,
                                        const CallOptions& options) const {
  const CallShape shape =
      internal::check_input_shape(state().checked, x.shape(), options.output_lengths);
  Tensor y(dtype(), shape.output, options.memory);
  run(shape, x, y.view(), options);
  return y;
}

void ConvolutionTranspose::operator()(const ConstTensorView& x, const TensorView& y,
                                      const CallOptions& options) const {
  run(internal::check_input_shape(state().checked, x.shape(), options.output_lengths), x, y,
      options);
}

void ConvolutionTranspose::run(const CallShape& shape, const ConstTensorView& x,
                               const TensorView& y, const CallOptions& options) const {
  const CheckedOptions& checked = state().checked;
  internal::check_call(checked, shape, x, y, options);
  const bool empty = element_count(shape.output) == 0;
  const std::shared_ptr<const PackedLayer> packed = state().packed_for(options.isa);
  if (empty) return;
  internal::BoundCall bound;
  internal::bind(bound, checked, shape, packed->facts(), x, y, options);
  const Plan& plan = packed->plan_for(bound.call.axes, bound.call.batch_count());
  plan.check(bound.call);

  const int threads = std::min(options.threads, kMostThreads);
  const std::size_t wanted = plan.scratch_bytes_per_thread() * static_cast<std::size_t>(threads);
  std::span<std::byte> scratch = options.scratch;
  Tensor own_scratch;
  if (scratch.empty()) {
    own_scratch =
        Tensor(DType::kFloat64, {static_cast<Index>(wanted / sizeof(double))}, options.memory);
    scratch = {static_cast<std::byte*>(own_scratch.data()), wanted};
  } else if (scratch.size() < wanted || reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) {
    throw Error(ErrorKind::kInvalidArgument,
                checked.label + ": scratch is " + std::to_string(scratch.size()) +
                    " bytes; it must be " + std::to_string(wanted) + " or more, 64-byte aligned");
  }
  OwnThreads own_threads;
  plan.run(
      bound.call,
      internal::worth_threads(bound.call, packed->facts(), threads, options.executor != nullptr),
      options.executor ? options.executor : &own_threads, scratch);
  const Activation& activation = checked.options.activation_fn;
  if (activation.kind() == ActivationKind::kCallable) activation.function()(y);
}

Dims ConvolutionTranspose::output_shape(const Dims& input_shape) const {
  return internal::check_input_shape(state().checked, input_shape).output;
}

Dims ConvolutionTranspose::output_shape(const Dims& input_shape,
                                        const PerAxis& output_lengths) const {
  return internal::check_input_shape(state().checked, input_shape, output_lengths).output;
}

std::size_t ConvolutionTranspose::scratch_bytes(
    const Dims& input_shape, int threads, std::optional<Isa> isa,
    const std::optional<PerAxis>& output_lengths) const {
  const auto packed = state().packed_for(isa);
  const Extents extents(state().checked, packed->facts(), input_shape, output_lengths);
  return packed->plan_for(extents.axes, extents.batches).scratch_bytes_per_thread() *
         static_cast<std::size_t>(std::clamp(threads, 1, kMostThreads));
}

std::size_t ConvolutionTranspose::packed_bytes() const { return state().packed_bytes(); }

KernelChoice ConvolutionTranspose::kernel_choice(const Dims& input_shape,
                                                 std::optional<Isa> isa) const {
  const LayerFacts facts = state().facts_for(isa.value_or(state().packed->facts().isa));
  const Extents extents(state().checked, facts, input_shape);
  const internal::Choice choice =
      facts.isa == state().packed->facts().isa
          ? state().packed->choice(extents.axes, extents.batches)
          : internal::choose_strategy(facts, extents.axes, extents.batches);
  return {choice.kernel.kernel, choice.strategy, internal::arithmetic_of(choice.strategy),
          facts.isa, choice.reason};
}

void ConvolutionTranspose::save(const std::filesystem::path& path, bool kernel_2d) const {
  std::optional<ConstTensorView> bias_view;
  if (has_bias()) bias_view = bias().value().view();
  internal::save_kernel_bias(path, bias_view, kernel().value().view(), kernel_2d);
}

void ConvolutionTranspose::load(const std::filesystem::path& path) {
  const CheckedOptions& checked = state().checked;
  take(internal::load_kernel_bias(path, checked.kernel_shape, has_bias(), dtype(), checked.label));
}

void ConvolutionTranspose::load(const std::filesystem::path& path, const WeightNames& names) {
  take(internal::load_named_kernel_bias(path, names, state().checked));
}

void ConvolutionTranspose::take(KernelBias weights) {
  State& state = this->state();
  auto packed = state.pack(weights.kernel, weights.bias ? &*weights.bias : nullptr);
  // Nothing below throws: the layer changes as a whole or not at all. The variables stay where they
  // are, so that references to them stay valid.
  state.kernel_variable.emplace("kernel", std::move(weights.kernel));
  if (weights.bias) state.bias_variable.emplace("bias", std::move(*weights.bias));
  adopt_variables();
  state.take(std::move(packed));
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

}  // namespace upconv::UPCONV_ABI
