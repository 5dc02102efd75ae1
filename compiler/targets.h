// Targets by name: what Halide calls them, and the tiles that suit their registers.
#pragma once

#include <string>
#include <vector>

#include "Halide.h"
#include "upconv/dtype.h"

namespace upconv::compiler {

/// One width of block, and the heights of its tiles, tallest first, 1 last.
struct TileRow {
  int vectors = 1;
  std::vector<int> heights = {};
  int unroll = 1;
  double cost = 1;  ///< of a pixel of a block, in vectors
};

/// What code is generated for, and what it is cut for.
struct TargetInfo {
  std::string name;  ///< as the user gave it
  Halide::Target halide = {};
  std::string tiles_of = {};  ///< the row of schedules/kernels.json whose tiles it takes
  std::vector<TileRow> tiles = {};
  int lanes = 4;        ///< elements in a vector, of the dtype asked for
  int few_columns = 0;  ///< so many are multiplied a vector of rows at a time (few_columns.h)
  // As kernel_table.h's TargetSizes.
  int slab_bytes = 0, panel_bytes = 0, piece_rows = 0, strip_bytes = 0;

  /// Vector registers that sums and operands of a register tile may take. Of 32 a few are needed
  /// beside them; without a fused multiply-add products are, too.
  int tile_registers() const {
    if (tiles_of == "avx512" || tiles_of == "neon") return 29;
    return fused() ? 16 : 14;
  }
  /// It has a fused multiply-add.
  bool fused() const {
    return halide.arch != Halide::Target::X86 || halide.has_feature(Halide::Target::FMA);
  }
};

inline Halide::Type halide_type(DType dtype) {
  return dtype == DType::kFloat32 ? Halide::Float(32) : Halide::Float(64);
}

/// Names that `--target` takes besides Halide's own: each one stands for a whole list of features.
const std::vector<std::pair<std::string, std::string>>& target_names();

/// @throws Error kInvalidArgument for a name that is none, or features that contradict each other;
///         the message lists what there is.
TargetInfo find_target(const std::string& name, DType dtype);

}  // namespace upconv::compiler
