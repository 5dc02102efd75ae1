// Memory that runs out: each allocation of each operation fails once, alone and with all after it.
// The operation then throws Error kOutOfMemory or std::bad_alloc, changes nothing and leaks
// nothing.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "checks.h"
#include "failing_malloc.h"
#include "temporary_folder.h"
#include "upconv/c_api.h"

namespace upconv::test {
namespace {

/// What an operation does when allocation `first` fails.
enum class Outcome { kDone, kOutOfMemory, kOtherError };

class OutOfMemory : public testing::Test {
 protected:
  OutOfMemory() {
    layer_(x_, {.isa = isas().front()});  // what is made once per process, and for the other ISA
  }

  /// libzip 1.7 loses the state of its checksum layer when there is no memory for the layer.
  static constexpr long kLostByLibzip = 1;

  /// Runs `operation` with every allocation failing in its turn. `unchanged` is checked after each.
  static void expect_survived(const std::function<void()>& operation,
                              const std::function<void()>& unchanged, long lost = 0) {
    operation();  // what is made once is made
    for (const bool and_later : {false, true}) {
      for (long first = 0;; ++first) {
        Attempt attempt = run(operation, first, and_later);
        // The C library gives up its cache of the time zone when it cannot renew it, and makes it
        // anew the next time. What leaks does so every time.
        if (attempt.leaked > lost) attempt = run(operation, first, and_later);
        SCOPED_TRACE("allocation " + std::to_string(first) + (and_later ? " and later" : ""));
        ASSERT_NE(attempt.outcome, Outcome::kOtherError) << other_error;
        ASSERT_LE(attempt.leaked, lost);
        unchanged();
        if (testing::Test::HasFatalFailure() || testing::Test::HasNonfatalFailure()) return;
        if (!attempt.failed) {
          EXPECT_EQ(attempt.outcome, Outcome::kDone);
          break;
        }
      }
    }
  }

  struct Attempt {
    Outcome outcome;
    bool failed;  ///< whether there was an allocation of that number
    long leaked;  ///< blocks
  };

  static Attempt run(const std::function<void()>& operation, long first, bool and_later) {
    const long before = blocks_in_use();
    Attempt attempt{};
    {
      const FailingMalloc failing(first, and_later);
      attempt.outcome = outcome_of(operation);
      attempt.failed = FailingMalloc::failed();
    }
    attempt.leaked = blocks_in_use() - before;
    return attempt;
  }

  static Outcome outcome_of(const std::function<void()>& operation) {
    try {
      operation();
      return Outcome::kDone;
    } catch (const std::bad_alloc&) {
      return Outcome::kOutOfMemory;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kOutOfMemory) return Outcome::kOutOfMemory;
      std::snprintf(other_error, sizeof other_error, "%s", error.what());  // without memory
      return Outcome::kOtherError;
    }
  }

  static ConvolutionTransposeOptions options() {
    return {.input_size = 5,
            .output_size = 9,
            .filter_shape = {4, 3},
            .strides = 2,
            .padding = "SAME",
            .activation_fn = "tanh",
            .name = "decoder"};
  }

  void expect_layer_unchanged() const {
    const Tensor y = layer_(x_);
    EXPECT_TRUE(same_bits(y, y_));
    EXPECT_TRUE(same_bits(layer_.kernel(), kernel_));
  }

  /// A convolution large enough for three threads.
  static Tensor image() { return initializers::normal()({4, 30, 30, 16}, DType::kFloat32); }

