// Activations: the public type, and every epilogue kernel that this machine runs.
#include "upconv/activation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernel_table.h"
#include "upconv/error.h"
#include "upconv/isa.h"

namespace upconv {
namespace {

using internal::epilogue_kernels;
using internal::EpilogueKernel;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// ---------------------------------------------------------------------------------------------
// The reference: in long double, with the arguments of the two gelus held to more digits still.

using Real = long double;
#ifdef __SIZEOF_FLOAT128__
__extension__ using Wide = __float128;
#else
using Wide = long double;  // 113 bits where there is no __float128
#endif

Real logistic(Real u) { return u < 0 ? std::exp(u) / (1 + std::exp(u)) : 1 / (1 + std::exp(-u)); }

Real gelu(Real v) {
  const Wide sqrt2 = Wide(0x1.6a09e667f3bcdp+0) + Wide(-0x1.bdd3413b26456p-54);
  const Wide argument = -Wide(v) / sqrt2;
  const Real a = static_cast<Real>(argument);
  const Real lost = static_cast<Real>(argument - Wide(a));
  const Real two_over_sqrt_pi = 1.128379167095512573896158903121545172L;
  return v / 2 * (std::erfc(a) - lost * two_over_sqrt_pi * std::exp(-a * a));
}

Real gelu_tanh(Real v) {
  const Wide c = Wide(0x1.9884533d43651p+0) + Wide(-0x1.cbc0d30ebfd15p-54);  // 2 sqrt(2 / pi)
  const Wide argument = c * Wide(v) * (1 + Wide(44715) / 1000000 * Wide(v) * Wide(v));
  const Real u = static_cast<Real>(argument);
  const Real lost = static_cast<Real>(argument - Wide(u));
  return v * logistic(u) * (1 + lost * logistic(-u));
}

/// The activation of a finite v; p0 and p1 as the kernels have them.
Real reference(ActivationKind kind, Real v, Real p0, Real p1) {
  switch (kind) {
    case ActivationKind::kClamp:
      return std::min(std::max(v, p0), p1);
    case ActivationKind::kLeakyRelu:
      return v > 0 ? v : p0 * v;
    case ActivationKind::kElu:
      return v > 0 ? v : std::expm1(v);
    case ActivationKind::kSelu:
      return 1.0507009873554805L * (v > 0 ? v : 1.6732632423543772L * std::expm1(v));
    case ActivationKind::kGelu:
      return std::fabs(v) > 100 ? std::max(v, Real(0)) : gelu(v);
    case ActivationKind::kGeluTanh:
      return std::fabs(v) > 100 ? std::max(v, Real(0)) : gelu_tanh(v);
    case ActivationKind::kSigmoid:
      return logistic(v);
    case ActivationKind::kTanh:
      return std::tanh(v);
    case ActivationKind::kSoftplus:
      return v > 40 ? v + std::exp(-v) : std::log1p(std::exp(v));
    case ActivationKind::kSilu:
      return v * logistic(v);
    case ActivationKind::kHardSwish:
      return v <= -3 ? 0 : v >= 3 ? v : v * (v + 3) / 6;
    default:
      ADD_FAILURE() << "no reference";
      return 0;
  }
}

struct Limits {
  double at_minus_infinity, at_infinity;
};

Limits limits(ActivationKind kind, double p0, double p1) {
  switch (kind) {
    case ActivationKind::kClamp:
      return {p0, p1};
    case ActivationKind::kLeakyRelu:
      return {p0 * -kInf, kInf};
    case ActivationKind::kElu:
      return {-1, kInf};
    case ActivationKind::kSelu:
      return {-1.0507009873554805 * 1.6732632423543772, kInf};
    case ActivationKind::kSigmoid:
      return {0, 1};
    case ActivationKind::kTanh:
      return {-1, 1};
    default:
      return {0, kInf};
  }
}

/// The distance of `result` from the correctly rounded value of `exact`, in units of the last place
/// of T there; below the normal numbers, of the least of them.
template <typename T>
double ulps(T result, Real exact) {
  using Numbers = std::numeric_limits<T>;
  const T rounded = static_cast<T>(exact);
  if (rounded == result) return 0;  // infinities too
  const int exponent = exact == 0 ? Numbers::min_exponent - 1
                                  : std::max(std::ilogb(exact), Numbers::min_exponent - 1);
  const Real unit = std::ldexp(Real(1), exponent - (Numbers::digits - 1));
  return static_cast<double>(std::fabs(Real(result) - Real(rounded)) / unit);
}

// ---------------------------------------------------------------------------------------------
// The public type.

TEST(Activation, IsLinearByDefault) {
  const Activation activation;
  EXPECT_EQ(activation.kind(), ActivationKind::kLinear);
  EXPECT_EQ(activation.name(), "linear");
  EXPECT_TRUE(activation.is_clamp());
  EXPECT_EQ(activation.min(), -kInf);
  EXPECT_EQ(activation.max(), kInf);
}

TEST(Activation, IsMadeFromEveryNameAndSaysIt) {
  EXPECT_THAT(activation_names(),
              testing::ElementsAre("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu",
                                   "gelu_tanh", "sigmoid", "tanh", "softplus", "silu", "hard_swish",
                                   "clamp"));
  for (const std::string_view name : activation_names()) {
    EXPECT_EQ(Activation(name).name(), name);
    EXPECT_EQ(Activation(std::string(name)).name(), name);
    EXPECT_FALSE(Activation(name).function());
  }
  EXPECT_EQ(Activation("relu6").kind(), ActivationKind::kRelu6);
  EXPECT_EQ(Activation("gelu").kind(), Activation::gelu().kind());
  EXPECT_EQ(Activation("gelu_tanh").kind(), Activation::gelu_tanh().kind());
}

TEST(Activation, HasTheDefaultsOfTensorFlow) {
  EXPECT_EQ(Activation("leaky_relu").alpha(), 0.2);
  EXPECT_EQ(Activation::leaky_relu().alpha(), 0.2);
  EXPECT_EQ(Activation::leaky_relu(0.1).alpha(), 0.1);
}

TEST(Activation, ClampsHaveBounds) {
  const auto bounds = [](const Activation& a) { return std::pair(a.min(), a.max()); };
  EXPECT_EQ(bounds("linear"), std::pair(-kInf, kInf));
  EXPECT_EQ(bounds("relu"), std::pair(0.0, kInf));
  EXPECT_EQ(bounds("relu6"), std::pair(0.0, 6.0));
  EXPECT_EQ(bounds("clamp"), std::pair(-kInf, kInf));
  EXPECT_EQ(bounds(Activation::clamp(-1, 2)), std::pair(-1.0, 2.0));
  EXPECT_EQ(bounds(Activation::clamp(3, 3)), std::pair(3.0, 3.0));
  for (const std::string_view name : activation_names()) {
    const bool clamp = name == "linear" || name == "relu" || name == "relu6" || name == "clamp";
    EXPECT_EQ(Activation(name).is_clamp(), clamp) << name;
  }
}

template <typename Make>
std::string invalid_argument(Make make) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(Activation, RefusesAnUnknownName) {
  const std::string names =
      "linear, relu, relu6, leaky_relu, elu, selu, gelu, gelu_tanh, sigmoid, tanh, softplus, silu, "
      "hard_swish, clamp";
  EXPECT_EQ(invalid_argument([] { Activation("swish"); }),
            "activation is \"swish\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation("ReLU"); }),
            "activation is \"ReLU\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation(""); }),
            "activation is \"\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation("c\nlamp"); }),
            "activation is \"c\\x0alamp\"; it must be one of " + names);
  EXPECT_EQ(invalid_argument([] { Activation("callable"); }),
            "activation is \"callable\"; it must be one of " + names);
}

TEST(Activation, RefusesBadParameters) {
  EXPECT_EQ(invalid_argument([] { Activation::clamp(1, -0.5); }),
            "clamp: min is 1 and max is -0.5; min must be at most max");
  EXPECT_EQ(invalid_argument([] { Activation::clamp(kNaN, 1); }),
            "clamp: min is nan and max is 1; min must be at most max");
  EXPECT_EQ(invalid_argument([] { Activation::clamp(0, kNaN); }),
            "clamp: min is 0 and max is nan; min must be at most max");
  EXPECT_EQ(invalid_argument([] { Activation::leaky_relu(kInf); }),
            "leaky_relu: alpha is inf; it must be finite");
  EXPECT_EQ(invalid_argument([] { Activation::leaky_relu(kNaN); }),
            "leaky_relu: alpha is nan; it must be finite");
  EXPECT_EQ(invalid_argument([] { Activation{Activation::Function()}; }),
            "activation is an empty function; it must be callable");
}

TEST(Activation, AppliesACallableToOneElement) {
  const Activation square(Activation::Function([](const TensorView& output) {
    EXPECT_EQ(output.shape(), (Dims{1}));
    double& element = *output.data_as<double>();
    element *= element;
  }));
  EXPECT_EQ(square.kind(), ActivationKind::kCallable);
  EXPECT_EQ(square.name(), "callable");
  EXPECT_FALSE(square.is_clamp());
  EXPECT_EQ(square(-3), 9);
}

TEST(Activation, HasTheValuesOfItsDefinition) {
  for (const std::string_view name : activation_names()) {
    const Activation activation(name);
    const ActivationKind kind = activation.is_clamp() ? ActivationKind::kClamp : activation.kind();
    const double p0 = activation.is_clamp() ? activation.min() : activation.alpha();
    const double p1 = activation.max();
    for (double v = -50; v <= 50; v += 0.0625) {
      EXPECT_LE(ulps(activation(v), reference(kind, v, p0, p1)), 2) << name << "(" << v << ")";
    }
    EXPECT_TRUE(std::isnan(activation(kNaN))) << name;
    const Limits at = limits(kind, p0, p1);
    EXPECT_DOUBLE_EQ(activation(-kInf), at.at_minus_infinity) << name;
    EXPECT_DOUBLE_EQ(activation(kInf), at.at_infinity) << name;
  }
}

TEST(Activation, AgreesWithPublishedValues) {
  // tf.nn of TensorFlow 2.x and torch.nn.functional, to the digits they print.
  EXPECT_NEAR(Activation::elu()(-1), -0.6321205588285577, 1e-16);
  EXPECT_NEAR(Activation::selu()(-1), -1.1113307378125625, 1e-15);
  EXPECT_NEAR(Activation::selu()(1), 1.0507009873554805, 1e-15);
  EXPECT_NEAR(Activation::gelu()(1), 0.8413447460685429, 1e-16);
  EXPECT_NEAR(Activation::gelu_tanh()(1), 0.8411919906082768, 1e-15);
  EXPECT_NEAR(Activation::sigmoid()(1), 0.7310585786300049, 1e-16);
  EXPECT_NEAR(Activation::softplus()(1), 1.3132616875182228, 1e-15);
  EXPECT_NEAR(Activation::silu()(1), 0.7310585786300049, 1e-16);
  EXPECT_NEAR(Activation::hard_swish()(1), 0.6666666666666666, 1e-16);
  EXPECT_NEAR(Activation::leaky_relu()(-1), -0.2, 1e-16);
}

// ---------------------------------------------------------------------------------------------
// The kernels. Each test runs every row of the table that this machine can.

/// Memory that ends, or begins, where reading or writing further faults.
template <typename T>
class FencedArray {
 public:
  enum class Fence { kAfter, kBefore };

