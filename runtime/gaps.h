// Gaps: outputs that no tap reaches, where a filter is shorter than its stride or a dilation larger
// than x. They are activation(bias), and there may be hundreds for each output that is computed.
#pragma once

#include <cstddef>

#include "call.h"
#include "upconv/executor.h"
#include "upconv/isa.h"

namespace upconv::UPCONV_ABI::internal {

/// Filling writes all, so gaps must be most of y.
inline constexpr double kMostReached = 0.5;

/// True where it is faster to fill y run by run, and then to compute the outputs that taps reach
/// over it, than to visit the gaps box by box: in a large y of which gaps are at least a half.
/// Never with a residual, for then they differ.
bool gaps_pay(const Call& call, Index output_size);

/// The same of a y of so many bytes, of whose outputs taps reach that share.
bool gaps_pay(double bytes, double reached);

/// Gives all outputs of rows that have gaps the value of one.
/// @param bias of output_size channels
void fill_gaps(const Call& call, Index output_size, Isa isa, const std::byte* bias, int threads,
               Executor* executor);

}  // namespace upconv::UPCONV_ABI::internal
