// What upconvc is given: a layer or a list of layers as JSON, or an ONNX model.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plan.h"

namespace upconv::compiler {

struct InputOptions {
  std::filesystem::path model;  ///< layer.json, a list of layers, or *.onnx
  std::filesystem::path
      weights;        ///< .npz; empty: packed by the caller, or the initialisers of ONNX
  std::string name;   ///< of a layer; NAME_0, NAME_1 ... where the file has several
  std::string shape;  ///< of the (first) layer's input; empty: all are arguments
};

struct Layers {
  std::vector<LayerSpec> layers = {};
  bool chained = false;  ///< each runs on what the one before leaves
};

/// The layers of a file. Those of a JSON list run one after the other, so that what is known of the
/// input's shape says what is known of all the others'. Every ConvTranspose of an ONNX model is a
/// layer, with the activation after it where there is one of ours.
/// @throws Error as read_config, read_onnx_conv_transposes and from_onnx; kInvalidArgument for a
///         shape or a name that is none.
Layers read_layers(const InputOptions& options);

}  // namespace upconv::compiler