  FencedArray(std::size_t count, Fence fence) : count_(count) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = (count * sizeof(T) + page - 1) / page * page;
    mapped_bytes_ = bytes + 2 * page;
    mapped_ = static_cast<char*>(
        mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (mapped_ == MAP_FAILED || mprotect(mapped_ + page, bytes, PROT_READ | PROT_WRITE) != 0) {
      throw std::bad_alloc();
    }
    data_ = reinterpret_cast<T*>(mapped_ + page +
                                 (fence == Fence::kAfter ? bytes - count * sizeof(T) : 0));
  }
  FencedArray(const FencedArray&) = delete;
  FencedArray& operator=(const FencedArray&) = delete;
  ~FencedArray() { munmap(mapped_, mapped_bytes_); }

  T* begin() { return data_; }
  T* end() { return data_ + count_; }
  T& operator[](std::size_t i) { return data_[i]; }
  std::size_t size() const { return count_; }

 private:
  std::size_t count_, mapped_bytes_;
  char* mapped_;
  T* data_;
};

/// A buffer argument over memory of somebody else.
template <typename T>
class Argument {
 public:
  Argument(const T* data, std::size_t count) {
    dimension_ = {0, static_cast<int32_t>(count), 1, 0};
    buffer_.host = reinterpret_cast<uint8_t*>(const_cast<T*>(data));
    buffer_.type = halide_type_of<T>();
    buffer_.dimensions = 1;
    buffer_.dim = &dimension_;
  }
  Argument(const Argument&) = delete;
  Argument& operator=(const Argument&) = delete;
  operator halide_buffer_t*() { return &buffer_; }

