// A layer small enough to check by eye, for the tests of modules and of Sequential.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "upconv/error.h"
#include "upconv/module.h"
#include "upconv/tensor.h"

namespace upconv {

/// y = x * kernel[0] + bias[0] (+ residual) on float32 tensors of any shape. Counts how often it
/// packs, and can refuse to, as a real layer whose memory runs out.
class FakeLayer : public Layer {
 public:
  FakeLayer(std::string name, float kernel, float bias, const Dims& kernel_shape = {1})
      : Layer(std::move(name)),
        bias_("bias", Tensor::from<float>({bias}, {1})),
        kernel_("kernel", Tensor::zeros(DType::kFloat32, kernel_shape)) {
    kernel_.assign(filled(kernel_shape, kernel));
    own();
  }
  FakeLayer(const FakeLayer& other)
      : Layer(other), packs(other.packs), bias_(other.bias_), kernel_(other.kernel_) {
    own();
  }
  FakeLayer& operator=(const FakeLayer&) = delete;

  static Tensor filled(const Dims& shape, float value) {
    Tensor tensor(DType::kFloat32, shape);
    for (float& element : tensor.values<float>()) element = value;
    return tensor;
  }

  Variable& kernel() { return kernel_; }
  Variable& bias() { return bias_; }

  using Layer::operator();
  Tensor operator()(const ConstTensorView& x, const CallOptions& options = {}) const override {
    ++calls;
    threads = options.threads;
    Tensor y = Tensor::copy_of(x);
    std::optional<Tensor> residual;
    if (options.residual) residual = Tensor::copy_of(*options.residual);
    for (std::size_t i = 0; i < y.values<float>().size(); ++i) {
      float& element = y.values<float>()[i];
      element = element * kernel_.value().values<float>()[0] + bias_.value().values<float>()[0];
      if (residual) element += residual->values<float>()[i];
    }
    return y;
  }
  Dims output_shape(const Dims& input_shape) const override {
    Dims shape = input_shape;
    shape.push_back(1);
    return shape;
  }
  std::unique_ptr<Layer> clone() const override { return std::make_unique<FakeLayer>(*this); }

  int packs = 0;
  std::optional<float> refused;  ///< before_assign throws for this first element
  mutable std::atomic<int> calls = 0;
  mutable std::atomic<int> threads = 0;

 protected:
  std::vector<Variable*> own_variables() override { return {&bias_, &kernel_}; }
  void before_assign(const Variable& /*variable*/, const Tensor& value) override {
    if (refused && value.values<float>()[0] == *refused) {
      throw Error(ErrorKind::kOutOfMemory, "no memory to pack");
    }
    ++packs;
  }

 private:
  void own() {
    adopt(bias_);
    adopt(kernel_);
  }

  Variable bias_;
  Variable kernel_;
};

}  // namespace upconv
