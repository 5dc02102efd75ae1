// The C interface: structures in, exceptions to status codes and text. Nothing else happens here.
#include "upconv/c_api.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files.h"
#include "upconv/convolution_transpose.h"
#include "upconv/error.h"
#include "upconv/version.h"

struct upconv_layer {
  explicit upconv_layer(upconv::ConvolutionTranspose of) : layer(std::move(of)) {}

  upconv::ConvolutionTranspose layer;
};

namespace upconv::UPCONV_ABI {
namespace {

using internal::printable;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, message);
}

upconv_status status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return UPCONV_INVALID_ARGUMENT;
    case ErrorKind::kShapeMismatch:
      return UPCONV_SHAPE_MISMATCH;
    case ErrorKind::kUnsupported:
      return UPCONV_UNSUPPORTED;
    case ErrorKind::kCorruptFile:
      return UPCONV_CORRUPT_FILE;
    case ErrorKind::kTruncated:
      return UPCONV_TRUNCATED;
    case ErrorKind::kLimitExceeded:
      return UPCONV_LIMIT_EXCEEDED;
    case ErrorKind::kIo:
      return UPCONV_IO;
    case ErrorKind::kOutOfMemory:
      return UPCONV_OUT_OF_MEMORY;
  }
  return UPCONV_INTERNAL;
}

upconv_status report(upconv_error* error, upconv_status status, const char* message) noexcept {
  if (error != nullptr) {
    error->status = status;
    const std::size_t length = std::min(std::strlen(message), sizeof error->message - 1);
    std::memcpy(error->message, message, length);
    error->message[length] = '\0';
  }
  return status;
}

/// Calls `function`; what it throws becomes the status and the text.
template <typename Function>
upconv_status guarded(upconv_error* error, Function&& function) noexcept {
  try {
    function();
    return report(error, UPCONV_OK, "");
  } catch (const Error& thrown) {
    return report(error, status_of(thrown.kind()), thrown.what());
  } catch (const std::bad_alloc&) {
    return report(error, UPCONV_OUT_OF_MEMORY, "memory ran out");
  } catch (const std::exception& thrown) {
    return report(error, UPCONV_INTERNAL, thrown.what());
  } catch (...) {
    return report(error, UPCONV_INTERNAL, "an exception of no known type");
  }
}

template <typename T>
T& required(T* pointer, const char* what) {
  if (pointer == nullptr) refuse(std::string(what) + " is NULL; it is required");
  return *pointer;
}

/// A structure of a program's, which may know fewer or more members than this version does.
template <typename Struct>
Struct known(const Struct* given, const char* what) {
  Struct copy = {};
  if (given == nullptr) return copy;
  const std::size_t size = given->size;
  if (size < sizeof size) {
    refuse(std::string(what) + ": size is " + std::to_string(size) +
           "; it must be sizeof the structure");
  }
  // What is beyond `size` does not exist.
  std::memcpy(&copy, given, std::min(size, sizeof copy));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof copy && std::any_of(bytes + sizeof copy, bytes + size,
                                        [](unsigned char byte) { return byte != 0; })) {
    throw Error(ErrorKind::kUnsupported,
                std::string(what) + ": size is " + std::to_string(size) +
                    ", and members beyond the " + std::to_string(sizeof copy) +
                    " bytes that this version of the library knows are set");
  }
  return copy;
}

DType dtype_of(int32_t dtype, const char* what) {
  switch (dtype) {
    case UPCONV_FLOAT32:
      return DType::kFloat32;
    case UPCONV_FLOAT64:
      return DType::kFloat64;
    default:
      refuse(std::string(what) + ": dtype is " + std::to_string(dtype) +
             "; it must be UPCONV_FLOAT32 or UPCONV_FLOAT64");
  }
}

Dims dims(const int64_t* values, int32_t count, const char* what) {
  if (count < 0 || static_cast<std::size_t>(count) > kMaxAxes) {
    refuse(std::string(what) + ": axes is " + std::to_string(count) + "; it must be from 0 to " +
           std::to_string(kMaxAxes));
  }
  if (values == nullptr && count > 0) refuse(std::string(what) + ": shape is NULL");
  return Dims(std::span<const Index>(values, static_cast<std::size_t>(count)));
}

