// What a layer holds: options, variables and packed weights.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>

#include "options.h"
#include "strategy.h"
#include "upconv/convolution_transpose.h"

namespace upconv::UPCONV_ABI {

/// The packed weights are immutable and shared: a call keeps those it started with, and a copy of
/// the layer starts with the same.
struct ConvolutionTranspose::State {
  internal::CheckedOptions checked;
  std::optional<Variable> kernel_variable;              ///< none once dropped
  std::optional<Variable> bias_variable;                ///< none for a layer without bias
  std::shared_ptr<const internal::PackedLayer> packed;  ///< for the layer's own ISA

  State() = default;
  State(const State& from);

  bool has_bias() const { return checked.options.use_bias; }
  const Tensor* kernel() const { return kernel_variable ? &kernel_variable->value() : nullptr; }
  const Tensor* bias() const { return bias_variable ? &bias_variable->value() : nullptr; }

  /// Facts for an ISA, whether this machine runs it or not.
  internal::LayerFacts facts_for(Isa isa) const;
  /// The weights for an ISA (absent: the layer's own), packed now if they are not.
  /// @throws Error kUnsupported when this machine does not run it, or the kernel was dropped.
  std::shared_ptr<const internal::PackedLayer> packed_for(std::optional<Isa> isa) const;
  /// Packs for the layer's own ISA. The state is unchanged.
  std::shared_ptr<const internal::PackedLayer> pack(const Tensor& kernel, const Tensor* bias) const;
  /// Replaces the packed weights and forgets those of another ISA.
  void take(std::shared_ptr<const internal::PackedLayer> repacked);
  /// Gives all packed weights another bias; they are not packed again.
  void take_bias(const Tensor& bias);
  std::size_t packed_bytes() const;

 private:
  mutable std::mutex other_lock_;
  /// At most one more format, for calls that name another ISA.
  mutable std::shared_ptr<const internal::PackedLayer> other_;
};

/// Of an axis, by rank, where the options expect nothing else.
inline constexpr Index kUsualExtent[] = {1, 1024, 64, 32};

/// Facts of a layer with these options.
internal::LayerFacts layer_facts(const internal::CheckedOptions& checked, Isa isa);

}  // namespace upconv::UPCONV_ABI
