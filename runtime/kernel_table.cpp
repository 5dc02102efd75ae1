#include "kernel_table.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "upconv/kernels.h"

// One file of rows per kind, made by cmake/UpconvKernels.cmake. First the generated objects'
// functions, PREFIX_NAME: the prefix has the version, so that two versions can be in one program.
// Hidden: a shared object that the library is linked into exports none of them. (The objects say
// nothing; of all declarations the strictest decides.)
#pragma GCC visibility push(hidden)
extern "C" {
#define UPCONV_TILE_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES, VECTORS, PIXELS, COST)            \
  int PREFIX##_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, \
                      halide_buffer_t*, halide_buffer_t*, int32_t, int32_t, int32_t, int32_t, \
                      int32_t, int32_t, int32_t, int32_t, int32_t, bool, double, double,      \
                      halide_buffer_t*);
#include "narrow_rows.inc"
#include "wide_rows.inc"
#undef UPCONV_TILE_KERNEL
#define UPCONV_LISTED_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES, VECTORS, PIXELS, INPUTS)        \
  int PREFIX##_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, \
                      halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, \
                      int32_t, int32_t, int32_t, int32_t, double, double, halide_buffer_t*);
#include "listed_rows.inc"
#undef UPCONV_LISTED_KERNEL
#define UPCONV_WINOGRAD_INPUT(PREFIX, NAME, DTYPE, ISA, U, V)                                 \
  int PREFIX##_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, int32_t, int32_t, \
                      int32_t, int32_t, int32_t, halide_buffer_t*);
#include "winograd_input_rows.inc"
#undef UPCONV_WINOGRAD_INPUT
#define UPCONV_WINOGRAD_OUTPUT(PREFIX, NAME, DTYPE, ISA, M_U, R_U, M_V, R_V)                  \
  int PREFIX##_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, int32_t, int32_t, \
                      int32_t, int32_t, int32_t, halide_buffer_t*, double, double,            \
                      halide_buffer_t*);
#include "winograd_output_rows.inc"
#undef UPCONV_WINOGRAD_OUTPUT
#define UPCONV_FEW_COLUMNS_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES, COLUMNS)                   \
  int PREFIX##_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, \
                      int32_t, double, double, halide_buffer_t*);
#include "few_columns_rows.inc"
#undef UPCONV_FEW_COLUMNS_KERNEL
#define UPCONV_ADDED_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES)                                  \
  int PREFIX##_##NAME(halide_buffer_t*, halide_buffer_t*, int32_t, int32_t, int32_t, int32_t, \
                      int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, \
                      halide_buffer_t*);
#include "added_rows.inc"
#undef UPCONV_ADDED_KERNEL
#define UPCONV_EPILOGUE_KERNEL(PREFIX, NAME, ACTIVATION, DTYPE, ISA)                          \
  int PREFIX##_##NAME(halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, halide_buffer_t*, \
                      halide_buffer_t*, int32_t, int32_t, double, double, halide_buffer_t*);
#include "epilogue_rows.inc"
#undef UPCONV_EPILOGUE_KERNEL
}
#pragma GCC visibility pop