/// upconv_view to TensorView, upconv_const_view to ConstTensorView.
template <typename View, typename Given>
View view(const Given& given, const char* what) {
  const DType dtype = dtype_of(given.dtype, what);
  const Dims shape = dims(given.shape, given.axes, what);
  if (given.data == nullptr && element_count(shape) > 0) {
    refuse(std::string(what) + ": data is NULL, and shape is " + to_string(shape));
  }
  if (given.strides == nullptr) return {given.data, dtype, shape};
  return {given.data, dtype, shape, dims(given.strides, given.axes, what)};
}

ConstTensorView const_view(const upconv_const_view& given, const char* what) {
  return view<ConstTensorView>(given, what);
}

PerAxis per_axis(const int64_t* values, int rank) {
  return std::vector<Index>(values, values + rank);
}

Activation activation_of(const upconv_options& o) {
  const std::string_view name = o.activation != nullptr ? o.activation : "linear";
  if (o.bounds != nullptr && name != "clamp") {
    refuse("bounds are for activation \"clamp\"; it is \"" + printable(name) + "\"");
  }
  if (o.alpha != nullptr && name != "leaky_relu") {
    refuse("alpha is for activation \"leaky_relu\"; it is \"" + printable(name) + "\"");
  }
  if (o.bounds != nullptr) return Activation::clamp(o.bounds[0], o.bounds[1]);
  if (o.alpha != nullptr) return Activation::leaky_relu(*o.alpha);
  return Activation(name);
}

Arithmetic arithmetic_of(const char* name) {
  const std::optional<Arithmetic> arithmetic = parse_arithmetic(name);
  if (!arithmetic) {
    refuse("arithmetic is \"" + printable(std::string_view(name)) +
           "\"; it must be \"fast\" or \"direct\"");
  }
  return *arithmetic;
}

Isa isa_of(const char* name) {
  const std::optional<Isa> isa = parse_isa(name);
  if (isa) return *isa;
  std::string names;
  for (const Isa runnable : runnable_isas()) {
    names += (names.empty() ? "" : ", ") + std::string(to_string(runnable));
  }
  refuse("isa is \"" + printable(std::string_view(name)) + "\"; this machine runs " + names);
}

Device device_of(const char* name) {
  const std::optional<Device> device = parse_device(name);
  if (device) return *device;
  refuse("device is \"" + std::string(name) + "\"; it must be cpu, gpu, cuda or opencl");
}

ConvolutionTransposeOptions options_of(const upconv_options& o) {
  ConvolutionTransposeOptions options;
  if (o.name != nullptr) options.name = o.name;
  options.rank = o.rank != 0 ? o.rank : 2;
  if (options.rank < 1 || options.rank > 3) {
    refuse("rank is " + std::to_string(o.rank) + "; it must be 1, 2 or 3");
  }
  options.input_size = o.input_size;
  options.output_size = o.output_size;
  options.filter_shape = per_axis(&required(o.filter_shape, "filter_shape"), options.rank);
  if (o.strides != nullptr) options.strides = per_axis(o.strides, options.rank);
  if (o.dilations != nullptr) options.dilations = per_axis(o.dilations, options.rank);
  if (o.padding != nullptr && o.crops != nullptr) refuse("padding and crops exclude each other");
  if (o.padding != nullptr) options.padding = o.padding;
  if (o.crops != nullptr) {
    Padding::Pairs pairs;
    for (std::ptrdiff_t axis = 0; axis < options.rank; ++axis) {
      pairs.emplace_back(o.crops[2 * axis], o.crops[2 * axis + 1]);
    }
    options.padding = std::move(pairs);
  }
  if (o.output_padding != nullptr) {
    options.output_padding = per_axis(o.output_padding, options.rank);
  }
  if (o.output_lengths != nullptr) {
    options.output_lengths = per_axis(o.output_lengths, options.rank);
  }
  options.dtype = dtype_of(o.dtype, "options");
  options.activation_fn = activation_of(o);
  options.use_bias = o.no_bias == 0;
  if (o.arithmetic != nullptr) options.arithmetic = arithmetic_of(o.arithmetic);
  if (o.isa != nullptr) options.isa = isa_of(o.isa);
  if (o.device != nullptr) options.device = device_of(o.device);
  if (o.expected_input_shape != nullptr) {
    options.expected_input_shape =
        dims(o.expected_input_shape, o.expected_axes, "expected_input_shape");
  }
  return options;
}

