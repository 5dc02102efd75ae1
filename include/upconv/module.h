// Modules: named things that hold variables and other modules, as tf.Module and tfp's Layer.
#pragma once

#include <any>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "upconv/executor.h"
#include "upconv/isa.h"
#include "upconv/shape.h"
#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

class Module;
class Sequential;

/// A named tensor that belongs to a module and can be assigned, as tf.Variable.
class Variable {
 public:
  Variable(std::string name, Tensor value, bool trainable = true)
      : name_(std::move(name)), value_(std::move(value)), trainable_(trainable) {}

  /// A copy of the name and the value; it belongs to no module, and assigning it packs nothing.
  Variable(const Variable& other)
      : name_(other.name_), value_(other.value_), trainable_(other.trainable_) {}
  Variable(Variable&& other) noexcept
      : name_(std::move(other.name_)),
        value_(std::move(other.value_)),
        trainable_(other.trainable_) {}
  /// As assign(): takes the value, keeps the name and the module.
  Variable& operator=(const Variable& other) {
    if (this != &other) assign(other.value_.view());
    return *this;
  }
  Variable& operator=(const ConstTensorView& value) {
    assign(value);
    return *this;
  }
  ~Variable() = default;

  const std::string& name() const noexcept { return name_; }
  const Tensor& value() const noexcept { return value_; }
  const Dims& shape() const noexcept { return value_.shape(); }
  DType dtype() const noexcept { return value_.dtype(); }
  bool trainable() const noexcept { return trainable_; }
  operator ConstTensorView() const noexcept { return value_.view(); }

  /// Replaces the value by a copy; whoever packs the variable packs it again before this returns.
  /// Not safe beside calls of the same module from other threads.
  /// @throws Error kShapeMismatch when shape or dtype differ; the variable is unchanged.
  void assign(const ConstTensorView& value);

 private:
  friend class Module;
  std::string name_;
  Tensor value_;
  bool trainable_;
  Module* owner_ = nullptr;
};

/// How one call runs.
struct CallOptions {
  /// Most threads to use, at least 1; results do not depend on it. 1 is truly serial; more than 256
  /// count as 256, and a call too small to gain from them takes fewer.
  int threads = 1;
  /// Who provides the threads; null: the call starts and joins its own.
  Executor* executor = nullptr;
  /// Added to the result before the activation; shaped like the output, of the layer's dtype.
  std::optional<ConstTensorView> residual = {};
  /// Output lengths of the spatial axes, in the place of the layer's own output_padding and
  /// output_lengths: PyTorch's output_size, the spatial part of TensorFlow's output_shape. See
  /// shape.h for those that can be had. A Sequential asks its last layer.
  std::optional<PerAxis> output_lengths = {};
  /// Memory for the call, at least scratch_bytes() of its input shape, threads, isa and
  /// output_lengths, 64-byte aligned and apart from all tensors;
  /// empty: the call allocates. (A view whose channels are not contiguous is copied, which also
  /// allocates.)
  std::span<std::byte> scratch = {};
  /// Where what the call allocates comes from: its result, scratch and copies of views; null: the C
  /// library's heap. Used by the calling thread alone; it must outlive the result.
  std::pmr::memory_resource* memory = nullptr;
  /// The instruction set to use instead of the layer's own; not for one on a GPU.
  std::optional<Isa> isa = {};
};

/// Base of everything that has a name, variables and sub-modules.
class Module {
 public:
  virtual ~Module() = default;

  /// The name given at construction.
  const std::string& name() const noexcept { return name_; }
  /// The name with the scopes it was made in, and a slash: "decoder/up1/". Runs of what is not
  /// a letter, a digit or "_" are "_" here.
  const std::string& name_scope() const noexcept { return name_scope_; }
  /// Own variables, then those of the modules held, one module after the other. Each variable is
  /// named once.
  std::vector<Variable*> variables();
  std::vector<const Variable*> variables() const;
  /// Those of variables() that are trainable.
  std::vector<Variable*> trainable_variables();
  std::vector<const Variable*> trainable_variables() const;
  /// All modules below this one, each once: those it holds, then what is below the first of them,
  /// the second ... (tf.Module's order).
  std::vector<Module*> submodules();
  std::vector<const Module*> submodules() const;

