// The library inside a shared object that a program loads and unloads, as a plug-in would have it.
#include <cstring>
#include <filesystem>

#include "upconv/upconv.h"

using namespace upconv;

/// Makes, runs, saves and loads layers, with threads, errors and name scopes. `scratch_file` may be
/// written. 0, or which step failed.
extern "C" __attribute__((visibility("default"))) int upconv_plugin_run(const char* scratch_file) {
  const ConvolutionTranspose layer({.input_size = 16,
                                    .output_size = 24,
                                    .filter_shape = 4,
                                    .strides = 2,
                                    .activation_fn = "gelu",
                                    .name = "up"});
  const Tensor x = initializers::normal()({4, 30, 30, 16}, DType::kFloat32);
  const Tensor y = layer(x);
  ThreadPool pool(3);
  const Tensor threaded = layer(x, {.threads = 3, .executor = &pool});
  const auto bytes = static_cast<std::size_t>(y.size()) * sizeof(float);
  if (std::memcmp(y.data(), threaded.data(), bytes) != 0) return 1;
  const bool in_scope = layer.with_name_scope([] {
    return ConvolutionTranspose({.input_size = 1, .output_size = 1, .filter_shape = 1})
        .name_scope()
        .starts_with("up/");
  });
  if (!in_scope) return 2;
  layer.save(scratch_file);
  ConvolutionTranspose loaded = layer;
  loaded.load(scratch_file);
  for (const Isa isa : runnable_isas()) loaded(x, {.isa = isa});
  try {
    loaded.load("/nowhere");
    return 3;
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kIo ? 0 : 4;
  }
}
