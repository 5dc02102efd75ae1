// The second half of the scatter strategy: products to the outputs that they belong to.
#pragma once

#include "kernel_table.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// A row of inputs along w. Input i and tap j of that axis meet at output i * stride + j *
/// dilation, counted from the output of the first input and tap.
struct ScatterRow {
  Index inputs = 0;
  Index taps = 0;
  Index stride = 1;
  Index dilation = 1;
  Index channels = 0;  ///< of an output
  Index pitch = 0;     ///< from an input's products, [tap][channel], to the next's
  Index step = 0;      ///< from output to output in y
  Index begin = 0;     ///< outputs [begin, end) exist
  Index end = 0;
  bool once = false;                   ///< each output meets one tap: y is written, not added to
  const AddedKernel* adder = nullptr;  ///< adds a vector of outputs at a time; null: run by run
};

/// Taps of another axis: as many rows of products and of y.
struct ScatterTaps {
  Index taps = 0;
  Index from_step = 0;  ///< in the products
  Index to_step = 0;    ///< in y
};

/// to[i*to_step + e] = from[i*from_step + e] for i < count, e < run; quick for short runs.
template <Element T>
void copy_runs(const T* from, Index from_step, T* to, Index to_step, Index count, Index run);

/// y[d*to_d + h*to_h + (i*stride + j*dilation)*step + c] +=
///     products[i*pitch + d*from_d + h*from_h + j*channels + c]
/// where that output exists (= where outputs meet one tap); each output's inputs in ascending
/// order.
template <Element T>
void add_products(const ScatterRow& row, const ScatterTaps& d, const ScatterTaps& h,
                  const T* products, T* y);

}  // namespace upconv::UPCONV_ABI::internal
