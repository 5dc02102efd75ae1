// Any text as a layer.json: layers or an Error of one line. Layers that are small are made, and
// asked for a shape.
#include <cstring>

#include "bytes.h"
#include "config.h"
#include "upconv/error.h"

using namespace upconv;

namespace {

/// Whether making it takes little: a fuzzer looks for faults, not for weights of gigabytes.
bool is_small(const ConvolutionTransposeOptions& options) {
  const auto at_most = [](Index value, Index most) { return value <= most; };
  bool small = at_most(options.input_size, 64) && at_most(options.output_size, 64);
  for (const Index extent : options.filter_shape.values()) small = small && at_most(extent, 16);
  return small;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const tools::ModelConfig config = tools::parse_config(text, "fuzz.json");
    fuzz::require(!config.layers.empty());
    for (const tools::LayerConfig& layer : config.layers) {
      if (!is_small(layer.options)) continue;
      const std::unique_ptr<ConvolutionTranspose> made = tools::make_layer(layer);
      Dims input(std::vector<Index>(static_cast<std::size_t>(made->rank()), 3));
      input.push_back(made->options().input_size);
      made->output_shape(input);
    }
  } catch (const Error& error) {
    fuzz::require(std::strpbrk(error.what(), "\n\r") == nullptr);
  }
  return 0;
}
