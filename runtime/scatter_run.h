// Runs a call of the scatter strategy: ranges of outputs along one axis, and for each the inputs
// that reach it.
//
// Along the slowest axis that has more than one position, inputs are walked a step at a time.
// Before a step, the outputs that it is the first to reach get the bias; after it, those that no
// later one reaches are finished. Where taps are in groups, all steps are walked for each. An
// output's products are added one by one, group by group its inputs in row-major order, however the
// call is divided: results are bitwise the same for every number of threads.
#pragma once

#include <cstddef>
#include <limits>
#include <span>

#include "call.h"
#include "chunk.h"
#include "kernel_table.h"
#include "scatter_layout.h"

namespace upconv::UPCONV_ABI::internal {

/// Everything that is the same for all units of a call. Refers to its arguments.
class ScatterRunner {
 public:
  /// @param starts [2][pitch]: zeros, and the bias of each tap's outputs, which products start with
  ScatterRunner(const ScatterLayout& layout, const Tensor& weights, const Tensor& starts,
                const Call& call, int threads);

  Index units() const { return call_.batch_count() * bands_; }
  void run(Index unit, std::span<std::byte> scratch) const;

  /// Of a thread.
  static std::size_t scratch_bytes(const ScatterLayout& layout);

 private:
  struct Memory;
  /// Outputs [begin, end) along the slow axis, in the window, of one image.
  struct Band {
    Index begin = 0, end = 0;
    Index image = 0;
    Place at;  ///< of the image in the views
  };
  struct TapGroup {
    ScatterLayout::Taps taps;
    const std::byte* weights = nullptr;
  };
  const std::byte* weights_of(Index group) const;
  /// Outputs in rows, evenly spaced in y and in the residual.
  struct Rows {
    Place first;
    Index count[2] = {1, 1};  ///< of rows along d and h
    Index outputs = 0;        ///< of a row
  };
  /// The band's outputs [begin, end), which are not none.
  Rows rows_of(const Band& band, Index begin, Index end) const;
  template <typename Visit>
  void for_each_row(const Rows& rows, Visit visit) const;
  void begin_outputs(const Band& band, Index begin, Index end) const;
  void finish_outputs(const Band& band, Index begin, Index end) const;
  /// The products of all inputs [begin, end) along the slow axis, added.
  void add_inputs(const Band& band, const TapGroup& group, Index begin, Index end,
                  const Memory& memory) const;
  /// Inputs [first, first + count) of a box, of at most layout_.chunk_pixels.
  Chunk chunk_of(const Band& band, const Box& box, Index first, const Memory& memory) const;
  void multiply(const Chunk& chunk, const TapGroup& group, const Memory& memory) const;
  void multiply_few(const Chunk& chunk, const TapGroup& group, const Memory& memory) const;
  /// The products of inputs (d, h, w) to (d, h, w + count).
  void add_row(const Band& band, const TapGroup& group, const Index (&input)[3], Index count,
               const std::byte* products) const;

  /// From an input's first output along an axis to its last.
  Index last_tap(int axis) const;

  const ScatterLayout& layout_;
  const Tensor& weights_;
  const std::byte *bias_, *zeros_;  ///< [pitch]: what products start with
  const Call& call_;
  Index size_;
  Call inputs_;  ///< the layer of one tap whose outputs are the products; y is not set
  bool once_;    ///< the products, which start with the bias, are y
  int slow_;     ///< the axis of bands
  bool even_;    ///< inputs of an image are evenly spaced: all chunks have the same table
  const AddedKernel* adder_;  ///< null: none is of use
  Index bands_ = 1, band_outputs_ = 0;
  double min_ = -std::numeric_limits<double>::infinity();
  double max_ = std::numeric_limits<double>::infinity();
  const EpilogueKernel* epilogue_ = nullptr;  ///< null: none is needed
};

}  // namespace upconv::UPCONV_ABI::internal
