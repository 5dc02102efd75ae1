// This library as a worker of the comparison: see common.py for the protocol.
//
// Beyond it, `prepare` says what the bound rule needs (operations, bytes), and {"command":
// "limits"} measures the multiply-add rate and the memory rate.
#include <upconv/upconv.h>

#include <cstddef>
#include <exception>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "config.h"
#include "protocol.h"
#include "upconv/kernels.h"
#include "upconv/version.h"
#include "verify.h"

namespace {

using peers::Json;
using upconv::Dims;
using upconv::Index;
using upconv::Tensor;

Dims to_dims(const Json& list) { return Dims(list.get<std::vector<Index>>()); }

class Worker {
 public:
  Worker() : threads_(peers::threads()) {
    // One thread is a plain call; more are kept ready, as a program would.
    if (threads_ > 1) pool_ = std::make_unique<upconv::ThreadPool>(threads_);
  }

  static Json hello(const Json& /*message*/) {
    return {
        {"peer", "upconv"}, {"version", UPCONV_VERSION}, {"isa", to_string(upconv::default_isa())}};
  }

  Json prepare(const Json& message) {
    const auto start = peers::Clock::now();
    upconv::tools::ModelConfig model =
        upconv::tools::parse_config(message.at("config").dump(), "config");
    shape_ = to_dims(message.at("shape"));
    model.layers.front().input = shape_;  // as the other peers, it is told what to expect
    layer_ = upconv::tools::make_layer(model.layers.front());

    const std::string folder = message.at("folder").get<std::string>() + "/";
    const auto load = [&](const Dims& shape, const std::string& name) {
      Tensor tensor = Tensor::zeros(upconv::DType::kFloat32, shape);
      peers::read_floats(folder + name + ".f32", tensor.values<float>());
      return tensor;
    };
    const Tensor kernel = load(layer_->kernel().shape(), "kernel");
    layer_->kernel().assign(kernel);
    layer_->bias().assign(load(layer_->bias().shape(), "bias"));
    layer_->drop_kernel();
    input_ = load(shape_, "x");
    output_ = Tensor::zeros(upconv::DType::kFloat32, layer_->output_shape(shape_));
    call_ = call(input_, output_);
    call_();
    const double seconds = std::chrono::duration<double>(peers::Clock::now() - start).count();

    const upconv::KernelChoice choice = layer_->kernel_choice(shape_);
    const upconv::tools::Operations operations =
        upconv::tools::count_operations(layer_->options(), shape_);
    read_ = upconv::tools::bytes_to_read(operations, input_, kernel);
    written_ = static_cast<std::size_t>(output_.size()) * sizeof(float);
    return {{"variants", {{"nhwc", {{"prepare_ms", seconds * 1e3}}}}},
            {"kernel", choice.kernel},
            {"strategy", choice.strategy},
            {"isa", to_string(choice.isa)},
            {"operations", operations.all},
            {"operations_in_window", operations.in_window},
            {"bytes", read_ + written_},
            {"packed_bytes", layer_->packed_bytes()},
            {"scratch_bytes", layer_->scratch_bytes(shape_, threads_)}};
  }

  Json run(const Json& message) {
    call_();
    peers::write_floats(message.at("file"), std::as_const(output_).values<float>());
    const Dims shape = output_.shape();
    return {{"shape", std::vector<Index>(shape.begin(), shape.end())}};
  }

  Json time(const Json& message) {
    return peers::time_call(call_, message.at("milliseconds").get<double>() / 1e3);
  }

  Json new_shapes(const Json& message) {
    Json found = Json::array();
    for (const Json& geometry : message.at("geometries")) {
      const Dims shape = to_dims(geometry.at("shape"));
      const Tensor input = Tensor::zeros(upconv::DType::kFloat32, shape);
      Tensor output = Tensor::zeros(upconv::DType::kFloat32, layer_->output_shape(shape));
      found.push_back(peers::first_call(call(input, output)));
    }
    return {{"shapes", found}};
  }

  /// What the machine allows: multiply-adds, and reading and writing as much as the layer does.
  Json limits(const Json& /*message*/) const {
    return {{"gflops",
             upconv::measure_peak_gflops(upconv::default_isa(), upconv::DType::kFloat32, threads_)},
            {"bandwidth_gbs", upconv::measure_bandwidth_gbs(read_, written_, threads_)}};
  }

 private:
  /// A call on that input, with scratch as a program that calls often would hold it.
  peers::Call call(const Tensor& input, Tensor& output) {
    const std::size_t bytes = layer_->scratch_bytes(input.shape(), threads_);
    auto scratch = std::make_shared<Tensor>(upconv::DType::kFloat64,
                                            Dims{static_cast<Index>(bytes / sizeof(double) + 1)});
    return [this, &input, &output, scratch] {
      (*layer_)(input, output.view(),
                {.threads = threads_,
                 .executor = pool_.get(),
                 .scratch = std::as_writable_bytes(scratch->values<double>())});
    };
  }

  int threads_;
  std::unique_ptr<upconv::ThreadPool> pool_;
  std::unique_ptr<upconv::ConvolutionTranspose> layer_;
  Dims shape_;
  Tensor input_, output_;
  std::size_t read_ = 0, written_ = 0;
  peers::Call call_;
};

}  // namespace

int main() {
  return peers::work<Worker>([](Worker& worker, peers::Commands& commands) {
    commands["limits"] = [&](const Json& m) { return worker.limits(m); };
  });
}