  /// Runs `function` inside this module's name scope: modules made in it, on this thread, get
  /// name_scope() in front of theirs. tf.Module.with_name_scope for a language without decorators.
  template <typename Function>
  decltype(auto) with_name_scope(Function&& function) const {
    const Scope scope(name_scope_);
    return std::forward<Function>(function)();
  }

 protected:
  /// An empty name is "Module".
  explicit Module(std::string name);
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;

  /// The variables and modules that this one holds directly.
  virtual std::vector<Variable*> own_variables() { return {}; }
  virtual std::vector<Module*> own_modules() { return {}; }
  /// Called by Variable::assign of an own variable with the value it is about to take; what this
  /// throws leaves the variable unchanged.
  virtual void before_assign(const Variable& variable, const Tensor& value);
  /// Called by Layer::save on every layer below, before anything is written.
  /// @throws Error when some of this module's own variables cannot be saved.
  virtual void before_save() const {}
  /// Makes this module the owner of the variable (after construction, copy or move).
  void adopt(Variable& variable) { variable.owner_ = this; }

 private:
  friend class Variable;
  friend class Layer;
  /// Modules that count as held besides own_modules() and come before them.
  virtual std::vector<Module*> tracked_modules() { return {}; }
  /// TensorFlow's name of a variable: with the scopes its owner was made in, "decoder/kernel".
  static std::string scoped_name(const Variable& variable);
  struct Walk;
  struct Scope {
    explicit Scope(std::string scope);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    const std::string name;
    const std::string* const before;
  };
  std::string name_;
  std::string name_scope_;
};

/// A module that maps a tensor to a tensor.
class Layer : public Module {
 public:
  /// Computes the layer. Safe to call from several threads at once.
  /// @throws Error kShapeMismatch or kInvalidArgument, before anything is written.
  virtual Tensor operator()(const ConstTensorView& x, const CallOptions& options = {}) const = 0;
  /// As TFP's layers: `up2(up1)` is a Sequential that runs up1, then up2, both copied. Defined with
  /// upconv/sequential.h. A class of your own needs `using Layer::operator();` beside its override.
  Sequential operator()(const Layer& first) const;
  /// The same; the layers here behave alike in training and inference.
  Tensor eval(const ConstTensorView& x, bool is_training = true) const;
  /// Shape of the result for an input shape. @throws as operator().
  virtual Dims output_shape(const Dims& input_shape) const = 0;

  /// TFP's table, character for character: the layer's name; size, shape, trainable and name of
  /// each of variables(); then elements, MiB and elements by dtype of those that are trainable.
  virtual std::string summary() const;
  /// Writes variables() as a compressed .npz in TFP's order and names (arr_0, arr_1 ...), or under
  /// the same names as a .safetensors if the path ends so. The file appears by rename. @throws
  /// Error kInvalidArgument for a layer without variables.
  virtual void save(const std::filesystem::path& path) const;
  /// Reads what save, TFP 0.25 or NumPy wrote, a .npz or, if the path ends so, a .safetensors: one
  /// array per variable, by number when all are named arr_0, arr_1 ..., else in the file's order;
  /// float32 or float64, rounded to the variable's dtype. An array may be 2-D with all but a
  /// variable's last axis as one (TFP 0.25's kernels). On an error nothing has changed.
  virtual void load(const std::filesystem::path& path);

  /// A deep copy of the whole layer.
  virtual std::unique_ptr<Layer> clone() const = 0;

  /// Things that should live as long as the layer and count as its sub-modules.
  std::vector<std::shared_ptr<Module>>& also_track() noexcept { return also_track_; }
  const std::vector<std::shared_ptr<Module>>& also_track() const noexcept { return also_track_; }
  /// For callers' own use, as in TFP: a loss beside the output (variational layers) and any result.
  double extra_loss = 0;
  std::any extra_result;

 protected:
  using Module::Module;

 private:
  std::vector<Module*> tracked_modules() final;

  std::vector<std::shared_ptr<Module>> also_track_;
};

}  // namespace upconv::UPCONV_ABI
