#include "strategy.h"

#include <limits>

#include "upconv/error.h"
#include "wide_plan.h"

namespace upconv::internal {

namespace {

constexpr Strategy kStrategies[] = {
    {"wide", wide_cost, wide_kernel, wide_pack},
};

}  // namespace

std::span<const Strategy> strategies() { return kStrategies; }

const Strategy& choose_strategy(const LayerFacts& facts) {
  const Strategy* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const Strategy& strategy : kStrategies) {
    const std::optional<double> cost = strategy.cost(facts);
    if (!cost || *cost >= least) continue;
    best = &strategy;
    least = *cost;
  }
  if (best == nullptr) {
    throw Error(ErrorKind::kUnsupported, facts.label + ": this build has no kernel for " +
                                             std::string(to_string(facts.isa)) + " and " +
                                             std::string(to_string(facts.dtype)));
  }
  return *best;
}

}  // namespace upconv::internal
