// What a call of the wide strategy is expected to take.
#pragma once

#include <vector>

#include "bill.h"
#include "strategy.h"
#include "wide_packing.h"

namespace upconv::UPCONV_ABI::internal {

/// The bill of such a call. @return the main kernel
const char* charge_wide(Bill& bill, const LayerFacts& facts, const std::vector<Part>& parts,
                        const CallAxis (&axes)[3], Index batches);

}  // namespace upconv::UPCONV_ABI::internal
