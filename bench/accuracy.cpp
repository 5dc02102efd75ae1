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
#include <utility>
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

/// The transforms along the axes of a layer, as many as its rank.
using Transforms = std::vector<AxisTransform>;

/// A layer that F(m, r) computes along each axis.
class Layer {
 public:
  Layer(const Transforms& transforms, Index channels, const Distribution& of) {
    ConvolutionTransposeOptions options;
    options.input_size = channels;
    options.output_size = kOutputSize;
    options.rank = static_cast<int>(transforms.size());
    std::vector<Index> filter;
    Padding::Pairs crops;
    Dims shape;
    for (const AxisTransform& transform : transforms) {
      filter.push_back(transform.taps);
      crops.emplace_back(transform.taps - 1, transform.taps - 1);
      shape.push_back(kTilesPerAxis * transform.outputs + transform.taps - 1);
    }
    shape.push_back(channels);
    options.filter_shape = PerAxis(filter);
    options.padding = Padding(crops);
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
    x_ = Tensor(DType::kFloat32, shape);
    kernel_ = Tensor(DType::kFloat32, checked_.kernel_shape);
    fill(x_);
    fill(kernel_);

    WinogradAxis by_axis[3];
    const std::size_t unused = 3 - transforms.size();
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Phase& phase = facts_.axes[axis].with_taps().front();
      by_axis[axis].transforms[by_axis[axis].kinds++] =
          axis < unused ? AxisTransform{} : transforms[axis - unused];
      by_axis[axis].add(phase, 0);
    }
    fast_ = winograd_plan(*winograd_layout_of(facts_, by_axis), kernel_, nullptr);
    direct_ = wide_pack(facts_, kernel_, nullptr);
  }

  double growth() const { return error(*fast_) / error(*direct_); }

 private:
  /// Root mean square error of a plan's result.
  double error(const Plan& plan) const {
    const CallShape shape = check_input_shape(checked_, x_.shape());
    const std::vector<double> expected = sums();
    Tensor y(DType::kFloat32, shape.output);
    BoundCall bound;
    bind(bound, checked_, shape, facts_, x_, y.view(), {});
    Tensor scratch(DType::kFloat64, {static_cast<Index>(plan.scratch_bytes_per_thread() / 8)});
    plan.run(bound.call, 1, nullptr, std::as_writable_bytes(scratch.values<double>()));
    double sum = 0;
    std::size_t at = 0;
    for (const float value : y.values<float>()) {
      const double difference = value - expected[at++];
      sum += difference * difference;
    }
    return std::sqrt(sum / static_cast<double>(at));
  }

  /// The outputs in double precision: along each axis, tap t reads input o + (taps - 1) - t.
  std::vector<double> sums() const {
    Index inputs[3] = {1, 1, 1}, taps[3] = {1, 1, 1};
    const std::size_t rank = x_.shape().size() - 1;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      inputs[3 - rank + axis] = x_.shape()[axis];
      taps[3 - rank + axis] = checked_.kernel_shape[axis];
    }
    const Index channels = x_.shape().back();
    const auto x = x_.values<float>();
    const auto k = kernel_.values<float>();
    std::vector<double> all;
    for (Index d = 0; d + taps[0] <= inputs[0]; ++d) {
      for (Index h = 0; h + taps[1] <= inputs[1]; ++h) {
        for (Index w = 0; w + taps[2] <= inputs[2]; ++w) {
          std::vector<double> sums(kOutputSize);
          std::size_t at = 0;  // of the kernel
          for (Index td = 0; td < taps[0]; ++td) {
            for (Index th = 0; th < taps[1]; ++th) {
              for (Index tw = 0; tw < taps[2]; ++tw) {
                Index pixel = d + taps[0] - 1 - td;
                pixel = pixel * inputs[1] + h + taps[1] - 1 - th;
                pixel = pixel * inputs[2] + w + taps[2] - 1 - tw;
                for (Index ci = 0; ci < channels; ++ci) {
                  const double value = x[static_cast<std::size_t>(pixel * channels + ci)];
                  for (double& sum : sums) sum += value * k[at++];
                }
              }
            }
          }
          all.insert(all.end(), sums.begin(), sums.end());
        }
      }
    }
    return all;
  }

  CheckedOptions checked_;
  LayerFacts facts_;
  Tensor x_, kernel_;
  std::shared_ptr<const Plan> fast_, direct_;
};

constexpr AxisTransform kTransforms[] = {{2, 2}, {3, 2}, {4, 2}, {2, 3}, {3, 3}, {4, 3}, {2, 4}};

double growth_of(const AxisTransform& transform) {
  return error_growth(transform.outputs, transform.taps);
}

std::string name_of(const AxisTransform& transform) {
  return "F(" + std::to_string(transform.outputs) + ", " + std::to_string(transform.taps) + ")";
}

void print_table() {
  const Index channels[] = {4, 16, 64, 256, 1024, 4096};
  std::cout << "| transform | derived | values |";
  for (const Index count : channels) std::cout << " " << count << " |";
  std::cout << "\n| --- | ---: | --- |";
  for ([[maybe_unused]] const Index count : channels) std::cout << " ---: |";
  std::cout << "\n" << std::fixed << std::setprecision(2);
  for (const std::size_t rank : {1, 2}) {
    for (const AxisTransform& transform : kTransforms) {
      const std::string name = name_of(transform);
      const double derived = std::pow(growth_of(transform), static_cast<double>(rank));
      for (const Distribution& of : kDistributions) {
        std::cout << "| " << name << (rank == 2 ? " on two axes" : "") << " | " << derived << " | "
                  << of.name << " |";
        for (const Index count : channels) {
          std::cout << " " << Layer(Transforms(rank, transform), count, of).growth() << " |";
        }
        std::cout << std::endl;
      }
    }
  }
}

/// Of all transforms along three axes that a layer may have, those with the largest error.
void print_three_axes() {
  std::cout << "\n| channels | transforms | largest |\n| ---: | --- | ---: |\n";
  for (const Index channels : {16, 24, 31, 32, 64}) {
    Transforms worst;
    double largest = 0;
    const auto measure = [&](const Transforms& transforms) {
      for (const Distribution& of : kDistributions) {
        const double growth = Layer(transforms, channels, of).growth();
        if (growth < largest) continue;
        largest = growth;
        worst = transforms;
      }
    };
    for (const AxisTransform& d : kTransforms) {
      for (const AxisTransform& h : kTransforms) {
        for (const AxisTransform& w : kTransforms) {
          const bool known = growth_of(d) > growth_of(h) || growth_of(h) > growth_of(w);
          const double growth = growth_of(d) * growth_of(h) * growth_of(w);
          if (!known && growth <= most_error_growth(channels, 3)) measure({d, h, w});
        }
      }
    }
    std::cout << "| " << channels << " | " << name_of(worst[0]) << ", " << name_of(worst[1]) << ", "
              << name_of(worst[2]) << " | " << largest << " |" << std::endl;
  }
}

}  // namespace
}  // namespace upconv::internal

int main() {
  upconv::internal::print_table();
  upconv::internal::print_three_axes();
  return 0;
}
