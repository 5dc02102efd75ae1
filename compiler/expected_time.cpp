#include "expected_time.h"

#include <map>
#include <string_view>
#include <vector>

#include "bill.h"
#include "boxes_time.h"
#include "layer_state.h"
#include "narrow_plan.h"
#include "scatter_plan.h"
#include "winograd_plan.h"

namespace upconv::compiler {

namespace {

/// The instruction set of this build of the library whose sizes and costs a target's are nearest
/// to.
Isa isa_like(const TargetInfo& target, DType dtype) {
  for (const Isa isa : internal::built_isas()) {
    if (to_string(isa) == target.tiles_of &&
        !internal::rows_for(internal::wide_kernels(), dtype, isa).empty()) {
      return isa;
    }
  }
  return internal::built_isas().front();
}

}  // namespace

internal::LayerFacts library_facts(const LayerPlan& plan) {
  internal::LayerFacts facts =
      layer_facts(plan.spec.checked, isa_like(plan.target, plan.spec.dtype()));
  facts.vector_time = 1;  // that of the machine that compiles must not show in the code
  facts.expected_images = plan.spec.images.value_or(1);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    facts.expected_inputs[axis] = *plan.axes[axis].input;
    facts.expected_windows[axis] = plan.axes[axis].window;
  }
  return facts;
}

double expected_time(const LayerPlan& plan) {
  if (plan.narrow != nullptr) return plan.narrow->time;
  if (plan.scatter != nullptr) return plan.scatter->time;
  if (plan.winograd != nullptr) return plan.winograd->time;
  return boxes_time(plan, plan.in_pieces());
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
