#include "bind.h"

#include <cstddef>
#include <string>

#include "upconv/error.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// A view's strides, 0 along an axis where nothing is a step away: such a stride may be any number,
/// too large for arithmetic.
Dims used_strides(const ConstTensorView& view) {
  Dims strides = view.strides();
  const bool empty = element_count(view.shape()) == 0;
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    if (empty || view.shape()[axis] <= 1) strides[axis] = 0;
  }
  return strides;
}

/// Batch axes of extent above 1; neighbours that all views step through evenly become one.
void bind_batch(Call& call, const Dims& extents, std::size_t count, const Dims& x, const Dims& y,
                const Dims& residual) {
  for (std::size_t axis = 0; axis < count; ++axis) {
    const Index extent = extents[axis];
    if (extent == 1) continue;
    const BatchAxis next{extent, x[axis], y[axis], residual[axis]};
    if (call.batch_axes > 0) {
      BatchAxis& last = call.batch[call.batch_axes - 1];
      if (last.x == next.x * extent && last.y == next.y * extent &&
          last.residual == next.residual * extent) {
        last = {last.extent * extent, next.x, next.y, next.residual};
        continue;
      }
    }
    call.batch[call.batch_axes++] = next;
  }
}

/// The view itself where its channels are contiguous, as the kernels walk them; else a copy's.
ConstTensorView contiguous(const ConstTensorView& view, Tensor& copy,
                           std::pmr::memory_resource* memory) {
  if (view.shape().back() <= 1 || view.strides().back() == 1) return view;
  copy = Tensor::copy_of(view, memory);
  return copy;
}

}  // namespace

void bind_axes(CallAxis (&axes)[3], const LayerFacts& facts, const CallShape& shape) {
  for (int slot = 0; slot < 3; ++slot) {
    axes[slot] = {&facts.axes[slot], shape.inputs[slot], shape.windows[slot]};
  }
}

void check_call(const CheckedOptions& checked, const CallShape& shape, const ConstTensorView& x,
                const TensorView& y, const CallOptions& options) {
  check_tensor(checked, x, "input");
  check_output(checked, y, shape.output);
  check_no_overlap(checked.label, y, "output", x, "input");
  if (options.threads < 1) {
    throw Error(ErrorKind::kInvalidArgument, checked.label + ": threads is " +
                                                 std::to_string(options.threads) +
                                                 "; it must be at least 1");
  }
  const std::span<std::byte> bytes = options.scratch;
  const ConstTensorView scratch(bytes.data(), DType::kFloat32,
                                {static_cast<Index>(bytes.size() / sizeof(float))});
  check_no_overlap(checked.label, scratch, "scratch", x, "input");
  check_no_overlap(checked.label, scratch, "scratch", y, "output");
  if (!options.residual) return;
  const ConstTensorView& residual = *options.residual;
  if (!(residual.shape() == shape.output)) {
    throw Error(ErrorKind::kShapeMismatch,
                checked.label + ": residual has shape " + to_string(residual.shape()) +
                    "; it must be the output's, " + to_string(shape.output));
  }
  check_tensor(checked, residual, "residual");
  check_no_overlap(checked.label, y, "output", residual, "residual");
  check_no_overlap(checked.label, scratch, "scratch", residual, "residual");
}

void bind(BoundCall& bound, const CheckedOptions& checked, const CallShape& shape,
          const LayerFacts& facts, const ConstTensorView& x, const TensorView& y,
          const CallOptions& options) {
  const ConstTensorView x_view = contiguous(x, bound.x_copy, options.memory);
  // Without a residual any view of the output's shape will do: nothing is read through it.
  ConstTensorView residual = y;
  if (options.residual) {
    residual = contiguous(*options.residual, bound.residual_copy, options.memory);
  }
  const Dims x_steps = used_strides(x_view), y_steps = used_strides(y);
  const Dims residual_steps = used_strides(residual);

  Call& call = bound.call;
  call.dtype = checked.options.dtype;
  call.activation = checked.options.activation_fn;
  if (call.activation.kind() == ActivationKind::kCallable) call.activation = Activation::linear();
  call.x = static_cast<const std::byte*>(x_view.data());
  call.y = static_cast<std::byte*>(y.data());
  if (options.residual) call.residual = static_cast<const std::byte*>(residual.data());

  const std::size_t rank = static_cast<std::size_t>(checked.options.rank);
  const std::size_t first = shape.output.size() - rank - 1;
  bind_batch(call, shape.output, first, x_steps, y_steps, residual_steps);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::size_t slot = 3 - rank + axis;
    call.x_strides[slot] = x_steps[first + axis];
    call.y_strides[slot] = y_steps[first + axis];
    call.residual_strides[slot] = residual_steps[first + axis];
  }
  bind_axes(call.axes, facts, shape);
}

}  // namespace upconv::UPCONV_ABI::internal