 private:
  halide_dimension_t dimension_{};
  halide_buffer_t buffer_{};
};

using Offsets = std::vector<int32_t>;

/// One call. `residual` may be null.
template <typename T>
void apply(const EpilogueKernel& kernel, const T* in, std::size_t in_count, const T* residual,
           std::size_t residual_count, const Offsets& pixel_in, const Offsets& pixel_residual,
           const Offsets& pixel_out, int channels, double p0, double p1, T* out,
           std::size_t out_count) {
  Argument<T> in_buffer(in, in_count), residual_buffer(residual, residual_count);
  Argument<T> out_buffer(out, out_count);
  Argument<int32_t> pixel_in_buffer(pixel_in.data(), pixel_in.size());
  Argument<int32_t> pixel_residual_buffer(residual ? pixel_residual.data() : nullptr,
                                          pixel_residual.size());
  Argument<int32_t> pixel_out_buffer(pixel_out.data(), pixel_out.size());
  ASSERT_EQ(kernel.function(in_buffer, residual_buffer, pixel_in_buffer, pixel_residual_buffer,
                            pixel_out_buffer, channels, residual != nullptr, p0, p1, out_buffer),
            0);
}

/// The kernel on plain values: one pixel whose channels are they.
template <typename T>
std::vector<T> apply(const EpilogueKernel& kernel, const std::vector<T>& in, double p0, double p1) {
  std::vector<T> out(in.size());
  apply<T>(kernel, in.data(), in.size(), nullptr, 0, {0}, {0}, {0}, static_cast<int>(in.size()), p0,
           p1, out.data(), out.size());
  return out;
}

struct Parameters {
  double p0, p1;
};

std::vector<Parameters> parameters(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kClamp:
      return {{-kInf, kInf}, {0, kInf}, {0, 6}, {-0.1, 0.3}, {-kInf, -1}, {2, 2}};
    case ActivationKind::kLeakyRelu:
      return {{0.2, 0}, {0.01, 0}, {1, 0}, {-1.5, 0}, {3, 0}};
    default:
      return {{0, 0}};
  }
}

/// The documented bound, in units of the last place.
double bound(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kClamp:
      return 0;
    case ActivationKind::kLeakyRelu:
    case ActivationKind::kElu:
      return 1;
    case ActivationKind::kSelu:
    case ActivationKind::kHardSwish:
      return 2;
    case ActivationKind::kGelu:
      return 4;
    default:
      return 3;
  }
}

