#include "config.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "upconv/error.h"
#include "upconv/initializers.h"
#include "upconv/sequential.h"

namespace upconv::tools {

namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{16} << 20;
constexpr int kMaxDepth = 32;  // a layer's description needs six levels; printing one recurses

[[noreturn]] void fail(std::string_view where, const std::string& text) {
  throw Error(ErrorKind::kInvalidArgument, std::string(where) + ": " + text);
}

/// A value as a message shows it: one short line of plain ASCII.
std::string show(const Json& value) {
  constexpr std::size_t kMost = 80;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kMost) text = text.substr(0, kMost) + "...";
  return text;
}

/// "must be" errors: `where: key is value; it must be rule`.
[[noreturn]] void fail_value(std::string_view where, const std::string& key, const Json& value,
                             const std::string& rule) {
  fail(where, key + " is " + show(value) + "; it must be " + rule);
}

/// Parses a text and refuses keys that are given twice, of which nlohmann::json keeps the last.
Json parse_json(std::string_view text, std::string_view what) {
  std::vector<std::set<std::string>> keys_of_open_objects;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) {
      fail(what, "the text is nested over " + std::to_string(kMaxDepth) +
                     " levels deep; a layer's description may not be");
    }
    if (event == Json::parse_event_t::object_start) {
      keys_of_open_objects.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys_of_open_objects.pop_back();
    } else if (event == Json::parse_event_t::key) {
      if (!keys_of_open_objects.back().insert(parsed.get<std::string>()).second) {
        fail(what, "key " + show(parsed) + " is given twice in one object; it must be given once");
      }
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::exception& error) {
    std::string reason = error.what();  // "[json.exception.parse_error.101] parse error at ..."
    if (const std::size_t end = reason.find("] "); reason.starts_with("[") && end != reason.npos) {
      reason.erase(0, end + 2);
    }
    fail(what, "the text is not JSON (" + reason + "); it must be one JSON value");
  }
}

std::string read_text(const std::filesystem::path& path) {
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorKind::kIo, path.string() + ": cannot be read: " + reason);
  };
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) refuse("it is a directory");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse(std::strerror(errno));
  std::string text;
  std::array<char, 65536> block;
  while (file.read(block.data(), block.size()) || file.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMaxFileBytes) {
      throw Error(ErrorKind::kLimitExceeded,
                  path.string() + ": the file is over 16 MiB; a layer's description may not be");
    }
  }
  if (file.bad()) refuse(std::strerror(errno));
  return text;
}

/// The keys of one object, taken one by one; what is left at the end is unknown.
class Keys {
 public:
  /// @param path what stands before a key in messages, for example `layers[2].config.`.
  Keys(const Json& object, std::string_view where, std::string path)
      : object_(object), where_(where), path_(std::move(path)) {
    if (!object.is_object()) {
      const std::string name = path_.empty() ? "the value" : path_.substr(0, path_.size() - 1);
      fail_value(where, name, object, "an object");
    }
  }

  std::string_view where() const { return where_; }
  std::string path(const std::string& key) const { return path_ + key; }

