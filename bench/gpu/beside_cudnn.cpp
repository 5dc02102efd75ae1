// Layers on a GPU beside cuDNN: `./dev bench --gpu`. Both in float32 without tensor cores, with all
// tensors on the device; the result of each layer is compared before it is timed. cuDNN computes no
// bias here, ours is part of the kernel; ours is channels-last, cuDNN's channels-first.
//
// usage: upconv_beside_cudnn LAYERS_JSON [ROUNDS]. Exits with 77 where there is no CUDA device.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "bind.h"
#include "config.h"
#include "cudnn_layer.h"
#include "gpu_plan.h"
#include "layer_state.h"
#include "options.h"
#include "permuted.h"

namespace upconv::bench {
namespace {

using internal::GpuArray;
using internal::GpuPlan;

Tensor random_tensor(const Dims& shape, double scale, unsigned seed) {
  Tensor tensor(DType::kFloat32, shape);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, static_cast<float>(scale));
  for (float& value : tensor.values<float>()) value = normal(random);
  return tensor;
}

std::vector<float> list(const Tensor& tensor) {
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}

/// Microseconds of one launch: the best of some rounds of so many that a round takes 20 ms.
double time_us(const std::function<void()>& launch, const std::function<void()>& wait, int rounds) {
  const auto seconds = [&](int count) {
    const auto start = std::chrono::steady_clock::now();
    for (int n = 0; n < count; ++n) launch();
    wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  seconds(3);
  const int count = std::clamp(static_cast<int>(0.02 / seconds(1)), 3, 2000);
  double best = seconds(count);
  for (int round = 1; round < rounds; ++round) best = std::min(best, seconds(count));
  return best / count * 1e6;
}

/// A layer with a random input and kernel, no bias and no activation, as both know it.
class Layer {
 public:
  explicit Layer(tools::LayerConfig config) {
    ConvolutionTransposeOptions& options = config.options;
    options.device = Device::kCuda;
    options.activation_fn = {};
    options.use_bias = false;
    checked_ = internal::check_options(options);
    facts_ = layer_facts(checked_, default_isa());
    const Index terms = facts_.taps() * facts_.input_size;
    x_ = random_tensor(*config.input, 1, 1);
    kernel_ = random_tensor(checked_.kernel_shape, 1 / std::sqrt(static_cast<double>(terms)), 2);
    shape_ = internal::check_input_shape(checked_, x_.shape());
    y_ = Tensor(DType::kFloat32, shape_.output);
  }

  double time_ours(int rounds) {
    const auto plan =
        std::dynamic_pointer_cast<const GpuPlan>(internal::gpu_pack(facts_, kernel_, nullptr));
    internal::BoundCall bound;
    internal::bind(bound, checked_, shape_, facts_, x_, y_.view(), {});
    plan->check(bound.call);
    const GpuArray x = GpuArray::copy_of(plan->gpu(), x_.values<float>().data(), x_.size());
    const GpuArray y(plan->gpu(), y_.size());
    const double us = time_us([&] { plan->launch(bound.call, x, nullptr, y); },
                              [&] { y.wait(plan->gpu()); }, rounds);
    y.copy_to(plan->gpu(), y_.values<float>().data());
    return us;
  }

  /// @throws CudnnError when cuDNN refuses the layer, or its values are others
  double time_cudnn(int rounds, int& algorithm) const {
    CudnnShape shape;
    const std::size_t rank = static_cast<std::size_t>(checked_.options.rank);
    const auto narrow = [](Index value) { return static_cast<int>(value); };
    shape.x = {narrow(x_.shape()[0]), narrow(facts_.input_size)};
    shape.y = {shape.x[0], narrow(facts_.output_size)};
    shape.kernel = {shape.x[1], shape.y[1]};
    for (std::size_t slot = rank == 3 ? 0 : 1; slot < 3; ++slot) {
      const internal::AxisPhases& axis = facts_.axes[slot];
      const Index input = shape_.inputs[slot];
      const Window window = shape_.windows[slot];
      // The shortest output that a convolution makes this input of; ours is its beginning.
      const Index least = (input - 1) * axis.stride() + (axis.filter() - 1) * axis.dilation() + 1 -
                          2 * window.offset;
      if (window.offset < 0 || window.output - least >= axis.stride()) {
        throw CudnnError("cuDNN has no such window");
      }
      shape.x.push_back(narrow(input));
      shape.y.push_back(narrow(std::max(least, window.output)));
      shape.kernel.push_back(narrow(axis.filter()));
      shape.crops.push_back(narrow(window.offset));
      shape.strides.push_back(narrow(axis.stride()));
      shape.dilations.push_back(narrow(axis.dilation()));
    }
    const CudnnLayer layer(shape, list(channels_first(x_, rank)), list(kernel_in_out(rank)));
    algorithm = layer.algorithm();
    layer.launch();
    CudnnLayer::wait();
    compare(layer.result(CudnnLayer::elements(shape.y)), shape.y);
    return time_us([&] { layer.launch(); }, CudnnLayer::wait, rounds);
  }

 private:
  static Tensor channels_first(const Tensor& tensor, std::size_t rank) {
    Dims order{0, static_cast<Index>(rank) + 1};
    for (std::size_t axis = 1; axis <= rank; ++axis) order.push_back(static_cast<Index>(axis));
    return internal::permuted(tensor, order);
  }
  Tensor kernel_in_out(std::size_t rank) const {
    Dims order{static_cast<Index>(rank), static_cast<Index>(rank) + 1};
    for (std::size_t axis = 0; axis < rank; ++axis) order.push_back(static_cast<Index>(axis));
    return internal::permuted(kernel_, order);
  }

  /// Ours beside cuDNN's values, whose spatial extents may be longer.
  void compare(const std::vector<float>& theirs, const std::vector<int>& extents) const {
    const Index channels = facts_.output_size;
    const Index pixels = y_.size() / channels;
    Index lengths[3] = {1, 1, 1}, all[3] = {1, 1, 1};
    for (std::size_t axis = 2; axis < extents.size(); ++axis) {
      const std::size_t slot = axis + 3 - extents.size();
      lengths[slot] = shape_.windows[slot].output;
      all[slot] = extents[axis];
    }
    for (Index pixel = 0; pixel < pixels; ++pixel) {
      const Index w = pixel % lengths[2], h = pixel / lengths[2] % lengths[1];
      const Index d = pixel / lengths[2] / lengths[1] % lengths[0];
      const Index image = pixel / lengths[2] / lengths[1] / lengths[0];
      for (Index channel = 0; channel < channels; ++channel) {
        const Index at = (((image * channels + channel) * all[0] + d) * all[1] + h) * all[2] + w;
        const float ours = y_.values<float>()[static_cast<std::size_t>(pixel * channels + channel)];
        // Values are about 1; cuDNN's transforms lose some digits.
        if (std::fabs(ours - theirs[static_cast<std::size_t>(at)]) > 2e-3F) {
          throw CudnnError("values differ: ours " + std::to_string(ours) + ", cuDNN's " +
                           std::to_string(theirs[static_cast<std::size_t>(at)]));
        }
      }
    }
  }

  internal::CheckedOptions checked_;
  internal::LayerFacts facts_;
  internal::CallShape shape_;
  Tensor x_, kernel_, y_;
};

int run(const char* path, int rounds) {
  const std::vector<Device> usable = usable_devices();
  if (std::find(usable.begin(), usable.end(), Device::kCuda) == usable.end()) {
    std::puts("skipped: no CUDA device was found");
    return 77;
  }
  std::printf(
      "| layer | ours, us | cuDNN, us | ours / cuDNN | its algorithm |\n"
      "| --- | ---: | ---: | ---: | ---: |\n");
  double logarithms = 0;
  int compared = 0;
  for (const tools::LayerConfig& config : tools::read_layer_list(path)) {
    const char* const name = config.options.name.c_str();
    Layer layer(config);
    const double ours = layer.time_ours(rounds);
    try {
      int algorithm = 0;
      const double theirs = layer.time_cudnn(rounds, algorithm);
      std::printf("| %s | %.1f | %.1f | %.2f | %d |\n", name, ours, theirs, ours / theirs,
                  algorithm);
      logarithms += std::log(ours / theirs);
      ++compared;
    } catch (const CudnnError& error) {
      std::printf("| %s | %.1f | - | - | %s |\n", name, ours, error.what());
    }
    std::fflush(stdout);
  }
  if (compared > 0) {
    std::printf("\ngeometric mean of %d layers: %.2f\n", compared, std::exp(logarithms / compared));
  }
  return 0;
}

}  // namespace
}  // namespace upconv::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: upconv_beside_cudnn LAYERS_JSON [ROUNDS]\n", stderr);
    return 2;
  }
  try {
    return upconv::bench::run(argv[1], argc > 2 ? std::max(1, std::atoi(argv[2])) : 5);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "upconv_beside_cudnn: error: %s\n", error.what());
    return 1;
  }
}
