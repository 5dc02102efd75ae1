// Errors of the winograd strategy's transforms beside those of the direct sums, as the tables of
// docs/accuracy.md: root mean square error, in units of the direct one's, of a stride-1 layer.
//
//   build/bin/upconv_accuracy
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "bind.h"
#include "layer_state.h"
#include "options.h"
#include "toom_cook.h"
#include "wide_plan.h"
#include "winograd_plan.h"

namespace upconv::internal {
namespace {

constexpr Index kOutputSize = 8;
constexpr Index kTilesPerAxis = 2;

struct Distribution {
  const char* name;
  float (*draw)(std::mt19937_64& random);
};

float normal(std::mt19937_64& random) { return std::normal_distribution<float>()(random); }
float uniform(std::mt19937_64& random) {
  return std::uniform_real_distribution<float>(-1, 1)(random);
}
float positive(std::mt19937_64& random) {
  return std::uniform_real_distribution<float>(0, 1)(random);
}
/// Magnitudes spread over six powers of ten.
float ill_scaled(std::mt19937_64& random) {
  return normal(random) * std::pow(10.0F, std::uniform_real_distribution<float>(-3, 3)(random));
}

constexpr Distribution kDistributions[] = {
    {"normal", normal}, {"uniform", uniform}, {"positive", positive}, {"ill-scaled", ill_scaled}};

/// A layer of rank 1 or 2 that F(m, r) computes along each axis.
class Layer {
 public:
  Layer(int rank, AxisTransform transform, Index channels, const Distribution& of)
      : rank_(rank), taps_(transform.taps), outputs_(kTilesPerAxis * transform.outputs) {
    ConvolutionTransposeOptions options;
    options.input_size = channels;
    options.output_size = kOutputSize;
    options.filter_shape = taps_;
    options.rank = rank;
    options.padding = Padding(std::vector<std::pair<Index, Index>>(static_cast<std::size_t>(rank),
                                                                   {taps_ - 1, taps_ - 1}));
    checked_ = check_options(options);
    // The widest vectors that the channels fill.
    Isa isa = runnable_isas().front();
    for (const Isa wider : runnable_isas()) {
      const auto rows = rows_for(wide_kernels(), DType::kFloat32, wider);
      if (rows.front().lanes <= channels) isa = wider;
    }
    facts_ = layer_facts(checked_, isa);

    std::mt19937_64 random(1);
    const auto fill = [&](Tensor& tensor) {
      for (float& value : tensor.values<float>()) value = of.draw(random);
    };
    Dims shape;
    for (int axis = 0; axis < rank; ++axis) shape.push_back(inputs());
    shape.push_back(channels);
    x_ = Tensor(DType::kFloat32, shape);
    kernel_ = Tensor(DType::kFloat32, checked_.kernel_shape);
    fill(x_);
    fill(kernel_);

    WinogradAxis by_axis[3];
    for (int axis = 0; axis < 3; ++axis) {
      const Phase& phase = facts_.axes[axis].with_taps().front();
      by_axis[axis].transforms[by_axis[axis].kinds++] =
          axis < 3 - rank ? AxisTransform{} : transform;
      by_axis[axis].add(phase, 0);
    }
    fast_ = winograd_plan(*winograd_layout_of(facts_, by_axis), kernel_, nullptr);
    direct_ = wide_pack(facts_, kernel_, nullptr);
  }

  double growth() const { return error(*fast_) / error(*direct_); }

 private:
  Index inputs() const { return outputs_ + taps_ - 1; }

  /// Root mean square error of a plan's result.
  double error(const Plan& plan) const {
    const CallShape shape = check_input_shape(checked_, x_.shape());
    Tensor y(DType::kFloat32, shape.output);
    BoundCall bound;
    bind(bound, checked_, shape, facts_, x_, y.view(), {});
    Tensor scratch(DType::kFloat64, {static_cast<Index>(plan.scratch_bytes_per_thread() / 8)});
    plan.run(bound.call, 1, nullptr, std::as_writable_bytes(scratch.values<double>()));
    double sum = 0;
    std::size_t at = 0;
    for (const float value : y.values<float>()) {
      const double difference = value - expected(static_cast<Index>(at++));
      sum += difference * difference;
    }
    return std::sqrt(sum / static_cast<double>(at));
  }

  /// Output element `at` in double precision: tap t reads input o + (taps - 1) - t.
  double expected(Index at) const {
    const Index channels = x_.shape().back(), c = at % kOutputSize;
    const Index w = at / kOutputSize % outputs_, h = rank_ == 2 ? at / kOutputSize / outputs_ : 0;
    const Index taps_h = rank_ == 2 ? taps_ : 1;
    const auto x = x_.values<float>();
    const auto k = kernel_.values<float>();
    double sum = 0;
    for (Index th = 0; th < taps_h; ++th) {
      for (Index tw = 0; tw < taps_; ++tw) {
        const Index pixel = (h + taps_h - 1 - th) * inputs() + w + taps_ - 1 - tw;
        for (Index ci = 0; ci < channels; ++ci) {
          sum += static_cast<double>(x[static_cast<std::size_t>(pixel * channels + ci)]) *
                 k[static_cast<std::size_t>(((th * taps_ + tw) * channels + ci) * kOutputSize + c)];
        }
      }
    }
    return sum;
  }

  int rank_;
  Index taps_, outputs_;
  CheckedOptions checked_;
  LayerFacts facts_;
  Tensor x_, kernel_;
  std::shared_ptr<const Plan> fast_, direct_;
};

void print_table() {
  const Index channels[] = {4, 16, 64, 256, 1024, 4096};
  std::cout << "| transform | derived | values |";
  for (const Index count : channels) std::cout << " " << count << " |";
  std::cout << "\n| --- | ---: | --- |";
  for ([[maybe_unused]] const Index count : channels) std::cout << " ---: |";
  std::cout << "\n" << std::fixed << std::setprecision(2);
  constexpr AxisTransform kTransforms[] = {{2, 2}, {3, 2}, {4, 2}, {2, 3}, {3, 3}, {4, 3}, {2, 4}};
  for (const int rank : {1, 2}) {
    for (const AxisTransform& transform : kTransforms) {
      const std::string name =
          "F(" + std::to_string(transform.outputs) + ", " + std::to_string(transform.taps) + ")";
      const double derived =
          std::pow(internal::error_growth(transform.outputs, transform.taps), rank);
      for (const Distribution& of : kDistributions) {
        std::cout << "| " << name << (rank == 2 ? " on two axes" : "") << " | " << derived << " | "
                  << of.name << " |";
        for (const Index count : channels) {
          std::cout << " " << Layer(rank, transform, count, of).growth() << " |";
        }
        std::cout << std::endl;
      }
    }
  }
}

}  // namespace
}  // namespace upconv::internal

int main() {
  upconv::internal::print_table();
  return 0;
}
