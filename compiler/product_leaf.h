// The pipeline of a matrix product (generators/matrix_product.h): for the strategies that multiply
// first.
#pragma once

#include "Halide.h"
#include "leaf.h"
#include "plan.h"

namespace upconv::compiler {

/// Where a product's operands lie, in elements.
struct ProductShape {
  Index row_step = 1;      ///< from a row to the next
  Index most_rows = 0;     ///< that are addressed
  Index product_step = 1;  ///< from the products of a row to those of the next
  Index usual_rows = 0;    ///< of a call: whether tiles have time to ask for the next weights
  bool outputs = false;    ///< they are outputs: with the bias and the activation
};

/// (packed, rows, weights -> products), the block's weights, those that come next, the block's
/// bias, register tiles of `height` rows: of a block of `part`.
/// @param constant the constant weights, where they are
Leaf product_leaf(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part,
                  int height, const ProductShape& shape, const Halide::Buffer<void>& constant);

/// The same of a part with few channels, a vector of rows at a time. @param height lanes, and the
/// last integer counts tiles; or 1, and it counts rows, fewer than lanes, beside whose products
/// others are written, of a whole tile.
Leaf few_columns_leaf(Halide::Module& module, const LayerPlan& plan, const PlannedPart& part,
                      int height, const ProductShape& shape, const Halide::Buffer<void>& constant);

}  // namespace upconv::compiler
