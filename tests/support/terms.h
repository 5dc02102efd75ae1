// Layers in other libraries' terms, as the stored cases and the comparison with the libraries
// themselves write them down.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "upconv/conventions.h"

namespace upconv::test {

/// A layer of another library and how it is called.
struct PeerLayer {
  Convention convention;
  ConvolutionTransposeOptions options;
  std::optional<PerAxis> output_lengths;  ///< asked for by the call
};

/// Reads {"convention": "onnx", "w": [2, 3, 4, 4], "strides": [2, 2] ...}: the keys are the fields
/// of from_onnx's argument (or that of another `from_...`), each of which may be absent, and
/// "output_lengths" for what the call asks for. @throws Error as `from_...`; nlohmann's exceptions
/// for what is not written so.
PeerLayer parse_terms(const nlohmann::json& terms);

}  // namespace upconv::test
