#include "expected_time.h"

#include <map>
#include <string_view>
#include <vector>

#include "bill.h"
#include "narrow_plan.h"

namespace upconv::compiler {

double expected_time(const LayerPlan& plan) {
  if (plan.narrow != nullptr) return plan.narrow->time;
  std::size_t first = 0;
  while (first < 3 && plan.axes[first].combined == 1) ++first;
  double cost = first < 3 ? combined_store_cost(first, plan.parts.front().tile) : 1;
  double blocks = 0;
  for (const PlannedPart& part : plan.parts) blocks += part.blocks * part.tile.cost;
  cost *= blocks * static_cast<double>(plan.taps() * plan.input_size());
  for (const PlannedAxis& axis : plan.axes) {
    cost *= static_cast<double>(axis.window.output) / static_cast<double>(axis.axis.stride);
  }
  return cost * static_cast<double>(plan.spec.images.value_or(1));
}

double expected_time(const internal::WinogradLayout& layout, const internal::CallAxis (&axes)[3],
                     Index images) {
  // Of what the library charges (runtime/winograd_layout.cpp): a tile goes through the transforms
  // of all axes at once, in a loop of its own and not in calls of kernels, and channels that fill
  // no vector take no way of their own. The shares are those of AVX2 on one machine, for the listed
  // layers (docs/compiled-layers.md).
  constexpr double kTransformShare = 0.8;
  static const std::map<std::string_view, double> shares = {
      {"call", 0},
      {"pass", 0},
      {"padded output", 0},
      {"input", kTransformShare},
      {"gather", kTransformShare},
      {"output", kTransformShare},
      {"sums", kTransformShare},
      {"deal", kTransformShare},
  };
  std::vector<internal::Bill::Item> items;
  internal::Bill bill{.items = &items};
  internal::charge_winograd(bill, layout, axes, images);
  double time = 0;
  for (const internal::Bill::Item& item : items) {
    const auto share = shares.find(item.price.name);
    time += item.count * item.price.of_one * (share == shares.end() ? 1 : share->second);
  }
  return time;
}

}  // namespace upconv::compiler