/// Values over the whole range of T, both signs, densest where activations bend; specials last.
template <typename T>
std::vector<T> sweep() {
  std::vector<T> values;
  std::mt19937_64 random(20250801);
  const auto add = [&](T v) {
    values.push_back(v);
    values.push_back(-v);
  };
  std::uniform_real_distribution<double> fraction(1, 2);
  const int lowest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  for (int exponent = lowest; exponent < std::numeric_limits<T>::max_exponent; ++exponent) {
    const int count = exponent < -30 || exponent > 12 ? 20 : 5000;
    for (int i = 0; i < count; ++i) add(static_cast<T>(std::ldexp(fraction(random), exponent)));
  }
  // Where results leave the normal numbers, and where the kernels change their mind.
  for (const auto& [low, high] : {std::pair(8.5, 16.0), std::pair(80.0, 112.0),
                                  std::pair(18.0, 40.0), std::pair(690.0, 760.0)}) {
    std::uniform_real_distribution<double> uniform(low, high);
    for (int i = 0; i < 20000; ++i) add(static_cast<T>(uniform(random)));
  }
  for (const double corner : {0.0, 0.1, 0.3, 1.0, 2.0, 3.0, 6.0, 11.0, 15.0, 22.0, 25.0, 30.0, 39.0,
                              50.0, 112.0, 760.0, 0.34657359, 0.69314718, 1.03972077}) {
    T above = static_cast<T>(corner), below = above;
    for (int i = 0; i < 50; ++i) {
      add(above);
      add(below);
      above = std::nextafter(above, std::numeric_limits<T>::max());
      below = std::nextafter(below, -std::numeric_limits<T>::max());
    }
  }
  add(std::numeric_limits<T>::max());
  add(std::numeric_limits<T>::min());
  add(std::numeric_limits<T>::denorm_min());
  return values;
}

