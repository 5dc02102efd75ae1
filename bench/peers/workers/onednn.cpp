// oneDNN's deconvolution primitive as a worker of the comparison: see common.py for the protocol.
//
// Variants: "any", source, weights and result in the formats that oneDNN asks for; "nhwc", source
// and result channels last. Reorders to and from them are not timed.
#include <cstddef>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "protocol.h"

namespace {

using dnnl::memory;
using peers::Json;
using Tag = memory::format_tag;
constexpr auto kFloat = memory::data_type::f32;

dnnl::engine& engine() {
  static dnnl::engine the_engine(dnnl::engine::kind::cpu, 0);
  return the_engine;
}

/// A list of numbers of the geometry, the same amount taken off each.
memory::dims list(const Json& geometry, const char* name, memory::dim less = 0) {
  memory::dims values = geometry.at(name).get<memory::dims>();
  for (memory::dim& value : values) value -= less;
  return values;
}

/// Channels last, as oneDNN counts axes: [batch, channels, spatial...] with the strides of ours.
memory::desc channels_last(const memory::dims& shape) {
  memory::dims dims = {shape.front(), shape.back()};
  dims.insert(dims.end(), shape.begin() + 1, shape.end() - 1);
  memory::dims strides(dims.size(), 1);
  memory::dim stride = shape.back();
  for (std::size_t axis = dims.size() - 1; axis >= 2; --axis) {
    strides[axis] = stride;
    stride *= dims[axis];
  }
  strides[0] = stride;
  return {dims, kFloat, strides};
}

/// Our [filter..., in, out] as oneDNN's [out, in, filter...].
memory::desc weights_desc(const memory::dims& filters, memory::dim in, memory::dim out) {
  memory::dims dims = {out, in};
  dims.insert(dims.end(), filters.begin(), filters.end());
  memory::dims strides(dims.size(), 1);
  memory::dim stride = out;
  strides[1] = stride;
  stride *= in;
  for (std::size_t axis = dims.size() - 1; axis >= 2; --axis) {
    strides[axis] = stride;
    stride *= dims[axis];
  }
  return {dims, kFloat, strides};
}

memory::desc any(const memory::desc& of) { return {of.dims(), kFloat, Tag::any}; }

class Layer {
 public:
  Layer(const Json& geometry, memory weights, memory bias, bool blocked)
      : source_(channels_last(list(geometry, "shape"))),
        result_(channels_last(list(geometry, "output_shape"))),
        stream_(engine()) {
    dnnl::primitive_attr attributes;
    if (geometry.at("activation").is_string()) {
      const bool tanh = geometry.at("activation") == "tanh";
      dnnl::post_ops operations;
      operations.append_eltwise(
          1, tanh ? dnnl::algorithm::eltwise_tanh : dnnl::algorithm::eltwise_relu, 0, 0);
      attributes.set_post_ops(operations);
    }
    const dnnl::deconvolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
        blocked ? any(source_) : source_, any(weights.get_desc()), bias.get_desc(),
        blocked ? any(result_) : result_, list(geometry, "strides"), list(geometry, "dilations", 1),
        list(geometry, "begins"), list(geometry, "ends"));
    const dnnl::deconvolution_forward::primitive_desc chosen(desc, attributes, engine());
    implementation = chosen.impl_info_str();
    primitive_ = dnnl::deconvolution_forward(chosen);
    source_memory_ = memory(chosen.src_desc(), engine());
    result_memory_ = memory(chosen.dst_desc(), engine());
    packed = weights;
    if (chosen.weights_desc() != weights.get_desc()) {
      packed = memory(chosen.weights_desc(), engine());
      dnnl::reorder(weights, packed).execute(stream_, weights, packed);
      stream_.wait();
    }
    arguments_ = {{DNNL_ARG_SRC, source_memory_},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_BIAS, bias},
                  {DNNL_ARG_DST, result_memory_}};
  }

  void call() {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

  void set_input(std::vector<float>& x) {
    move(memory(source_, engine(), x.data()), source_memory_);
  }
  void get_result(std::vector<float>& y) {
    move(result_memory_, memory(result_, engine(), y.data()));
  }

  memory packed;  ///< what the next shape starts from
  std::string implementation;

 private:
  void move(memory from, memory to) {
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
  }

  memory::desc source_, result_;
  dnnl::stream stream_;
  dnnl::deconvolution_forward primitive_;
  memory source_memory_, result_memory_;
  std::unordered_map<int, memory> arguments_;
};

class Worker {
 public:
  Worker() noexcept(false) = default;

  static Json hello(const Json& /*message*/) {
    const dnnl_version_t* const version = dnnl_version();
    return {{"peer", "oneDNN"},
            {"version", std::to_string(version->major) + "." + std::to_string(version->minor) +
                            "." + std::to_string(version->patch)}};
  }

  Json prepare(const Json& message) {
    const Json& geometry = message.at("geometry");
    const std::string folder = message.at("folder").get<std::string>() + "/";
    const memory::dims filters = list(geometry, "filters");
    const memory::dim in = geometry.at("shape").back();
    const memory::dim out = geometry.at("output_shape").back();
    layers_.clear();
    weights_ = memory(weights_desc(filters, in, out), engine());
    bias_ = memory(memory::desc({out}, kFloat, Tag::x), engine());
    for (const auto& [name, values] : {std::pair("kernel", weights_), std::pair("bias", bias_)}) {
      peers::read_floats(folder + name + ".f32", {static_cast<float*>(values.get_data_handle()),
                                                  values.get_desc().get_size() / sizeof(float)});
    }
    std::vector<float> x(elements(geometry.at("shape")));
    peers::read_floats(folder + "x.f32", x);
    result_.assign(elements(geometry.at("output_shape")), 0);
    shape_ = geometry.at("output_shape");
    Json variants = Json::object();
    for (const char* name : {"any", "nhwc"}) {
      const auto start = peers::Clock::now();
      Layer& layer =
          layers_.try_emplace(name, geometry, weights_, bias_, name == std::string("any"))
              .first->second;
      layer.set_input(x);
      layer.call();
      const double seconds = std::chrono::duration<double>(peers::Clock::now() - start).count();
      variants[name] = {{"prepare_ms", seconds * 1e3}, {"implementation", layer.implementation}};
    }
    return {{"variants", variants}};
  }

  Json run(const Json& message) {
    Layer& layer = layers_.at(message.at("variant"));
    layer.call();
    layer.get_result(result_);
    peers::write_floats(message.at("file"), result_);
    return {{"shape", shape_}};
  }

  Json time(const Json& message) {
    Layer& layer = layers_.at(message.at("variant"));
    return peers::time_call([&] { layer.call(); }, message.at("milliseconds").get<double>() / 1e3);
  }

  /// A primitive is made for one shape: the first call makes it, and packs the weights again if it
  /// wants another format.
  Json new_shapes(const Json& message) {
    Json found = Json::array();
    memory packed = layers_.at("any").packed;
    for (const Json& geometry : message.at("geometries")) {
      std::unique_ptr<Layer> layer;
      found.push_back(peers::first_call([&] {
        if (!layer) layer = std::make_unique<Layer>(geometry, packed, bias_, true);
        layer->call();
      }));
      packed = layer->packed;
    }
    return {{"shapes", found}};
  }

 private:
  static std::size_t elements(const Json& shape) {
    std::size_t count = 1;
    for (const Json& extent : shape) count *= extent.get<std::size_t>();
    return count;
  }

  std::map<std::string, Layer> layers_;
  memory weights_, bias_;
  std::vector<float> result_;
  Json shape_;
};

}  // namespace

int main() { return peers::work<Worker>(); }
