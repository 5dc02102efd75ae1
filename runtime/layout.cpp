#include "upconv/layout.h"

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "permuted.h"
#include "upconv/error.h"

namespace upconv::UPCONV_ABI {

namespace {

/// Number of batch axes.
std::size_t check(const ConstTensorView& tensor, int rank, const char* what) {
  if (rank < 1) {
    throw Error(ErrorKind::kInvalidArgument, std::string(what) + ": rank is " +
                                                 std::to_string(rank) + "; it must be at least 1");
  }
  const std::size_t needed = static_cast<std::size_t>(rank) + 1;
  if (tensor.shape().size() < needed) {
    throw Error(ErrorKind::kShapeMismatch, std::string(what) + ": tensor has shape " +
                                               to_string(tensor.shape()) +
                                               "; it must have at least " + std::to_string(needed) +
                                               " axes for rank " + std::to_string(rank));
  }
  return tensor.shape().size() - needed;
}

/// A copy with one axis moved; the others keep their order.
Tensor moved(const ConstTensorView& tensor, std::size_t from, std::size_t to) {
  std::vector<Index> source(tensor.shape().size());
  std::iota(source.begin(), source.end(), Index{0});
  source.erase(source.begin() + static_cast<std::ptrdiff_t>(from));
  source.insert(source.begin() + static_cast<std::ptrdiff_t>(to), static_cast<Index>(from));
  return internal::permuted(tensor, Dims(source));
}

}  // namespace

Tensor channels_first_to_last(const ConstTensorView& tensor, int rank) {
  const std::size_t channels = check(tensor, rank, "channels_first_to_last");
  return moved(tensor, channels, tensor.shape().size() - 1);
}

Tensor channels_last_to_first(const ConstTensorView& tensor, int rank) {
  const std::size_t channels = check(tensor, rank, "channels_last_to_first");
  return moved(tensor, tensor.shape().size() - 1, channels);
}

}  // namespace upconv::UPCONV_ABI