namespace upconv::UPCONV_ABI {
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

#define UPCONV_TILE_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES, VECTORS, PIXELS, COST) \
  {#NAME, dtype::DTYPE, isa::ISA, LANES, VECTORS, PIXELS, COST, PREFIX##_##NAME},
constexpr TileKernel kWide[] = {
#include "wide_rows.inc"
};
constexpr TileKernel kNarrow[] = {
#include "narrow_rows.inc"
};
#undef UPCONV_TILE_KERNEL
constexpr TileKernel kListed[] = {
#define UPCONV_LISTED_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES, VECTORS, PIXELS, INPUTS) \
  {#NAME, dtype::DTYPE, isa::ISA, LANES, VECTORS, PIXELS, 0, nullptr, PREFIX##_##NAME, INPUTS},
#include "listed_rows.inc"
#undef UPCONV_LISTED_KERNEL
};

constexpr WinogradInputKernel kWinogradInput[] = {
#define UPCONV_WINOGRAD_INPUT(PREFIX, NAME, DTYPE, ISA, U, V) \
  {#NAME, dtype::DTYPE, isa::ISA, U, V, PREFIX##_##NAME},
#include "winograd_input_rows.inc"
#undef UPCONV_WINOGRAD_INPUT
};
constexpr WinogradOutputKernel kWinogradOutput[] = {
#define UPCONV_WINOGRAD_OUTPUT(PREFIX, NAME, DTYPE, ISA, M_U, R_U, M_V, R_V) \
  {#NAME, dtype::DTYPE, isa::ISA, M_U, R_U, M_V, R_V, PREFIX##_##NAME},
#include "winograd_output_rows.inc"
#undef UPCONV_WINOGRAD_OUTPUT
};

constexpr FewColumnsKernel kFewColumns[] = {
#define UPCONV_FEW_COLUMNS_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES, COLUMNS) \
  {#NAME, dtype::DTYPE, isa::ISA, LANES, COLUMNS, PREFIX##_##NAME},
#include "few_columns_rows.inc"
#undef UPCONV_FEW_COLUMNS_KERNEL
    {}  // instruction sets may have none
};
constexpr AddedKernel kAdded[] = {
#define UPCONV_ADDED_KERNEL(PREFIX, NAME, DTYPE, ISA, LANES) \
  {#NAME, dtype::DTYPE, isa::ISA, LANES, PREFIX##_##NAME},
#include "added_rows.inc"
#undef UPCONV_ADDED_KERNEL
    {}  // instruction sets may have none
};

constexpr EpilogueKernel kEpilogue[] = {
#define UPCONV_EPILOGUE_KERNEL(PREFIX, NAME, ACTIVATION, DTYPE, ISA) \
  {#NAME, activation::ACTIVATION, dtype::DTYPE, isa::ISA, PREFIX##_##NAME},
#include "epilogue_rows.inc"
#undef UPCONV_EPILOGUE_KERNEL
};

constexpr TargetSizes kTargets[] = {
#define UPCONV_TARGET(ISA, ...) {isa::ISA, __VA_ARGS__},
#include "target_rows.inc"
#undef UPCONV_TARGET
};

}  // namespace

std::span<const TileKernel> wide_kernels() { return kWide; }

std::span<const TileKernel> listed_kernels() { return kListed; }

std::span<const TileKernel> narrow_kernels() { return kNarrow; }

std::span<const WinogradInputKernel> winograd_input_kernels() { return kWinogradInput; }

std::span<const WinogradOutputKernel> winograd_output_kernels() { return kWinogradOutput; }

std::span<const FewColumnsKernel> few_columns_kernels() {
  return std::span(kFewColumns).first(std::size(kFewColumns) - 1);
}

std::span<const AddedKernel> added_kernels() {
  return std::span(kAdded).first(std::size(kAdded) - 1);
}

std::span<const EpilogueKernel> epilogue_kernels() { return kEpilogue; }

const TargetSizes& target_sizes(Isa isa) {
  return *std::find_if(std::begin(kTargets), std::end(kTargets),
                       [&](const TargetSizes& sizes) { return sizes.isa == isa; });
}

std::span<const Isa> built_isas() {
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> all;
    for (const TargetSizes& sizes : kTargets) all.push_back(sizes.isa);
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
  const auto add_rows = [&](const char* strategy, const auto& rows) {
    for (const auto& row : rows) {
      infos.push_back({row.name, strategy, kMaxRank, row.dtype, row.isa, runs(row.isa)});
    }
  };
  add_rows("wide", internal::wide_kernels());
  add_rows("wide", internal::listed_kernels());
  add_rows("narrow", internal::narrow_kernels());
  add_rows("winograd", internal::winograd_input_kernels());
  add_rows("winograd", internal::winograd_output_kernels());
  add_rows("scatter", internal::few_columns_kernels());
  add_rows("scatter", internal::added_kernels());
  add_rows("epilogue", internal::epilogue_kernels());
  return infos;
}

}  // namespace upconv::UPCONV_ABI
