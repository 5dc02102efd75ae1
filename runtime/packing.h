// Packed weights: the kernel in the order in which the register tiles walk it.
//
// Output channels are cut into parts, each served by one tile shape of the wide strategy; a part is a
// run of blocks of `vectors * lanes` channels, zero padded at the end of the last one:
//
//   [block][phase][tap of the phase][ci][channel in block]
//
// Phases and taps come in row-major order (d, h, w). The format depends on the layer's options alone,
// never on a call's shapes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernel_table.h"
#include "phases.h"
#include "upconv/tensor.h"

namespace upconv::internal {

/// Output channels [first_channel, first_channel + channels) and the tiles that compute them.
struct Part {
  /// Same lanes and vectors, tallest first; the last has one pixel.
  std::span<const WideKernel> tiles;
  Index first_channel = 0;
  Index channels = 0;  ///< real ones; the last block of the last part may be padded
  Index blocks = 0;
  std::size_t offset = 0;  ///< of the first block in the packed weights, in elements

  Index block_channels() const { return Index{tiles[0].lanes} * tiles[0].vectors; }
};

/// Cuts `output_size` channels into parts so that the summed cost of all blocks (kernels.json) is
/// least. @return parts with offset 0; empty when this build has no kernel for the ISA.
std::vector<Part> choose_parts(Index output_size, DType dtype, Isa isa);

/// What a layer's options fix of the packed format.
struct PackedLayout {
  AxisPhases axes[3];  ///< d, h, w
  Index taps = 1;      ///< of all axes multiplied
  Index input_size = 0;
  Index output_size = 0;
  DType dtype = DType::kFloat32;
  Isa isa = Isa::kSse41;
  std::vector<Part> parts;

  /// Rows (tap, ci) of one block.
  Index rows() const { return taps * input_size; }
};

/// Packed weights and padded bias of one ISA. Immutable once made, so calls share it.
struct Packed {
  PackedLayout layout;
  Tensor weights;  ///< flat
  Tensor bias;     ///< one entry per padded channel of every part, in order
  std::size_t bytes() const;
};

/// @throws Error kLimitExceeded when the weights of one block are more than the kernels' 32-bit
///         offsets reach; the message starts with `label`.
PackedLayout make_layout(const AxisPhases (&axes)[3], Index input_size, Index output_size,
                         DType dtype, Isa isa, const std::string& label);

/// Packs a C-order kernel `filter_shape ++ [input_size, output_size]` and a bias (zero when absent).
std::shared_ptr<const Packed> pack(const PackedLayout& layout, const Tensor& kernel,
                                   const Tensor* bias);

}  // namespace upconv::internal
