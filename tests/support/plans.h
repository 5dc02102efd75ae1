// A layer packed for every strategy, to run each whatever the choice among them would be.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bind.h"
#include "checks.h"
#include "guarded.h"
#include "layer_state.h"
#include "layers.h"
#include "narrow_plan.h"
#include "options.h"
#include "scatter_plan.h"
#include "wide_plan.h"
#include "winograd_fold.h"
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
    if (auto layout = internal::folded_winograd_layout(facts)) {
      folded = internal::winograd_plan(*layout, kernel, bias ? &*bias : nullptr);
    }
    scatter = internal::scatter_pack(facts, kernel, bias ? &*bias : nullptr);
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

  /// A plan's result, after several numbers of threads gave the same bits.
  Tensor run_on_any_threads(const internal::Plan& plan, const ConstTensorView& x,
                            const std::string& text) const {
    Tensor once = run(plan, x);
    for (const int threads : {1, 2, 3, 7}) {
      const Tensor y = run(plan, x, {.threads = threads});
      EXPECT_TRUE(same_bits(y.view(), once.view())) << threads << " threads " << text;
    }
    return once;
  }

  internal::CheckedOptions checked;
  internal::LayerFacts facts;
  /// Null where it does not apply.
  std::shared_ptr<const internal::Plan> wide, narrow, winograd, scatter;
  std::shared_ptr<const internal::Plan> folded;  ///< winograd, its phases as channels
};

/// A float32 input of two axes, backwards along h in memory and with gaps along w.
class BackwardsRows {
 public:
  explicit BackwardsRows(const Tensor& x) : shape_(x.shape()) {
    const Index images = shape_[0], height = shape_[1], width = shape_[2], channels = shape_[3];
    const Index step = channels + 16, row = width * step;
    memory_ = Tensor::zeros(DType::kFloat32, {images, height, width, step});
    strides_ = {height * row, -row, step, 1};
    first_ = memory_.values<float>().data() + (height - 1) * row + 5;
    const float* from = x.values<float>().data();
    for (Index at = 0; at < x.size(); at += channels) {
      const Index w = at / channels % width, h = at / channels / width % height;
      std::copy_n(from + at, channels,
                  first_ + at / (channels * width * height) * strides_[0] + h * strides_[1] +
                      w * strides_[2]);
    }
  }
  ConstTensorView view() const { return {first_, shape_, strides_}; }

 private:
  Tensor memory_;
  Dims shape_, strides_;
  float* first_ = nullptr;
};

/// A float32 output inside a bigger tensor: between one channel before it and two behind it.
class MiddleChannels {
 public:
  explicit MiddleChannels(Dims shape) {
    const Index channels = shape.back();
    shape[shape.size() - 1] += 3;
    all_ = Tensor(DType::kFloat32, shape);
    std::fill(all_.values<float>().begin(), all_.values<float>().end(), kAround);
    part_ = slice(all_.view(), shape.size() - 1, 1, channels);
  }

  TensorView view() {
    return {const_cast<void*>(part_.data()), part_.dtype(), part_.shape(), part_.strides()};
  }
  void expect_others_untouched(const std::string& what) const {
    const std::size_t axis = all_.shape().size() - 1;
    const Index end = all_.shape().back();
    for (const Index at : {Index{0}, end - 2, end - 1}) {
      for (const double value : values_of(slice(all_.view(), axis, at, 1))) {
        ASSERT_EQ(value, kAround) << "channel " << at << " " << what;
      }
    }
  }

 private:
  static constexpr float kAround = -7;
  Tensor all_;
  ConstTensorView part_;
};

}  // namespace upconv::test
