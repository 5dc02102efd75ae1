// What headers say of a layer, or of layers that run one after the other, in the words of C.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan.h"

namespace upconv::compiler {

/// Names of the axes d, h, w, in C.
inline constexpr const char* kExtentNames[3] = {"depth", "height", "width"};

/// The name in capitals, as macros have it.
std::string upper(std::string text);

/// Keys and their texts.
using Texts = std::vector<std::pair<std::string, std::string>>;

/// Replaces every {key} by its text, in the order given.
std::string fill(std::string text, const Texts& values);

/// The words of a function that takes the input of `first` and leaves the output of `last`, the
/// same plan where it is one layer.
class Words {
 public:
  Words(std::string name, const LayerPlan& first, const LayerPlan& last);

  const std::string& name() const { return name_; }
  const std::string& macro() const { return macro_; }
  /// float or double.
  std::string element() const;
  /// "[images, height, width, 64]", with known extents as numbers.
  std::string x_shape() const { return shape(first_, false); }
  std::string y_shape() const { return shape(last_, true); }
  /// "const float *packed, const float *x, int32_t images, ..., float *y, void *scratch".
  std::string run_parameters() const;
  /// #define NAME_IMAGES ... of what is constant: images, extents, channels; and NAME_MOST_IMAGES
  /// ... of what has a bound.
  std::string shape_defines() const;
  /// What every header says: {n} and {N} (the name), {version}, {target}, {x_shape}, {y_shape},
  /// {type}, {run}, {or_bound}, and {no_isa}, {no_isa_text}, which are empty but where `chooses`
  /// among several instruction sets, and {not_finite}, {not_finite_text}, but where NAME_pack
  /// `checks` weights.
  Texts header_texts(const std::string& targets, bool chooses, bool checks) const;
  /// #define NAME_WHAT value
  std::string define(const std::string& what, Index value) const;

 private:
  std::string shape(const LayerPlan& plan, bool output) const;

  std::string name_, macro_;
  const LayerPlan& first_;
  const LayerPlan& last_;
};

/// "const float *kernel, const float *bias, ", the names with `suffix` behind.
std::string weight_parameters(const LayerPlan& plan, const std::string& suffix);

/// The same without const: what NAME_weights writes.
std::string weight_results(const LayerPlan& plan);

/// "[4, 4, 64, 32]".
std::string kernel_shape(const LayerPlan& plan);

/// `static inline int64_t NAME_output_height(int64_t height)` for every axis whose extent is an
/// argument.
std::string output_functions(const LayerPlan& plan);

}  // namespace upconv::compiler
