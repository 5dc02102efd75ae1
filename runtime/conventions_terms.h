// Arguments in other libraries' terms: checked, and named as there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"
#include "options.h"
#include "upconv/conventions.h"

namespace upconv::UPCONV_ABI::internal {

/// Checks the arguments of one `from_...`, whose name starts every message.
class Terms {
 public:
  explicit Terms(std::string_view what) : what_(what) {}

  [[noreturn]] void invalid(const std::string& text) const {
    fail(ErrorKind::kInvalidArgument, what_, text);
  }

  /// `value`, which must be from `least` to `most`.
  Index in_range(const std::string& name, Index value, Index least, Index most = kLargest) const;

  /// `rank` values, each in the range; a missing list is `rank` times `absent`.
  std::vector<Index> list(const char* name, const std::vector<Index>& values, std::size_t rank,
                          Index absent, Index least, Index most = kLargest) const;
  std::vector<Index> list(const char* name, const PerAxis& values, int rank, Index least) const;

  /// output_padding's values must be below the strides, or below the larger of stride and dilation.
  void check_output_padding(const std::vector<Index>& values, const std::vector<Index>& strides,
                            const std::vector<Index>& dilations = {}) const;

  /// The rank, 1 to 3, of weights of that shape, whose extents must be in range.
  std::size_t rank_of_weights(const char* name, const Dims& shape, const char* order) const;

  void require_ungrouped(const char* name, Index groups) const;

  /// The extents of `values` from `first` on.
  static std::vector<Index> tail(const Dims& values, std::size_t first, std::size_t count);

 private:
  std::string_view what_;
};

}  // namespace upconv::UPCONV_ABI::internal
