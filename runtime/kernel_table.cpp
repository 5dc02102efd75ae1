#include "kernel_table.h"

#include <algorithm>
#include <string>
#include <vector>

#include "upconv/kernels.h"

// The generated objects' functions.
extern "C" {
#define UPCONV_WIDE_KERNEL(NAME, DTYPE, ISA, LANES, VECTORS, PIXELS, COST)                  \
  int upconv_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, \
                    halide_buffer_t*, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, \
                    int32_t, int32_t, int32_t, int32_t, double, double, halide_buffer_t*);
#define UPCONV_EPILOGUE_KERNEL(NAME, ACTIVATION, DTYPE, ISA)                                \
  int upconv_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, \
                    halide_buffer_t*, int32_t, int32_t, double, double, halide_buffer_t*);
#include UPCONV_KERNEL_TABLE
#undef UPCONV_WIDE_KERNEL
#undef UPCONV_EPILOGUE_KERNEL
}

namespace upconv {
namespace internal {

namespace {

// The table's words as C++ values.
namespace dtype {
constexpr DType float32 = DType::kFloat32;
constexpr DType float64 = DType::kFloat64;
}  // namespace dtype
namespace isa {
[[maybe_unused]] constexpr Isa sse41 = Isa::kSse41;
[[maybe_unused]] constexpr Isa avx2 = Isa::kAvx2;
[[maybe_unused]] constexpr Isa avx512 = Isa::kAvx512;
[[maybe_unused]] constexpr Isa neon = Isa::kNeon;
}  // namespace isa
namespace activation {
constexpr ActivationKind clamp = ActivationKind::kClamp;
constexpr ActivationKind leaky_relu = ActivationKind::kLeakyRelu;
constexpr ActivationKind elu = ActivationKind::kElu;
constexpr ActivationKind selu = ActivationKind::kSelu;
constexpr ActivationKind gelu = ActivationKind::kGelu;
constexpr ActivationKind gelu_tanh = ActivationKind::kGeluTanh;
constexpr ActivationKind sigmoid = ActivationKind::kSigmoid;
constexpr ActivationKind tanh = ActivationKind::kTanh;
constexpr ActivationKind softplus = ActivationKind::kSoftplus;
constexpr ActivationKind silu = ActivationKind::kSilu;
constexpr ActivationKind hard_swish = ActivationKind::kHardSwish;
}  // namespace activation

constexpr WideKernel kWide[] = {
#define UPCONV_WIDE_KERNEL(NAME, DTYPE, ISA, LANES, VECTORS, PIXELS, COST) \
  {#NAME, dtype::DTYPE, isa::ISA, LANES, VECTORS, PIXELS, COST, upconv_##NAME},
#define UPCONV_EPILOGUE_KERNEL(NAME, ACTIVATION, DTYPE, ISA)
#include UPCONV_KERNEL_TABLE
#undef UPCONV_WIDE_KERNEL
#undef UPCONV_EPILOGUE_KERNEL
};

constexpr EpilogueKernel kEpilogue[] = {
#define UPCONV_WIDE_KERNEL(NAME, DTYPE, ISA, LANES, VECTORS, PIXELS, COST)
#define UPCONV_EPILOGUE_KERNEL(NAME, ACTIVATION, DTYPE, ISA) \
  {#NAME, activation::ACTIVATION, dtype::DTYPE, isa::ISA, upconv_##NAME},
#include UPCONV_KERNEL_TABLE
#undef UPCONV_WIDE_KERNEL
#undef UPCONV_EPILOGUE_KERNEL
};

}  // namespace

std::span<const WideKernel> wide_kernels() { return kWide; }

std::span<const EpilogueKernel> epilogue_kernels() { return kEpilogue; }

std::span<const Isa> built_isas() {
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> all;
    for (const WideKernel& kernel : kWide) {
      if (std::find(all.begin(), all.end(), kernel.isa) == all.end()) all.push_back(kernel.isa);
    }
    std::sort(all.begin(), all.end());  // the enumeration is worst to best
    return all;
  }();
  return isas;
}

const EpilogueKernel* find_epilogue(ActivationKind kind, DType dtype, Isa isa) {
  const bool clamp = kind == ActivationKind::kLinear || kind == ActivationKind::kRelu ||
                     kind == ActivationKind::kRelu6;
  if (clamp) kind = ActivationKind::kClamp;
  for (const EpilogueKernel& kernel : kEpilogue) {
    if (kernel.activation == kind && kernel.dtype == dtype && kernel.isa == isa) return &kernel;
  }
  return nullptr;
}

}  // namespace internal

std::vector<KernelInfo> kernel_infos() {
  constexpr int kMaxRank = 3;
  const std::vector<Isa>& runnable = runnable_isas();
  const auto runs = [&](Isa isa) {
    return std::find(runnable.begin(), runnable.end(), isa) != runnable.end();
  };
  std::vector<KernelInfo> infos;
  for (const internal::WideKernel& row : internal::wide_kernels()) {
    infos.push_back({row.name, "wide", kMaxRank, row.dtype, row.isa, runs(row.isa)});
  }
  for (const internal::EpilogueKernel& row : internal::epilogue_kernels()) {
    infos.push_back({row.name, "epilogue", kMaxRank, row.dtype, row.isa, runs(row.isa)});
  }
  return infos;
}

}  // namespace upconv
