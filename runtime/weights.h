// Which array of a weight file is which weight.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "options.h"
#include "upconv/convolution_transpose.h"
#include "upconv/module.h"
#include "upconv/npz.h"
#include "upconv/tensor.h"

namespace upconv::UPCONV_ABI::internal {

/// Writes a .npz, or a .safetensors where the path ends so.
void write_arrays(const std::filesystem::path& path, std::span<const NamedView> arrays);

/// Reads a layer's weights from a .npz, or a .safetensors where the path ends so, and tells them
/// apart by rank: 1 is the bias, `kernel_shape`'s rank the kernel, 2 the kernel with all but the
/// last axis as one (TFP 0.25's variable). Names and order do not matter; each is rounded to
/// `dtype`.
/// @param what starts every message: `ConvolutionTranspose "decoder"`.
/// @throws Error kShapeMismatch when an array is missing, too many or of another shape, and as
///         read_npz or read_safetensors.
KernelBias load_kernel_bias(const std::filesystem::path& path, const Dims& kernel_shape,
                            bool has_bias, DType dtype, std::string_view what);

/// Reads a layer's weights by their names, as ConvolutionTranspose::load documents.
KernelBias load_named_kernel_bias(const std::filesystem::path& path, const WeightNames& names,
                                  const CheckedOptions& checked);

/// Writes TFP's order and names: the bias as arr_0 when there is one, then the kernel, 2-D on
/// request. A path that ends in .safetensors gets "bias" and "kernel". By rename.
void save_kernel_bias(const std::filesystem::path& path, const std::optional<ConstTensorView>& bias,
                      const ConstTensorView& kernel, bool kernel_2d);

/// Reads one array for each variable, as Layer::load documents, and assigns nothing.
/// @return values of the variables' shapes and dtypes.
/// @throws Error kShapeMismatch for a wrong number of arrays or a wrong shape, and as read_npz.
std::vector<Tensor> load_variables(const std::filesystem::path& path,
                                   const std::vector<const Variable*>& variables,
                                   std::string_view what);

}  // namespace upconv::UPCONV_ABI::internal
