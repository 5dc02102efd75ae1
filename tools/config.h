// layer.json: the file that describes a layer, or a list of layers, to the command-line tool.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upconv/convolution_transpose.h"

namespace upconv::tools {

/// One layer as a file describes it.
struct LayerConfig {
  ConvolutionTransposeOptions options;
  /// The entry's "input", when the file has one: a typical input shape, which the layer is told to
  /// expect.
  std::optional<Dims> input;
  /// Where it stands, for messages: `layer.json`, or `model.json: layers[2]`.
  std::string where;
};

/// A file: one layer, or a list of layers that run one after the other.
struct ModelConfig {
  std::vector<LayerConfig> layers;
  /// The file was `{"layers": [...]}`.
  bool sequential = false;
};

/// Reads a strict JSON text. A layer is an object with the keys
///
///   input_size, output_size, filter_shape                   required
///   rank = 2, strides = 1, dilations = 1, padding = "valid", output_padding = null,
///   output_lengths = null, activation = null, name, dtype = "float32", use_bias = true,
///   arithmetic = "fast"
///
/// where filter_shape, strides, dilations, output_padding and output_lengths are one integer or
/// `rank` of them, padding is "valid", "same", "split_upper" or "split_lower" in any case or `rank`
/// [begin, end] pairs, and activation is a name
/// or an object such as {"name": "leaky_relu", "alpha": 0.1}, {"name": "clamp", "min": 0,
/// "max": 6}. Or it is an entry of a list of layers, `{"name", "source", "input", "config"}`, whose
/// config is the layer; the others are optional, and the name is the layer's if the config has
/// none. `{"layers": [...]}` is a list of either. Every other key, and a key twice, is an error.
///
/// Ranges (a stride of 0 ...) are the layer's business: make_layer() reports them.
/// @param what names the text in messages.
/// @throws Error kInvalidArgument; the message names the file, the key, its value and the rule.
ModelConfig parse_config(std::string_view text, std::string_view what);

/// The same from a file. @throws Error kIo, kLimitExceeded over 16 MiB, or as parse_config.
ModelConfig read_config(const std::filesystem::path& path);

/// Reads a list of layers as bench/layers.json: a JSON array of layers or entries.
std::vector<LayerConfig> parse_layer_list(std::string_view text, std::string_view what);
std::vector<LayerConfig> read_layer_list(const std::filesystem::path& path);

/// Makes the layer with a kernel and bias of zeros, for what is about to be loaded into it.
/// @throws Error as ConvolutionTranspose, with `config.where` in front.
std::unique_ptr<ConvolutionTranspose> make_layer(const LayerConfig& config,
                                                 std::optional<Isa> isa = {});

/// Makes the layer, or the Sequential, of a file.
std::unique_ptr<Layer> make_model(const ModelConfig& config, std::optional<Isa> isa = {});

}  // namespace upconv::tools