template <typename T>
auto bits_of(T value) {
  return std::bit_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(value);
}

/// Equal bits, or both NaN.
template <typename T>
bool same(T a, T b) {
  return bits_of(a) == bits_of(b) || (std::isnan(a) && std::isnan(b));
}

class EpilogueKernelTest : public testing::TestWithParam<EpilogueKernel> {
 protected:
  void SetUp() override {
    const auto& isas = runnable_isas();
    if (std::find(isas.begin(), isas.end(), GetParam().isa) == isas.end()) {
      GTEST_SKIP() << "this machine does not run " << to_string(GetParam().isa);
    }
  }

  /// Calls body.operator()<T>() for the kernel's T.
  template <typename Body>
  static void with_type(Body body) {
    if (GetParam().dtype == DType::kFloat32) {
      body.template operator()<float>();
    } else {
      body.template operator()<double>();
    }
  }
};

INSTANTIATE_TEST_SUITE_P(, EpilogueKernelTest, testing::ValuesIn(epilogue_kernels()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_P(EpilogueKernelTest, IsWithinTheDocumentedErrorOfTheReference) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const std::vector<T> in = sweep<T>();
    double worst_of_all = 0;
    for (const auto& [p0, p1] : parameters(kernel.activation)) {
      const std::vector<T> out = apply(kernel, in, p0, p1);
      double worst = 0;
      std::size_t at = 0;
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double error = ulps(out[i], reference(kernel.activation, in[i], p0, p1));
        if (!(error <= worst)) {  // or NaN
          worst = error;
          at = i;
        }
      }
      EXPECT_LE(worst, bound(kernel.activation))
          << "f(" << in[at] << ") = " << out[at] << ", p0 = " << p0 << ", p1 = " << p1;
      worst_of_all = std::max(worst_of_all, worst);
    }
    RecordProperty("max_ulp", std::to_string(worst_of_all));
  });
}

