#include "package.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "narrow_plan.h"
#include "scatter_plan.h"
#include "upconv/version.h"
#include "winograd_plan.h"

namespace upconv::compiler {

namespace {

using Json = nlohmann::ordered_json;

/// The transforms F(outputs, taps) of every axis, and what is computed at once.
void describe_winograd(Json& json, const LayerPlan& plan) {
  const WinogradPlan& winograd = *plan.winograd;
  Json axes = Json::array();
  for (std::size_t axis = static_cast<std::size_t>(3 - plan.spec.rank()); axis < 3; ++axis) {
    Json& transforms = axes.emplace_back(Json::array());
    for (int kind = 0; kind < winograd.axes[axis].kinds; ++kind) {
      const internal::AxisTransform& of = winograd.axes[axis].transforms[kind];
      transforms.push_back({{"outputs", of.outputs}, {"taps", of.taps}});
    }
  }
  json["transforms"] = axes;
  json["round_tiles"] = winograd.round_tiles;
  json["group_channels"] = winograd.group_channels;
}

/// The positions of a strip, and the register tile of every group of rows.
void describe_narrow(Json& json, const LayerPlan& plan) {
  const NarrowPlan& narrow = *plan.narrow;
  Json groups = Json::array();
  for (const NarrowGroup& group : narrow.groups) {
    groups.push_back(
        {{"rows", group.rows()}, {"vectors", group.vectors}, {"pieces", group.pieces.size()}});
  }
  json["strip"] = {narrow.strip_h, narrow.strip_w};
  json["groups"] = groups;
}

/// What is decided for one target.
void describe_variant(Json& json, const LayerPlan& plan) {
  Json parts = Json::array();
  for (const PlannedPart& part : plan.parts) {
    parts.push_back({{"first_channel", part.first_channel},
                     {"channels", part.channels * part.blocks},
                     {"blocks", part.blocks},
                     {"vectors", part.tile.vectors},
                     {"pixels", part.tile.heights},
                     {"unroll", part.tile.unroll}});
    if (part.few) parts.back()["few_columns"] = true;
  }
  json["target"] = plan.target.name;
  json["halide_target"] = plan.target.halide.to_string();
  json["strategy"] = plan.strategy();
  if (!plan.autoscheduler.empty()) return;
  json["lanes"] = plan.target.lanes;
  if (plan.narrow != nullptr) {
    describe_narrow(json, plan);
    return;
  }
  json["parts"] = parts;
  json["combined_phases"] = plan.channels() / plan.output_size();
  if (plan.winograd != nullptr) {
    describe_winograd(json, plan);
  } else if (plan.scatter != nullptr) {
    json["chunk_inputs"] = plan.scatter->chunk;
  } else {
    json["slab_bytes"] = plan.target.slab_bytes;
    json["piece_inputs"] = plan.piece_inputs;
    json["fills_gaps"] = plan.fills_gaps;
  }
}

}  // namespace

std::string manifest(const std::vector<LayerPlan>& variants, std::uintmax_t library_bytes,
                     const std::vector<std::string>& command) {
  const LayerPlan& plan = variants.front();
  const auto known = [](std::optional<Index> value) {
    return value ? Json(*value) : Json(nullptr);
  };
  Json extents = Json::array(), outputs = Json::array(), most = Json::array();
  for (const auto& extent : plan.spec.most_extents) most.push_back(known(extent));
  for (int axis = 3 - plan.spec.rank(); axis < 3; ++axis) {
    const PlannedAxis& of = plan.axes[static_cast<std::size_t>(axis)];
    extents.push_back(known(of.input));
    outputs.push_back(of.input ? Json(of.window.output) : Json(nullptr));
  }
  Json json = {
      {"upconvc", UPCONV_VERSION},
      {"name", plan.spec.name},
      {"layer", plan.spec.checked.options.name},
      {"dtype", std::string(to_string(plan.spec.dtype()))},
      {"images", known(plan.spec.images)},
      {"most_images", known(plan.spec.most_images)},
      {"input", extents},
      {"most_input", most},
      {"output", outputs},
      {"input_size", plan.input_size()},
      {"output_size", plan.output_size()},
      {"activation", std::string(plan.spec.checked.options.activation_fn.name())},
  };
  if (variants.size() == 1) {
    describe_variant(json, plan);
  } else {
    for (const LayerPlan& variant : variants)
      describe_variant(json["variants"].emplace_back(), variant);
  }
  json["weights"] = plan.spec.embeds_weights() ? "constant" : "packed by the caller";
  json["packed_bytes"] = most_packed_bytes(variants);
  json["scratch_bytes"] = most_scratch_bytes(variants);
  json["library_bytes"] = library_bytes;
  json["command"] = command;
  return json.dump(2) + "\n";
}

std::string chain_manifest(const Chain& chain, std::uintmax_t library_bytes,
                           const std::vector<std::string>& command) {
  Json json = {{"upconvc", UPCONV_VERSION}, {"name", chain.name}, {"layers", Json::array()}};
  for (const auto& variants : chain.layers) {
    json["layers"].push_back(variants.front().spec.name);
  }
  const bool constant = chain.first().spec.embeds_weights(), fixed = chain.first().is_fixed();
  json["weights"] = constant ? "constant" : "packed by the caller";
  json["packed_bytes"] = chain.packed_at(chain.layers.size());
  json["scratch_bytes"] = fixed ? Json(chain.scratch_bytes()) : Json(nullptr);
  json["library_bytes"] = library_bytes;
  json["command"] = command;
  return json.dump(2) + "\n";
}

std::vector<PackageFile> package_files(const std::string& name) {
  const std::string cmake = R"(# find_package(@): the target @::@, a layer compiled by upconvc.
get_filename_component(_@_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET @::@)
  add_library(@::@ STATIC IMPORTED)
  set_target_properties(
    @::@ PROPERTIES IMPORTED_LOCATION "${_@_prefix}/lib/lib@.a"
                    INTERFACE_INCLUDE_DIRECTORIES "${_@_prefix}/include")
endif()
unset(_@_prefix)
)";
  const std::string pkg_config = R"(prefix=${pcfiledir}/../..

Name: @
Description: A transposed convolution, compiled by upconvc
Version: )" UPCONV_VERSION R"(
Cflags: -I${prefix}/include
Libs: -L${prefix}/lib -l@
)";
  const auto named = [&](std::string text) {
    for (std::size_t at = 0; (at = text.find('@', at)) != std::string::npos; at += name.size()) {
      text.replace(at, 1, name);
    }
    return text;
  };
  return {{"lib/cmake/" + name + "/" + name + "Config.cmake", named(cmake)},
          {"lib/pkgconfig/" + name + ".pc", named(pkg_config)}};
}

}  // namespace upconv::compiler
