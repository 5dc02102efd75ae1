// From the tensors of a call to what the kernels see: checks, strides, batch axes.
#pragma once

#include "call.h"
#include "options.h"
#include "strategy.h"
#include "upconv/module.h"

namespace upconv::UPCONV_ABI::internal {

/// A call that can run, and what it keeps alive. Not to be copied: `call` points into the copies.
struct BoundCall {
  Call call;
  Tensor x_copy, residual_copy;  ///< of views whose channels are not contiguous

  BoundCall() = default;
  BoundCall(const BoundCall&) = delete;
  BoundCall& operator=(const BoundCall&) = delete;
};

/// The axes of a call of that shape. Refers to the facts.
void bind_axes(CallAxis (&axes)[3], const LayerFacts& facts, const CallShape& shape);

/// @throws Error naming the tensor or option, what it is and the rule; nothing has been written.
void check_call(const CheckedOptions& checked, const CallShape& shape, const ConstTensorView& x,
                const TensorView& y, const CallOptions& options);

/// Binds a checked call. A callable activation is left to the caller: the call computes linear.
void bind(BoundCall& bound, const CheckedOptions& checked, const CallShape& shape,
          const LayerFacts& facts, const ConstTensorView& x, const TensorView& y,
          const CallOptions& options);

}  // namespace upconv::UPCONV_ABI::internal
