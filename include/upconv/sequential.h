// Sequential: layers that run one after the other, and functions as layers.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "upconv/module.h"
#include "upconv/tensor.h"
#include "upconv/version.h"

namespace upconv::UPCONV_ABI {

/// A function of the caller's as a layer without variables.
///
///   Sequential net(up1, [](const ConstTensorView& x) { return my_blur(x); }, up2);
class FunctionLayer final : public Layer {
 public:
  /// Called from several threads at once when the layer is.
  using Function = std::function<Tensor(const ConstTensorView& x)>;
  /// The shape of the function's result for an input shape.
  using ShapeFunction = std::function<Dims(const Dims& input_shape)>;

  /// @throws Error kInvalidArgument when `function` is empty.
  explicit FunctionLayer(Function function, std::string name = "FunctionLayer",
                         ShapeFunction output_shape = {});

  using Layer::operator();
  /// Calls the function; of the options it can use none.
  /// @throws Error kUnsupported when the options have a residual or output_lengths.
  Tensor operator()(const ConstTensorView& x, const CallOptions& options = {}) const override;
  /// @throws Error kUnsupported when the layer was made without a ShapeFunction.
  Dims output_shape(const Dims& input_shape) const override;
  std::unique_ptr<Layer> clone() const override;

 private:
  Function function_;
  ShapeFunction output_shape_;
};

/// What a Sequential is made of: a Layer, or a function that maps a tensor to a tensor.
template <typename T>
concept LayerOrFunction = std::derived_from<std::remove_cvref_t<T>, Layer> ||
    (std::constructible_from<FunctionLayer::Function, T>&&
         std::is_invocable_r_v<Tensor, std::remove_cvref_t<T>&, const ConstTensorView&>);

/// A layer of its own on the heap: a deep copy, or the layer itself when it is given by move.
template <LayerOrFunction T>
std::unique_ptr<Layer> make_layer(T&& item) {
  using Item = std::remove_cvref_t<T>;
  if constexpr (!std::derived_from<Item, Layer>) {
    return std::make_unique<FunctionLayer>(std::forward<T>(item));
  } else if constexpr (std::is_rvalue_reference_v<T&&> && !std::is_abstract_v<Item> &&
                       std::is_constructible_v<Item, T&&>) {
    // Moving through a reference to a base class would leave the derived part behind.
    if (typeid(item) == typeid(Item)) return std::make_unique<Item>(std::forward<T>(item));
    return item.clone();
  } else {
    return item.clone();
  }
}

/// The argument of Sequential's first constructor from layers and functions:
/// `Sequential net(make_layers(up1, up2), "decoder")`.
template <LayerOrFunction... Items>
std::vector<std::unique_ptr<Layer>> make_layers(Items&&... items) {
  std::vector<std::unique_ptr<Layer>> layers;
  layers.reserve(sizeof...(items));
  (layers.push_back(make_layer(std::forward<Items>(items))), ...);
  return layers;
}

/// Layers that run one after the other, each on the result of the one before. A Sequential is a
/// Layer: it may be a part of another, its variables() are those of its layers in order, and save()
/// and load() treat them as one file. Copies are deep.
class Sequential : public Layer {
 public:
  /// @param name empty: the names of the layers with "_" between them.
  /// @throws Error kInvalidArgument when there is no layer or a null one.
  explicit Sequential(std::vector<std::unique_ptr<Layer>> layers, std::string name = {});
  /// From layers and functions, copied or moved in.
  template <LayerOrFunction First, LayerOrFunction... Rest>
  requires(sizeof...(Rest) > 0 ||
           !std::derived_from<std::remove_cvref_t<First>,
                              Sequential>) explicit Sequential(First&& first, Rest&&... rest)
      : Sequential(make_layers(std::forward<First>(first), std::forward<Rest>(rest)...)) {}

  Sequential(const Sequential& other);
  Sequential& operator=(const Sequential& other);
  Sequential(Sequential&&) = default;
  Sequential& operator=(Sequential&&) = default;
  ~Sequential() override = default;

  /// Number of layers.
  std::size_t size() const noexcept { return layers_.size(); }
  /// @throws Error kInvalidArgument unless index < size().
  Layer& layer(std::size_t index);
  const Layer& layer(std::size_t index) const;
  /// Copies of the layers begin ... end - 1 under the same name, as TFP's `sequential[begin:end]`.
  /// @throws Error kInvalidArgument unless begin < end <= size().
  Sequential slice(std::size_t begin, std::size_t end) const;

  using Layer::operator();
  /// Every layer gets the options, but the residual goes to the last one alone; scratch must be
  /// enough for each.
  Tensor operator()(const ConstTensorView& x, const CallOptions& options = {}) const override;
  Dims output_shape(const Dims& input_shape) const override;
  std::unique_ptr<Layer> clone() const override;

 protected:
  std::vector<Module*> own_modules() override;

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace upconv::UPCONV_ABI
