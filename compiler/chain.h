// Layers that run one after the other, as one function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "Halide.h"
#include "plan.h"

namespace upconv::compiler {

/// A list of layers, NAME_0, NAME_1 ..., that NAME_run runs, each on what the one before leaves.
///
/// What is between two layers is in the caller's scratch: first what a layer itself needs, then
/// what even layers leave, then what odd layers leave, each from a multiple of 64 bytes on.
struct Chain {
  std::string name;
  std::vector<std::vector<LayerPlan>> layers = {};  ///< the variants of each

  const LayerPlan& first() const { return layers.front().front(); }
  const LayerPlan& last() const { return layers.back().front(); }
  /// Bytes of scratch for a layer itself, the most that one needs.
  Index layer_bytes() const;
  /// Where a layer's packed weights begin, in bytes; of the number of layers: how many there are.
  Index packed_at(std::size_t layer) const;
  /// Bytes of scratch when all extents are constants.
  Index scratch_bytes() const;
};

inline constexpr Index kChainAlignment = 64;

/// NAME_run and, unless weights are constants, NAME_pack: they call those of the layers.
Halide::Module chain_module(const Chain& chain);

/// NAME.h of a chain.
std::string chain_header(const Chain& chain);

}  // namespace upconv::compiler