  /// The value of a key, or null when it is absent.
  const Json* find(const std::string& key) {
    known_.push_back(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  const Json& require(const std::string& key) {
    const Json* const value = find(key);
    if (!value) fail(where_, path(key) + " is missing; it is required");
    return *value;
  }

  std::string text(const std::string& key, const Json& value) const {
    if (!value.is_string()) fail_value(where_, path(key), value, "a string");
    return value.get<std::string>();
  }

  Index integer(const std::string& key, const Json& value) const {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
    const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= kMost
                                                 : value.is_number_integer();
    if (!fits) fail_value(where_, path(key), value, "an integer of at most 63 bits");
    return value.get<Index>();
  }

  double number(const std::string& key, const Json& value) const {
    if (!value.is_number()) fail_value(where_, path(key), value, "a number");
    return value.get<double>();
  }

  /// One integer, or `rank` of them.
  PerAxis per_axis(const std::string& key, const Json& value, int rank) const {
    if (!value.is_array()) {
      if (!value.is_number()) {
        fail_value(where_, path(key), value, "an integer or " + integers(rank));
      }
      return integer(key, value);
    }
    if (value.size() != static_cast<std::size_t>(rank)) {
      fail_value(where_, path(key), value, "one integer or " + integers(rank) + ", one per axis");
    }
    std::vector<Index> values;
    for (std::size_t axis = 0; axis < value.size(); ++axis) {
      values.push_back(integer(indexed(key, axis), value[axis]));
    }
    return values;
  }

  Padding padding(const std::string& key, const Json& value, int rank) const {
    const std::string rule = "\"valid\", \"same\", \"split_upper\", \"split_lower\" or " +
                             std::to_string(rank) + " [begin, end] pairs, one per axis";
    if (value.is_string()) {
      try {
        return Padding(value.get<std::string>());
      } catch (const Error&) {
        fail_value(where_, path(key), value, rule);
      }
    }
    if (!value.is_array() || value.size() != static_cast<std::size_t>(rank)) {
      fail_value(where_, path(key), value, rule);
    }
    Padding::Pairs pairs;
    for (std::size_t axis = 0; axis < value.size(); ++axis) {
      const Json& pair = value[axis];
      const std::string name = indexed(key, axis);
      if (!pair.is_array() || pair.size() != 2) {
        fail_value(where_, path(name), pair, "a [begin, end] pair");
      }
      pairs.emplace_back(integer(indexed(name, 0), pair[0]), integer(indexed(name, 1), pair[1]));
    }
    return Padding(std::move(pairs));
  }

  /// Refuses every key that was not asked for.
  void refuse_others() const {
    for (const auto& item : object_.items()) {
      if (std::find(known_.begin(), known_.end(), item.key()) != known_.end()) continue;
      std::string list;
      for (const std::string& key : known_) list += (list.empty() ? "" : ", ") + key;
      fail(where_, "key " + show(path(item.key())) + " is unknown; the keys are " + list);
    }
  }

  static std::string indexed(const std::string& key, std::size_t index) {
    return key + "[" + std::to_string(index) + "]";
  }

 private:
  static std::string integers(int rank) {
    return rank == 1 ? "a list of one integer" : "a list of " + std::to_string(rank) + " integers";
  }

  const Json& object_;
  std::string_view where_;
  std::string path_;
  std::vector<std::string> known_;
};

Activation parse_activation(const Keys& keys, const std::string& key, const Json& value) {
  if (value.is_null()) return {};
  try {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_object()) {
      fail_value(keys.where(), keys.path(key), value, "a name, an object with a name, or null");
    }
    Keys of(value, keys.where(), keys.path(key) + ".");
    const std::string name = of.text("name", of.require("name"));
    const auto number = [&](const std::string& parameter, double absent) {
      const Json* const given = of.find(parameter);
      return given ? of.number(parameter, *given) : absent;
    };
    Activation activation(name);
    if (activation.kind() == ActivationKind::kLeakyRelu) {
      activation = Activation::leaky_relu(number("alpha", activation.alpha()));
    } else if (activation.kind() == ActivationKind::kClamp) {
      const double min = number("min", activation.min());
      const double max = number("max", activation.max());
      activation = Activation::clamp(min, max);
    }
    of.refuse_others();
    return activation;
  } catch (const Error& error) {
    const std::string_view text = error.what();
    if (text.starts_with(keys.where())) throw;
    // What Activation itself refuses.
    fail(keys.where(), keys.path(key) + " is " + show(value) + "; " + error.what());
  }
}

ConvolutionTransposeOptions parse_options(const Json& value, std::string_view where,
                                          const std::string& path) {
  Keys keys(value, where, path);
  ConvolutionTransposeOptions options;
  // The rank comes first: it says how long the lists must be.
  if (const Json* const rank = keys.find("rank")) {
    const Index given = keys.integer("rank", *rank);
    if (given < 1 || given > 3) fail_value(where, keys.path("rank"), *rank, "1, 2 or 3");
    options.rank = static_cast<int>(given);
  }
  const int rank = options.rank;
  options.input_size = keys.integer("input_size", keys.require("input_size"));
  options.output_size = keys.integer("output_size", keys.require("output_size"));
  options.filter_shape = keys.per_axis("filter_shape", keys.require("filter_shape"), rank);
  if (const Json* const strides = keys.find("strides")) {
    options.strides = keys.per_axis("strides", *strides, rank);
  }
  if (const Json* const dilations = keys.find("dilations")) {
    options.dilations = keys.per_axis("dilations", *dilations, rank);
  }
  if (const Json* const padding = keys.find("padding")) {
    options.padding = keys.padding("padding", *padding, rank);
  }
  if (const Json* const extra = keys.find("output_padding"); extra && !extra->is_null()) {
    options.output_padding = keys.per_axis("output_padding", *extra, rank);
  }
  if (const Json* const lengths = keys.find("output_lengths"); lengths && !lengths->is_null()) {
    options.output_lengths = keys.per_axis("output_lengths", *lengths, rank);
  }
  if (const Json* const activation = keys.find("activation")) {
    options.activation_fn = parse_activation(keys, "activation", *activation);
  }
  if (const Json* const name = keys.find("name")) options.name = keys.text("name", *name);
  if (const Json* const dtype = keys.find("dtype")) {
    const std::string given = keys.text("dtype", *dtype);
    if (given != "float32" && given != "float64") {
      fail_value(where, keys.path("dtype"), *dtype, "\"float32\" or \"float64\"");
    }
    options.dtype = parse_dtype(given);
  }
  if (const Json* const arithmetic = keys.find("arithmetic")) {
    const std::optional<Arithmetic> given = parse_arithmetic(keys.text("arithmetic", *arithmetic));
    if (!given) {
      fail_value(where, keys.path("arithmetic"), *arithmetic, "\"fast\" or \"direct\"");
    }
    options.arithmetic = *given;
  }
  if (const Json* const device = keys.find("device")) {
    const std::optional<Device> given = parse_device(keys.text("device", *device));
    if (!given)
      fail_value(where, keys.path("device"), *device, "\"cpu\", \"gpu\", \"cuda\" or \"opencl\"");
    options.device = *given;
  }
  if (const Json* const use_bias = keys.find("use_bias")) {
    if (!use_bias->is_boolean()) {
      fail_value(where, keys.path("use_bias"), *use_bias, "true or false");
    }
    options.use_bias = use_bias->get<bool>();
  }
  keys.refuse_others();
  return options;
}

/// A layer, or an entry whose "config" is the layer. `path` names it in messages: "" or
/// "layers[2].".
LayerConfig parse_layer(const Json& value, std::string_view what, const std::string& path) {
  LayerConfig layer;
  layer.where = what;
  if (!path.empty()) layer.where += ": " + path.substr(0, path.size() - 1);
  if (!value.is_object() || !value.contains("config")) {
    layer.options = parse_options(value, what, path);
    return layer;
  }
  Keys keys(value, what, path);
  const Json& config = keys.require("config");
  layer.options = parse_options(config, what, keys.path("config") + ".");
  if (const Json* const name = keys.find("name")) {
    const std::string given = keys.text("name", *name);
    if (!config.contains("name")) layer.options.name = given;
  }
  if (const Json* const source = keys.find("source")) keys.text("source", *source);
  if (const Json* const input = keys.find("input")) {
    if (!input->is_array() || input->size() > kMaxAxes) {
      fail_value(what, keys.path("input"), *input, "a shape: a list of integers");
    }
    layer.input.emplace();
    for (std::size_t axis = 0; axis < input->size(); ++axis) {
      layer.input->push_back(keys.integer(Keys::indexed("input", axis), (*input)[axis]));
    }
  }
  keys.refuse_others();
  return layer;
}

std::vector<LayerConfig> parse_layers(const Json& list, std::string_view what,
                                      const std::string& name) {
  if (!list.is_array() || list.empty()) {
    fail_value(what, name.empty() ? "the value" : name, list, "a list of at least one layer");
  }
  std::vector<LayerConfig> layers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    layers.push_back(parse_layer(list[i], what, Keys::indexed(name, i) + "."));
  }
  return layers;
}

}  // namespace