  inline static char other_error[200];
  ConvolutionTranspose layer_{options()};
  const Tensor x_ = initializers::normal()({2, 5, 6, 5}, DType::kFloat32);
  const Tensor y_ = layer_(x_);
  const Tensor kernel_ = Tensor::copy_of(layer_.kernel());
  TemporaryFolder folder_;
};

TEST_F(OutOfMemory, WhileALayerIsMade) {
  expect_survived([] { const ConvolutionTranspose made(options()); }, [] {});
  expect_survived(
      [] {
        // The narrow strategy packs, too.
        const ConvolutionTranspose made(
            {.input_size = 3, .output_size = 1, .filter_shape = 9, .strides = 3});
      },
      [] {});
}

TEST_F(OutOfMemory, DuringACall) {
  expect_survived([&] { layer_(x_); }, [&] { expect_layer_unchanged(); });
  // A view whose channels are not contiguous is copied.
  const ConstTensorView strided(x_.data(), x_.dtype(), {2, 5, 2, 5}, {150, 30, 15, 3});
  expect_survived([&] { layer_(strided, {.residual = {}}); }, [] {});
}

TEST_F(OutOfMemory, DuringACallWritesNothing) {
  Tensor y(DType::kFloat32, y_.shape());
  const std::span<float> values = y.values<float>();
  bool called = false;
  expect_survived(
      [&] {
        called = false;
        std::fill(values.begin(), values.end(), 7.0F);
        layer_(x_, y.view());
        called = true;
      },
      [&] {
        if (called) {
          EXPECT_TRUE(same_bits(y, y_));
        } else {
          EXPECT_TRUE(
              std::all_of(values.begin(), values.end(), [](float value) { return value == 7; }));
        }
      });
}

TEST_F(OutOfMemory, DuringACallWithThreads) {
  const ConvolutionTranspose layer(
      {.input_size = 16, .output_size = 24, .filter_shape = 4, .strides = 2});
  const Tensor x = image();
  const Tensor expected = layer(x);
  expect_survived([&] { layer(x, {.threads = 3}); },
                  [&] { EXPECT_TRUE(same_bits(layer(x), expected)); });
  ThreadPool pool(3);
  expect_survived([&] { layer(x, {.threads = 3, .executor = &pool}); }, [] {});
  EXPECT_TRUE(same_bits(layer(x, {.threads = 3, .executor = &pool}), expected));
}

TEST_F(OutOfMemory, WhilePackingForAnotherIsa) {
  expect_survived(
      [&] {
        ConvolutionTranspose copy(layer_);
        copy.kernel().assign(kernel_);  // what was packed for another is gone
        for (const Isa isa : isas()) copy(x_, {.isa = isa});
      },
      [&] { expect_layer_unchanged(); });
}

TEST_F(OutOfMemory, WhileWeightsAreAssigned) {
  const Tensor other = Tensor::zeros(DType::kFloat32, kernel_.shape());
  const Tensor bias = Tensor::copy_of(layer_.bias());
  const auto assign = [](Variable& variable, const Tensor& value, const Tensor& back) {
    variable.assign(value);
    variable.assign(back);
  };
  // The second assignment may be the one that fails.
  const auto whole = [&] {
    const bool is_old = same_bits(layer_.kernel(), kernel_);
    EXPECT_TRUE(is_old || same_bits(layer_.kernel(), other));
    const Tensor y = layer_(x_);
    EXPECT_EQ(is_old, static_cast<bool>(same_bits(y, y_)))
        << "the kernel and what is packed differ";
    layer_.kernel().assign(kernel_);
    layer_.bias().assign(bias);
  };
  expect_survived([&] { assign(layer_.kernel(), other, kernel_); }, whole);
  expect_survived([&] { assign(layer_.bias(), bias, bias); }, whole);
}

TEST_F(OutOfMemory, WhileLayersAreCopied) {
  expect_survived(
      [&] {
        ConvolutionTranspose copy = layer_;
        copy = layer_;
        const auto clone = layer_.clone();
      },
      [&] { expect_layer_unchanged(); });
}

TEST_F(OutOfMemory, WhileFilesAreWritten) {
  const auto path = folder_ / "w.npz";
  layer_.save(path);
  const std::string old = read_bytes(path);
  const auto is_old = [&] {
    EXPECT_EQ(read_bytes(path), old);
    EXPECT_EQ(folder_.names(), std::vector<std::string>{"w.npz"});
  };
  expect_survived([&] { layer_.save(path); }, is_old, kLostByLibzip);
  const auto npy = folder_ / "w.npz";
  write_npy(npy, x_);
  const std::string old_npy = read_bytes(npy);
  expect_survived([&] { write_npy(npy, x_); }, [&] { EXPECT_EQ(read_bytes(npy), old_npy); });
}

TEST_F(OutOfMemory, WhileFilesAreRead) {
  const auto path = folder_ / "w.npz";
  layer_.save(path);
  expect_survived([&] { layer_.load(path); }, [&] { expect_layer_unchanged(); });
  expect_survived([&] { read_npz(path); }, [] {});
  write_npy(folder_ / "x.npy", x_);
  expect_survived([&] { read_npy(folder_ / "x.npy"); }, [] {});
  write_bytes(folder_ / "bad.npz", read_bytes(path).substr(1));
  // An error is made of strings; a shorter one must not come out of it.
  const auto refused = [&] {
    try {
      read_npz(folder_ / "bad.npz");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kCorruptFile) throw;
    }
  };
  expect_survived(refused, [] {});
}

TEST_F(OutOfMemory, InAModelOfSeveralLayers) {
  const auto path = folder_ / "model.npz";
  ConvolutionTransposeOptions second = options();
  second.input_size = 9;
  Sequential model(layer_, ConvolutionTranspose(second));
  const Tensor before = model(x_);
  model.save(path);
  const auto same = [&] { EXPECT_TRUE(same_bits(model(x_), before)); };
  expect_survived([&] { model(x_); }, same);
  expect_survived([&] { model.clone(); }, same);
  expect_survived([&] { model.summary(); }, same);
  expect_survived([&] { model.variables(); }, same);
  expect_survived([&] { model.save(path); }, same, kLostByLibzip);
  expect_survived([&] { model.load(path); }, same);
}