CallOptions call_of(const upconv_layer& layer, const upconv_call* given) {
  const upconv_call call = known(given, "call");
  CallOptions options;
  if (call.threads != 0) options.threads = call.threads;
  if (call.residual != nullptr) options.residual = const_view(*call.residual, "residual");
  if (call.output_lengths != nullptr) {
    options.output_lengths = per_axis(call.output_lengths, layer.layer.rank());
  }
  if (call.scratch != nullptr) {
    options.scratch = {static_cast<std::byte*>(call.scratch), call.scratch_bytes};
  }
  return options;
}

void set_weights(ConvolutionTranspose& layer, const upconv_const_view* kernel,
                 const upconv_const_view* bias) {
  if (kernel != nullptr) layer.kernel().assign(const_view(*kernel, "kernel"));
  if (bias != nullptr) layer.bias().assign(const_view(*bias, "bias"));
}

}  // namespace
}  // namespace upconv::UPCONV_ABI

using namespace upconv;

const char* upconv_version() { return UPCONV_VERSION; }

upconv_status upconv_layer_create(const upconv_options* options, const upconv_const_view* kernel,
                                  const upconv_const_view* bias, upconv_layer** layer,
                                  upconv_error* error) {
  if (layer != nullptr) *layer = nullptr;
  return guarded(error, [&] {
    upconv_layer*& made = required(layer, "layer");
    required(options, "options");
    ConvolutionTransposeOptions own = options_of(known(options, "options"));
    // Weights that replace them at once need not be random.
    if (kernel != nullptr) own.init_kernel_fn = initializers::zeros();
    auto owned = std::make_unique<upconv_layer>(ConvolutionTranspose(std::move(own)));
    set_weights(owned->layer, kernel, bias);
    made = owned.release();
  });
}

void upconv_layer_destroy(upconv_layer* layer) { delete layer; }

upconv_status upconv_layer_set_weights(upconv_layer* layer, const upconv_const_view* kernel,
                                       const upconv_const_view* bias, upconv_error* error) {
  return guarded(error, [&] {
    // Both or neither: the second may be refused.
    ConvolutionTranspose changed(required(layer, "layer").layer);
    set_weights(changed, kernel, bias);
    layer->layer = std::move(changed);
  });
}

upconv_status upconv_layer_load(upconv_layer* layer, const char* path, upconv_error* error) {
  return guarded(error, [&] { required(layer, "layer").layer.load(&required(path, "path")); });
}

upconv_status upconv_layer_output_shape(const upconv_layer* layer, int32_t axes,
                                        const int64_t* input_shape, const upconv_call* call,
                                        int64_t* output_shape, upconv_error* error) {
  return guarded(error, [&] {
    const CallOptions options = call_of(required(layer, "layer"), call);
    const Dims x = dims(input_shape, axes, "input_shape");
    const Dims y = options.output_lengths ? layer->layer.output_shape(x, *options.output_lengths)
                                          : layer->layer.output_shape(x);
    std::copy(y.begin(), y.end(), &required(output_shape, "output_shape"));
  });
}

upconv_status upconv_layer_scratch_bytes(const upconv_layer* layer, int32_t axes,
                                         const int64_t* input_shape, const upconv_call* call,
                                         size_t* bytes, upconv_error* error) {
  return guarded(error, [&] {
    const CallOptions options = call_of(required(layer, "layer"), call);
    required(bytes, "bytes") = layer->layer.scratch_bytes(
        dims(input_shape, axes, "input_shape"), options.threads, {}, options.output_lengths);
  });
}

upconv_status upconv_layer_run(const upconv_layer* layer, const upconv_const_view* x,
                               const upconv_view* y, const upconv_call* call, upconv_error* error) {
  return guarded(error, [&] {
    const CallOptions options = call_of(required(layer, "layer"), call);
    layer->layer(const_view(required(x, "x"), "x"), view<TensorView>(required(y, "y"), "y"),
                 options);
  });
}
