// Times every strategy of a layer, chosen or not, for `./dev bench --choices`. A worker with the
// protocol of ../peers/workers/protocol.h:
//
//   prepare {config, shape, isa}      the strategies that can compute it, each with its cost and
//   the
//                                     counts of its bill, and the one that a layer would take
//   time {strategy, milliseconds}     of a call on one thread
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../peers/workers/protocol.h"
#include "bind.h"
#include "config.h"
#include "layer_state.h"
#include "options.h"
#include "strategy.h"
#include "upconv/upconv.h"

namespace upconv::internal {
namespace {

using peers::Json;

/// Values that are no special case of anything, made faster than random ones.
Tensor some_values(const Dims& shape) {
  Tensor tensor(DType::kFloat32, shape);
  std::uint32_t at = 1;
  for (float& value : tensor.values<float>()) {
    at = at * 1664525 + 1013904223;
    value = static_cast<float>(at >> 8) * 0x1p-23F - 1;
  }
  return tensor;
}

/// A layer with the plans of all its strategies, and one call.
class Layer {
 public:
  Layer(const ConvolutionTransposeOptions& options, const Dims& shape, Isa isa)
      : checked_(check_options(options)), shape_(check_input_shape(checked_, shape)) {
    facts_ = layer_facts(checked_, isa);
    bind_axes(axes_, facts_, shape_);
    plans_ = plans_of_all_strategies(facts_, some_values(checked_.kernel_shape), nullptr);
    x_ = some_values(shape);
    y_ = Tensor::zeros(DType::kFloat32, shape_.output);
    bind(bound_, checked_, shape_, facts_, x_, y_.view(), {});
  }

  Json description() const {
    const Index batches = x_.shape()[0];
    Json costs, bills;
    for (const auto& plan : plans_) {
      std::vector<Bill::Item> items;
      Bill bill{.items = &items};
      plan->charge(bill, axes_, batches);
      costs[plan->strategy()] = bill.total;
      Json& counts = bills[plan->strategy()] = Json::object();
      for (const Bill::Item& item : items) {
        counts[item.price.name] = counts.value(item.price.name, 0.0) + item.count;
      }
    }
    const auto bytes = [](const Tensor& t) { return t.size() * static_cast<Index>(sizeof(float)); };
    return {{"costs", costs},
            {"bills", bills},
            {"bytes", {{"x", bytes(x_)}, {"y", bytes(y_)}}},
            {"chosen", choose_strategy(facts_, axes_, batches).strategy}};
  }

  Json time(const std::string& strategy, double seconds) {
    for (const auto& plan : plans_) {
      if (plan->strategy() != strategy) continue;
      Tensor scratch(DType::kFloat64,
                     {static_cast<Index>(plan->scratch_bytes_per_thread() / sizeof(double) + 1)});
      const auto bytes = std::as_writable_bytes(scratch.values<double>());
      return peers::time_call([&] { plan->run(bound_.call, 1, nullptr, bytes); }, seconds);
    }
    return {{"refused", "no strategy " + strategy}};
  }

 private:
  CheckedOptions checked_;
  CallShape shape_;
  LayerFacts facts_;
  CallAxis axes_[3];
  std::vector<std::shared_ptr<const Plan>> plans_;
  Tensor x_, y_;
  BoundCall bound_;
};

std::unique_ptr<Layer> prepare(const Json& message) {
  tools::ModelConfig model = tools::parse_config(message.at("config").dump(), "config");
  const Dims shape(message.at("shape").get<std::vector<Index>>());
  const std::string isa = message.at("isa");
  model.layers.front().input = shape;  // the layer is told what to expect
  for (const Isa one : runnable_isas()) {
    if (to_string(one) != isa) continue;
    return std::make_unique<Layer>(tools::make_layer(model.layers.front())->options(), shape, one);
  }
  throw std::runtime_error("this machine cannot run " + isa);
}

int work() {
  std::unique_ptr<Layer> layer;
  return peers::serve({{"hello",
                        [](const Json&) {
                          return Json{{"isa", to_string(default_isa())}};
                        }},
                       {"prepare",
                        [&](const Json& message) {
                          layer = nullptr;  // before the next one takes its memory
                          layer = prepare(message);
                          return layer->description();
                        }},
                       {"time", [&](const Json& message) {
                          return layer->time(message.at("strategy"),
                                             message.at("milliseconds").get<double>() / 1e3);
                        }}});
}

}  // namespace
}  // namespace upconv::internal

int main() {
  try {
    return upconv::internal::work();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
