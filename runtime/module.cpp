#include "upconv/module.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <unordered_set>

#include "files.h"
#include "upconv/error.h"
#include "upconv/npz.h"
#include "weights.h"

namespace upconv::UPCONV_ABI {

namespace {

/// The scope that modules made on this thread start in, such as "decoder/up1/"; null: "". A
/// thread_local that has a destructor would keep a shared object with the library in it from being
/// unloaded.
thread_local const std::string* current_scope = nullptr;

/// A name as a part of a scope, by TFP's rule: a run of other characters than letters, digits and
/// "_" becomes one "_", and "_" at either end is dropped.
std::string scope_part(std::string_view name) {
  std::string part;
  bool replacing = false;
  for (const char c : name) {
    const bool valid =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (valid || !replacing) part += valid ? c : '_';
    replacing = !valid;
  }
  const std::size_t first = part.find_first_not_of('_');
  if (first == std::string::npos) return "Module";
  return part.substr(first, part.find_last_not_of('_') - first + 1);
}

/// Pads as Python's format(): to the left of numbers, to the right of strings, never cutting.
std::string pad_left(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}
std::string pad_right(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, text.size()), ' ');
}

std::string summary_line(const std::string& size, const std::string& shape,
                         const std::string& trainable, const std::string& name) {
  return pad_left(size, 6) + " " + pad_right(shape, 20) + " " + pad_right(trainable, 5) + " " +
         pad_right(name, 40) + "\n";
}

template <typename From>
auto only_trainable(std::vector<From*> variables) {
  std::erase_if(variables, [](const From* variable) { return !variable->trainable(); });
  return variables;
}

template <typename T>
std::vector<const T*> read_only(const std::vector<T*>& items) {
  return {items.begin(), items.end()};
}

}  // namespace

// ---- Variable

void Variable::assign(const ConstTensorView& value) {
  const auto name = [this] {
    const std::string scope = owner_ ? owner_->name_scope() : "";
    return "variable \"" + internal::printable(std::string_view(scope + name_)) + "\"";
  };
  if (value.shape() != shape()) {
    throw Error(ErrorKind::kShapeMismatch, name() + ": value has shape " +
                                               to_string(value.shape()) + "; it must be " +
                                               to_string(shape()));
  }
  if (value.dtype() != dtype()) {
    throw Error(ErrorKind::kShapeMismatch, name() + ": value is " +
                                               std::string(to_string(value.dtype())) +
                                               "; it must be " + std::string(to_string(dtype())));
  }
  if (!value.data() && element_count(value.shape()) > 0) {
    throw Error(ErrorKind::kInvalidArgument, name() + ": value has no data (null); it must have " +
                                                 std::to_string(element_count(value.shape())) +
                                                 " elements");
  }
  Tensor copy = Tensor::copy_of(value);
  if (owner_) owner_->before_assign(*this, copy);
  value_ = std::move(copy);
}

// ---- Module

/// Collects everything below a module in tf.Module's order: what a module holds first, then what is
/// below each of those. A thing that is reachable twice, or from below itself, appears once.
struct Module::Walk {
  explicit Walk(Module& root) {
    seen.insert(&root);
    visit(root);
  }

  void visit(Module& module) {
    std::vector<Module*> held = module.tracked_modules();
    const std::vector<Module*> own = module.own_modules();
    held.insert(held.end(), own.begin(), own.end());
    std::erase_if(held, [this](Module* each) { return !each || !seen.insert(each).second; });
    modules.insert(modules.end(), held.begin(), held.end());
    for (Variable* variable : module.own_variables()) {
      if (variable && seen.insert(variable).second) variables.push_back(variable);
    }
    for (Module* each : held) visit(*each);
  }

  std::unordered_set<const void*> seen;
  std::vector<Module*> modules;
  std::vector<Variable*> variables;
};

Module::Scope::Scope(std::string scope)
    : name(std::move(scope)), before(std::exchange(current_scope, &name)) {}

Module::Scope::~Scope() { current_scope = before; }

Module::Module(std::string name)
    : name_(name.empty() ? "Module" : std::move(name)),
      name_scope_((current_scope ? *current_scope : "") + scope_part(name_) + "/") {}

