// ONNX model files: initialisers, and ConvTranspose nodes with theirs. Protobuf stays behind this
// header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "upconv/npz.h"
#include "upconv/tensor.h"

namespace upconv::tools {

/// A ConvTranspose node in ONNX's own terms; an empty list is an absent attribute.
struct OnnxConvTransposeNode {
  std::string name;   ///< the node's, or its output's where it has none
  std::string where;  ///< for messages: `model.onnx: ConvTranspose "up1"`
  std::string auto_pad = "NOTSET";
  std::vector<Index> dilations, kernel_shape, output_padding, output_shape, pads, strides;
  Index group = 1;
  Tensor kernel;               ///< W: [input channels, output channels / group, kernel...]
  std::optional<Tensor> bias;  ///< B: [output channels]
  /// The one consumer of the output, when it is an activation: ONNX's op_type, as "Relu", with its
  /// alpha. Empty where it has other attributes.
  std::string activation;
  std::optional<double> alpha;
};

/// The float32 and float64 initialisers of a model's graph, by name and in the file's order; those
/// of other types are left out. Constant nodes count as initialisers.
/// @throws Error kIo, kLimitExceeded over 2 GiB, kCorruptFile, kUnsupported for external data; the
///         message names the file and the tensor.
std::vector<NamedTensor> read_onnx_initializers(const std::filesystem::path& path);

/// Every ConvTranspose of the model's graph, in the file's order.
/// @throws Error as above; kUnsupported when W or B is not an initialiser, or where attributes have
///         values that the operator does not, all of them in one message.
std::vector<OnnxConvTransposeNode> read_onnx_conv_transposes(const std::filesystem::path& path);

}  // namespace upconv::tools