ModelConfig parse_config(std::string_view text, std::string_view what) {
  const Json value = parse_json(text, what);
  ModelConfig model;
  if (value.is_object() && value.contains("layers")) {
    Keys keys(value, what, "");
    model.layers = parse_layers(keys.require("layers"), what, "layers");
    keys.refuse_others();
    model.sequential = true;
  } else {
    model.layers.push_back(parse_layer(value, what, ""));
  }
  return model;
}

ModelConfig read_config(const std::filesystem::path& path) {
  return parse_config(read_text(path), path.string());
}

std::vector<LayerConfig> parse_layer_list(std::string_view text, std::string_view what) {
  return parse_layers(parse_json(text, what), what, "");
}

std::vector<LayerConfig> read_layer_list(const std::filesystem::path& path) {
  return parse_layer_list(read_text(path), path.string());
}

std::unique_ptr<ConvolutionTranspose> make_layer(const LayerConfig& config,
                                                 std::optional<Isa> isa) {
  ConvolutionTransposeOptions options = config.options;
  options.init_kernel_fn = initializers::zeros();
  options.init_bias_fn = initializers::zeros();
  options.isa = isa;
  options.expected_input_shape = config.input;
  try {
    return std::make_unique<ConvolutionTranspose>(std::move(options));
  } catch (const Error& error) {
    throw Error(error.kind(), config.where + ": " + error.what());
  }
}

std::unique_ptr<Layer> make_model(const ModelConfig& config, std::optional<Isa> isa) {
  if (!config.sequential) return make_layer(config.layers.front(), isa);
  std::vector<std::unique_ptr<Layer>> layers;
  for (const LayerConfig& layer : config.layers) layers.push_back(make_layer(layer, isa));
  return std::make_unique<Sequential>(std::move(layers));
}

}  // namespace upconv::tools