std::vector<Variable*> Module::variables() { return Walk(*this).variables; }

std::vector<const Variable*> Module::variables() const {
  // own_variables() and own_modules() only look; handing out pointers to const keeps the promise.
  return read_only(const_cast<Module*>(this)->variables());
}

std::vector<Variable*> Module::trainable_variables() { return only_trainable(variables()); }

std::vector<const Variable*> Module::trainable_variables() const {
  return only_trainable(variables());
}

std::vector<Module*> Module::submodules() { return Walk(*this).modules; }

std::vector<const Module*> Module::submodules() const {
  return read_only(const_cast<Module*>(this)->submodules());
}

void Module::before_assign(const Variable& /*variable*/, const Tensor& /*value*/) {}

std::string Module::scoped_name(const Variable& variable) {
  if (!variable.owner_) return variable.name();
  // A layer makes its variables in the scope it is made in itself, so its own name is not in
  // theirs.
  const std::string& scope = variable.owner_->name_scope();
  const std::size_t slash = scope.rfind('/', scope.size() - 2);
  return (slash == std::string::npos ? "" : scope.substr(0, slash + 1)) + variable.name();
}

// ---- Layer

Tensor Layer::eval(const ConstTensorView& x, bool /*is_training*/) const { return (*this)(x); }

std::string Layer::summary() const {
  std::string text = "=== " + name() + " " + std::string(50, '=') + "\n";
  text += summary_line("SIZE", "SHAPE", "TRAIN", "NAME");

  // Totals by dtype, in the order in which the dtypes first appear.
  std::vector<std::pair<DType, Index>> totals;
  for (const Variable* variable : variables()) {
    const Index size = variable->value().size();
    // ":0" is how TensorFlow names a variable's first and only output.
    text += summary_line(std::to_string(size), to_string(variable->shape()),
                         variable->trainable() ? "True" : "False", scoped_name(*variable) + ":0");
    if (!variable->trainable()) continue;
    auto total = std::find_if(totals.begin(), totals.end(),
                              [&](const auto& each) { return each.first == variable->dtype(); });
    if (total == totals.end()) total = totals.insert(total, {variable->dtype(), 0});
    total->second += size;
  }

  Index count = 0;
  double bytes = 0;
  std::string by_dtype;
  for (const auto& [dtype, size] : totals) {
    count += size;
    bytes += static_cast<double>(size) * static_cast<double>(size_of(dtype));
    if (!by_dtype.empty()) by_dtype += ", ";
    by_dtype += std::string(to_string(dtype)) + ": " + std::to_string(size);
  }
  std::array<char, 64> mebibytes{};
  std::snprintf(mebibytes.data(), mebibytes.size(), "%.3f", bytes / (1 << 20));
  return text + "trainable size: " + std::to_string(count) + "  /  " + mebibytes.data() +
         " MiB  /  {" + by_dtype + "}";
}

void Layer::save(const std::filesystem::path& path) const {
  before_save();
  for (const Module* module : submodules()) module->before_save();
  std::vector<NamedView> arrays;
  for (const Variable* variable : variables()) {
    arrays.push_back({"arr_" + std::to_string(arrays.size()), variable->value()});
  }
  internal::write_arrays(path, arrays);
}

void Layer::load(const std::filesystem::path& path) {
  const std::vector<Variable*> targets = variables();
  const std::vector<Tensor> values = internal::load_variables(
      path, read_only(targets), "layer \"" + internal::printable(std::string_view(name())) + "\"");

  // Everything fits by now. An assignment can still fail while it packs (no memory); then those
  // already made are taken back.
  std::vector<Tensor> before;
  before.reserve(targets.size());
  try {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      before.push_back(targets[i]->value());
      targets[i]->assign(values[i]);
    }
  } catch (...) {
    for (std::size_t i = 0; i + 1 < before.size(); ++i) {
      try {
        targets[i]->assign(before[i]);
      } catch (...) {  // No memory for this one either: the others still go back.
        continue;
      }
    }
    throw;
  }
}

std::vector<Module*> Layer::tracked_modules() {
  std::vector<Module*> modules;
  for (const std::shared_ptr<Module>& module : also_track_) modules.push_back(module.get());
  return modules;
}

}  // namespace upconv::UPCONV_ABI