TEST_P(EpilogueKernelTest, TakesNaNToNaNAndInfinitiesToTheLimits) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    for (const auto& [p0, p1] : parameters(kernel.activation)) {
      const T inf = static_cast<T>(kInf), nan = static_cast<T>(kNaN);
      const T payload = std::bit_cast<T>(bits_of(nan) | 12345u);
      // Long enough for whole vectors and a tail of every ISA.
      std::vector<T> in;
      for (int i = 0; i < 35; ++i) {
        in.insert(in.end(), {nan, inf, -inf, -nan, T(0), T(-0.0), payload});
      }
      const std::vector<T> out = apply(kernel, in, p0, p1);
      const Limits at = limits(kernel.activation, p0, p1);
      for (std::size_t i = 0; i < in.size(); ++i) {
        if (std::isnan(in[i])) {
          EXPECT_TRUE(std::isnan(out[i])) << i << ": " << out[i];
        } else if (std::isinf(in[i])) {
          const double limit = in[i] > 0 ? at.at_infinity : at.at_minus_infinity;
          EXPECT_LE(ulps(out[i], limit), 1) << i << ": " << out[i] << ", not " << limit;
        } else {
          const T zero = static_cast<T>(reference(kernel.activation, in[i], p0, p1));
          EXPECT_LE(ulps(out[i], zero), bound(kernel.activation)) << i << ": " << out[i];
        }
      }
    }
  });
}

TEST_P(EpilogueKernelTest, StaysWithinTheRangeOfTheFunction) {
  const ActivationKind kind = GetParam().activation;
  if (kind != ActivationKind::kSigmoid && kind != ActivationKind::kTanh &&
      kind != ActivationKind::kElu && kind != ActivationKind::kSoftplus) {
    return;
  }
  with_type([&]<typename T>() {
    const T low = kind == ActivationKind::kTanh || kind == ActivationKind::kElu ? -1 : 0;
    const T high = kind == ActivationKind::kTanh || kind == ActivationKind::kSigmoid
                       ? T(1)
                       : std::numeric_limits<T>::max();
    for (const T result : apply(GetParam(), sweep<T>(), 0, 0)) {
      ASSERT_GE(result, low);
      ASSERT_LE(result, high);
    }
  });
}

TEST_P(EpilogueKernelTest, HasTheSameBitsAsTheFirstIsa) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const auto rows = epilogue_kernels();
    const auto first = std::find_if(rows.begin(), rows.end(), [&](const EpilogueKernel& row) {
      return row.activation == kernel.activation && row.dtype == kernel.dtype &&
             row.isa == runnable_isas().front();
    });
    ASSERT_NE(first, rows.end());
    const std::vector<T> in = sweep<T>();
    for (const auto& [p0, p1] : parameters(kernel.activation)) {
      const std::vector<T> out = apply(kernel, in, p0, p1), expected = apply(*first, in, p0, p1);
      for (std::size_t i = 0; i < in.size(); ++i) {
        ASSERT_PRED2(same<T>, out[i], expected[i]) << "f(" << in[i] << ")";
      }
    }
  });
}

