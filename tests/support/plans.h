// A layer packed for every strategy, to run each whatever the choice among them would be.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "bind.h"
#include "guarded.h"
#include "layer_state.h"
#include "layers.h"
#include "narrow_plan.h"
#include "options.h"
#include "wide_plan.h"
#include "winograd_plan.h"

namespace upconv::test {

/// A layer, its input and the plans for it.
struct Plans {
  Plans(const Case& c, Isa isa, Activation activation = {}) {
    ConvolutionTransposeOptions options = c.options();
    options.activation_fn = std::move(activation);
    checked = internal::check_options(options);
    facts = layer_facts(checked, isa);
    const Tensor kernel = tensor_of(c.dtype, checked.kernel_shape, c.kernel);
    std::optional<Tensor> bias;
    if (c.use_bias) bias = tensor_of(c.dtype, checked.bias_shape, c.bias);
    wide = internal::wide_pack(facts, kernel, bias ? &*bias : nullptr);
    narrow = internal::narrow_pack(facts, kernel, bias ? &*bias : nullptr);
    winograd = internal::winograd_pack(facts, kernel, bias ? &*bias : nullptr);
  }

  /// Runs one of the plans with guarded scratch full of NaN, into a given view or a new tensor.
  Tensor run(const internal::Plan& plan, const ConstTensorView& x, const CallOptions& call = {},
             const TensorView* into = nullptr) const {
    const internal::CallShape shape = internal::check_input_shape(checked, x.shape());
    Tensor y(checked.options.dtype, shape.output);
    std::memset(y.data(), 0xFF, static_cast<std::size_t>(y.size()) * size_of(y.dtype()));  // NaN
    const TensorView out = into != nullptr ? *into : y.view();
    internal::check_call(checked, shape, x, out, call);
    internal::BoundCall bound;
    internal::bind(bound, checked, shape, facts, x, out, call);
    plan.check(bound.call);
    if (y.size() == 0) return y;
    Guarded scratch(plan.scratch_bytes_per_thread() * static_cast<std::size_t>(call.threads), 0xFF);
    ThreadPool pool(call.threads);
    plan.run(bound.call, call.threads, &pool, scratch.bytes());
    EXPECT_TRUE(scratch.guards_are_whole());
    return y;
  }

  internal::CheckedOptions checked;
  internal::LayerFacts facts;
  std::shared_ptr<const internal::Plan> wide, narrow, winograd;  ///< null where it does not apply
};

}  // namespace upconv::test
