#include "conventions_terms.h"

#include <algorithm>

namespace upconv::UPCONV_ABI::internal {

Index Terms::in_range(const std::string& name, Index value, Index least, Index most) const {
  if (least <= value && value <= most) return value;
  invalid(name + " is " + std::to_string(value) + "; it must be from " + std::to_string(least) +
          " to " + std::to_string(most));
}

std::vector<Index> Terms::list(const char* name, const std::vector<Index>& values, std::size_t rank,
                               Index absent, Index least, Index most) const {
  if (values.empty()) return std::vector<Index>(rank, absent);
  if (values.size() != rank) {
    invalid(std::string(name) + " has " + std::to_string(values.size()) +
            " values; it must have one per spatial axis, " + std::to_string(rank));
  }
  for (std::size_t axis = 0; axis < rank; ++axis) {
    in_range(std::string(name) + "[" + std::to_string(axis) + "]", values[axis], least, most);
  }
  return values;
}

std::vector<Index> Terms::list(const char* name, const PerAxis& values, int rank,
                               Index least) const {
  const std::vector<Index> expanded = values.expand(rank, std::string(what_) + ": " + name);
  return list(name, expanded, static_cast<std::size_t>(rank), 0, least);
}

void Terms::check_output_padding(const std::vector<Index>& values,
                                 const std::vector<Index>& strides,
                                 const std::vector<Index>& dilations) const {
  for (std::size_t axis = 0; axis < values.size(); ++axis) {
    const Index limit =
        dilations.empty() ? strides[axis] : std::max(strides[axis], dilations[axis]);
    in_range("output_padding[" + std::to_string(axis) + "]", values[axis], 0, limit - 1);
  }
}

std::size_t Terms::rank_of_weights(const char* name, const Dims& shape, const char* order) const {
  if (shape.size() < 3 || shape.size() > 5) {
    invalid(std::string(name) + " has shape " + to_string(shape) + "; it must have 3 to 5 axes, " +
            order);
  }
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    in_range(std::string(name) + " extent " + std::to_string(axis), shape[axis], 1);
  }
  return shape.size() - 2;
}

void Terms::require_ungrouped(const char* name, Index groups) const {
  if (groups == 1) return;
  in_range(name, groups, 1);
  fail(
      ErrorKind::kUnsupported, what_,
      std::string(name) + " is " + std::to_string(groups) + "; it must be 1, groups are not there");
}

std::vector<Index> Terms::tail(const Dims& values, std::size_t first, std::size_t count) {
  return {values.begin() + first, values.begin() + first + count};
}

}  // namespace upconv::UPCONV_ABI::internal