/// Every channel count up to two of the widest vectors and one: same bits as in one long run, and
/// not an element read or written elsewhere.
TEST_P(EpilogueKernelTest, TailsHaveTheSameBitsAndTouchNothingElse) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const auto [p0, p1] = parameters(kernel.activation).back();
    using Fenced = FencedArray<T>;
    for (const auto fence : {Fenced::Fence::kAfter, Fenced::Fence::kBefore}) {
      for (int channels = 1; channels <= 33; ++channels) {
        SCOPED_TRACE("channels = " + std::to_string(channels));
        const std::size_t count = static_cast<std::size_t>(channels);
        // Three pixels, out of order, against both fences, one channel apart in the output.
        const std::size_t in_count = 3 * count, out_count = 3 * count + 2;
        Fenced in(in_count, fence), residual(in_count, fence), out(out_count, fence);
        std::mt19937 random(static_cast<unsigned>(channels));
        std::normal_distribution<double> normal(0, 4);
        std::generate(in.begin(), in.end(), [&] { return static_cast<T>(normal(random)); });
        std::generate(residual.begin(), residual.end(),
                      [&] { return static_cast<T>(normal(random)); });
        const int c = channels;
        const Offsets pixel_in = {c, 0, 2 * c}, pixel_residual = {2 * c, c, 0};
        const Offsets pixel_out = {2 * c + 2, c + 1, 0};
        for (const bool with_residual : {false, true}) {
          std::vector<T> values;  // in the order of the pixels
          for (std::size_t p = 0; p < 3; ++p) {
            for (std::size_t i = 0; i < count; ++i) {
              const T v = in[static_cast<std::size_t>(pixel_in[p]) + i];
              const T r = residual[static_cast<std::size_t>(pixel_residual[p]) + i];
              values.push_back(with_residual ? v + r : v);
            }
          }
          values.resize(values.size() + 64, T(1));  // so that all of them are in whole vectors
          const std::vector<T> expected = apply(kernel, values, p0, p1);
          const T untouched = T(-12345.75);
          std::fill(out.begin(), out.end(), untouched);
          apply<T>(kernel, in.begin(), in_count, with_residual ? residual.begin() : nullptr,
                   in_count, pixel_in, pixel_residual, pixel_out, channels, p0, p1, out.begin(),
                   out_count);
          for (std::size_t p = 0; p < 3; ++p) {
            for (std::size_t i = 0; i < count; ++i) {
              ASSERT_PRED2(same<T>, out[static_cast<std::size_t>(pixel_out[p]) + i],
                           expected[p * count + i])
                  << "pixel " << p << ", channel " << i;
            }
          }
          ASSERT_EQ(out[count], untouched);
          ASSERT_EQ(out[2 * count + 1], untouched);
        }
      }
    }
  });
}

TEST_P(EpilogueKernelTest, WorksInPlace) {
  with_type([]<typename T>() {
    const EpilogueKernel& kernel = GetParam();
    const auto [p0, p1] = parameters(kernel.activation).back();
    for (const int channels : {1, 3, 8, 21, 32, 67}) {
      const Offsets pixels = {0, 2 * channels, channels};
      std::vector<T> values(static_cast<std::size_t>(3 * channels));
      std::mt19937 random(7);
      std::normal_distribution<double> normal(0, 4);
      std::generate(values.begin(), values.end(), [&] { return static_cast<T>(normal(random)); });
      for (const bool with_residual : {false, true}) {
        // The residual is the input itself, too: v + v.
        std::vector<T> in = values, doubled = values;
        for (T& v : doubled) v += v;
        const T* residual = with_residual ? in.data() : nullptr;
        apply<T>(kernel, in.data(), in.size(), residual, in.size(), pixels, pixels, pixels,
                 channels, p0, p1, in.data(), in.size());
        const std::vector<T> expected = apply(kernel, with_residual ? doubled : values, p0, p1);
        for (std::size_t i = 0; i < in.size(); ++i) ASSERT_PRED2(same<T>, in[i], expected[i]) << i;
      }
    }
  });
}

TEST_P(EpilogueKernelTest, DoesNothingForNoPixelsOrNoChannels) {
  with_type([]<typename T>() {
    const auto [p0, p1] = parameters(GetParam().activation).back();
    const T in = 1;
    T out = 7;
    apply<T>(GetParam(), &in, 1, nullptr, 0, {}, {}, {}, 1, p0, p1, &out, 1);
    apply<T>(GetParam(), &in, 1, nullptr, 0, {0}, {0}, {0}, 0, p0, p1, &out, 1);
    EXPECT_EQ(out, T(7));
  });
}

}  // namespace
}  // namespace upconv