TEST_F(OutOfMemory, InTheSmallerParts) {
  expect_survived(
      [] {
        ThreadPool pool(3);
        pool.run(5, [](int) {});
      },
      [] {});
  const BatchNorm norm{.gamma = {},
                       .beta = {},
                       .mean = Tensor::zeros(DType::kFloat32, {9}),
                       .variance = Tensor::zeros(DType::kFloat32, {9})};
  expect_survived([&] { fold_batch_norm(layer_.kernel(), layer_.bias(), norm); }, [] {});
  expect_survived([&] { channels_first_to_last(x_, 2); }, [] {});
  expect_survived([] { initializers::bicubic({2, 2})({8, 8, 3, 3}, DType::kFloat32); }, [] {});
  expect_survived([] { const Activation activation("gelu"); }, [] {});
  expect_survived([&] { layer_.kernel_choice(x_.shape()); }, [] {});
  expect_survived([&] { layer_.scratch_bytes(x_.shape(), 2); }, [] {});
}

TEST_F(OutOfMemory, ACallThatIsGivenItsMemoryAllocatesNothing) {
  Tensor scratch(DType::kFloat32, {static_cast<Index>(layer_.scratch_bytes(x_.shape()) / 4)});
  const CallOptions call{.scratch = std::as_writable_bytes(scratch.values<float>())};
  Tensor y(DType::kFloat32, y_.shape());
  const TensorView view = y.view();
  const ConstTensorView x = x_;
  layer_(x, view, call);
  const long before = allocations();
  layer_(x, view, call);
  EXPECT_EQ(allocations(), before);
}

TEST_F(OutOfMemory, NorDoesACallOfAnyStrategy) {
  struct Of {
    const char* strategy;
    Arithmetic arithmetic;
    Index input_size, output_size, filter, stride;
  };
  for (const Of& of : {Of{"wide", Arithmetic::kDirect, 48, 48, 3, 1},
                       Of{"narrow", Arithmetic::kDirect, 64, 1, 9, 1},
                       Of{"winograd", Arithmetic::kFast, 96, 96, 3, 1},
                       Of{"scatter", Arithmetic::kFast, 128, 3, 9, 2}}) {
    ConvolutionTransposeOptions options;
    options.name = of.strategy;
    options.input_size = of.input_size;
    options.output_size = of.output_size;
    options.filter_shape = of.filter;
    options.strides = of.stride;
    options.padding = "SAME";
    options.arithmetic = of.arithmetic;
    const ConvolutionTranspose layer(options);
    const Tensor x = Tensor::zeros(DType::kFloat32, {1, 24, 24, of.input_size});
    ASSERT_EQ(layer.kernel_choice(x.shape()).strategy, of.strategy);
    Tensor y(DType::kFloat32, layer.output_shape(x.shape()));
    Tensor scratch(DType::kFloat32, {static_cast<Index>(layer.scratch_bytes(x.shape()) / 4)});
    const CallOptions call{.scratch = std::as_writable_bytes(scratch.values<float>())};
    const ConstTensorView from = x;
    const TensorView to = y.view();
    layer(from, to, call);
    const long before = allocations();
    layer(from, to, call);
    EXPECT_EQ(allocations(), before) << of.strategy;
  }
}

TEST_F(OutOfMemory, IsAStatusInC) {
  const auto require = [](upconv_status status, const upconv_error& error) {
    if (status == UPCONV_OUT_OF_MEMORY) throw std::bad_alloc();
    if (status != UPCONV_OK) throw Error(ErrorKind::kInvalidArgument, error.message);
  };
  static constexpr int64_t kFilter[2] = {4, 3};
  upconv_options options = {};
  options.size = sizeof options;
  options.input_size = 5;
  options.output_size = 9;
  options.filter_shape = kFilter;
  const Tensor& weights = kernel_;
  const upconv_const_view kernel = {weights.data(), UPCONV_FLOAT32, 4, weights.shape().begin(),
                                    nullptr};
  const upconv_const_view x = {x_.data(), UPCONV_FLOAT32, 4, x_.shape().begin(), nullptr};
  Tensor result = Tensor::zeros(DType::kFloat32, {2, 8, 8, 9});
  const upconv_view y = {result.data(), UPCONV_FLOAT32, 4, result.shape().begin(), nullptr};
  const auto operation = [&] {
    upconv_error error = {};
    upconv_layer* made = nullptr;
    require(upconv_layer_create(&options, &kernel, nullptr, &made, &error), error);
    const std::unique_ptr<upconv_layer, void (*)(upconv_layer*)> layer(made, upconv_layer_destroy);
    require(upconv_layer_set_weights(made, &kernel, nullptr, &error), error);
    require(upconv_layer_run(made, &x, &y, nullptr, &error), error);
  };
  expect_survived(operation, [] {});
}

}  // namespace
}  // namespace upconv::test
