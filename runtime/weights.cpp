#include "weights.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "files.h"
#include "kernel_order.h"
#include "upconv/error.h"
#include "upconv/npz.h"
#include "upconv/safetensors.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

namespace fs = std::filesystem;

/// True when an array of that shape can stand for a value of `wanted`.
bool fits(const Dims& shape, const Dims& wanted) {
  return shape == wanted || (wanted.size() > 2 && shape == flat_shape(wanted));
}

/// The same elements under another shape of equally many.
Tensor reshaped(Tensor tensor, const Dims& shape) {
  if (tensor.shape() == shape) return tensor;
  return Tensor::copy_of(ConstTensorView(tensor.data(), tensor.dtype(), shape));
}

Tensor converted(Tensor tensor, const Dims& shape, DType dtype) {
  tensor = reshaped(std::move(tensor), shape);
  return tensor.dtype() == dtype ? std::move(tensor) : Tensor::cast(tensor, dtype);
}

std::string in_quotes(const std::string& name) {
  return "\"" + printable(std::string_view(name)) + "\"";
}

/// "a (shape [3]), b (shape [3, 4])"
std::string list(const std::vector<NamedTensor>& arrays) {
  std::string text;
  for (const NamedTensor& array : arrays) {
    if (!text.empty()) text += ", ";
    if (text.size() > 400) return text + "...";
    text += in_quotes(array.name) + " of shape " + to_string(array.tensor.shape());
  }
  return text;
}

/// The number in "arr_<number>", as NumPy names arrays saved without names; -1 for other names.
Index numpy_number(const std::string& name) {
  constexpr std::string_view kPrefix = "arr_";
  Index number = -1;
  if (!name.starts_with(kPrefix)) return -1;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, number);
  return error == std::errc() && stop == end ? number : -1;
}

bool is_safetensors(const fs::path& path) { return path.extension() == ".safetensors"; }

std::vector<NamedTensor> read_arrays(const fs::path& path) {
  return is_safetensors(path) ? read_safetensors(path) : read_npz(path);
}

/// The arrays of these names, in this order.
std::vector<NamedTensor> read_arrays(const fs::path& path, const std::vector<std::string>& names) {
  if (is_safetensors(path)) return read_safetensors(path, names);
  std::vector<NamedTensor> all = read_npz(path), found;
  for (const std::string& name : names) {
    const auto array = std::find_if(all.begin(), all.end(),
                                    [&](const NamedTensor& each) { return each.name == name; });
    if (array == all.end()) {
      fail(ErrorKind::kInvalidArgument, printable(path),
           "has no array " + in_quotes(name) + "; it has " + list(all));
    }
    found.push_back(*array);
  }
  return found;
}

}  // namespace

void write_arrays(const fs::path& path, std::span<const NamedView> arrays) {
  is_safetensors(path) ? write_safetensors(path, arrays) : write_npz(path, arrays);
}

KernelBias load_named_kernel_bias(const fs::path& path, const WeightNames& names,
                                  const CheckedOptions& checked) {
  const bool has_bias = checked.options.use_bias;
  if (names.bias.empty() == has_bias) {
    fail(ErrorKind::kInvalidArgument, checked.label,
         has_bias ? "no name for the bias is given; the layer has one"
                  : "bias name is " + in_quotes(names.bias) +
                        "; the layer has none (use_bias is false)");
  }
  std::vector<std::string> wanted = {names.kernel};
  if (has_bias) wanted.push_back(names.bias);
  std::vector<NamedTensor> arrays = read_arrays(path, wanted);

  KernelBias result{std::move(arrays[0].tensor), std::nullopt};
  const std::string in = " in " + printable(path) + " has shape ";
  if (names.order) {
    result.kernel = kernel_from(*names.order, result.kernel, checked.options);
  } else if (result.kernel.shape() != checked.kernel_shape) {
    const Dims& shape = result.kernel.shape();
    fail(ErrorKind::kShapeMismatch, checked.label,
         "kernel " + in_quotes(names.kernel) + in + to_string(shape) + "; it must be " +
             to_string(checked.kernel_shape) + other_order(shape, checked.kernel_shape));
  }
  const DType dtype = checked.options.dtype;
  result.kernel = converted(std::move(result.kernel), checked.kernel_shape, dtype);
  if (!has_bias) return result;
  Tensor& bias = arrays[1].tensor;
  if (bias.shape() != checked.bias_shape) {
    fail(ErrorKind::kShapeMismatch, checked.label,
         "bias " + in_quotes(names.bias) + in + to_string(bias.shape()) + "; it must be " +
             to_string(checked.bias_shape));
  }
  result.bias = converted(std::move(bias), checked.bias_shape, dtype);
  return result;
}

KernelBias load_kernel_bias(const fs::path& path, const Dims& kernel_shape, bool has_bias,
                            DType dtype, std::string_view what) {
  const Dims bias_shape{kernel_shape.back()};
  const std::string file = printable(path);
  const auto mismatch = [&](const std::string& text) {
    fail(ErrorKind::kShapeMismatch, what, text);
  };
  const std::string needs =
      "it must hold a kernel of shape " + to_string(kernel_shape) +
      (has_bias ? " and a bias of shape " + to_string(bias_shape) : " and no bias");

  std::vector<NamedTensor> arrays = read_arrays(path);
  NamedTensor* kernel = nullptr;
  NamedTensor* bias = nullptr;
  for (NamedTensor& array : arrays) {
    const std::size_t rank = array.tensor.shape().size();
    const bool is_bias = rank == 1;
    if (!is_bias && rank != 2 && rank != kernel_shape.size()) {
      mismatch("array " + in_quotes(array.name) + " in " + file + " has shape " +
               to_string(array.tensor.shape()) + ", neither a kernel nor a bias; " + needs);
    }
    NamedTensor*& place = is_bias ? bias : kernel;
    if (place) {
      mismatch(file + " holds two arrays that could be the " + (is_bias ? "bias" : "kernel") +
               ": " + list(arrays) + "; " + needs);
    }
    place = &array;
  }
  if (!kernel) mismatch(file + " holds no kernel, but " + list(arrays) + "; " + needs);
  if (has_bias && !bias) mismatch(file + " holds no bias, but " + list(arrays) + "; " + needs);
  if (!has_bias && bias) {
    mismatch(file + " holds a bias, " + in_quotes(bias->name) + " of shape " +
             to_string(bias->tensor.shape()) + "; the layer has none (use_bias is false)");
  }
  const Dims& shape = kernel->tensor.shape();
  if (!fits(shape, kernel_shape)) {
    const Dims wanted =
        shape.size() == kernel_shape.size() ? kernel_shape : flat_shape(kernel_shape);
    mismatch("kernel in " + file + " has shape " + to_string(shape) + "; it must be " +
             to_string(wanted) + other_order(shape, kernel_shape));
  }
  if (bias && bias->tensor.shape() != bias_shape) {
    mismatch("bias in " + file + " has shape " + to_string(bias->tensor.shape()) + "; it must be " +
             to_string(bias_shape));
  }
  KernelBias result{converted(std::move(kernel->tensor), kernel_shape, dtype), std::nullopt};
  if (bias) result.bias = converted(std::move(bias->tensor), bias_shape, dtype);
  return result;
}

void save_kernel_bias(const fs::path& path, const std::optional<ConstTensorView>& bias,
                      const ConstTensorView& kernel, bool kernel_2d) {
  Tensor copy;  // keeps a strided kernel's elements in C order while they are written
  ConstTensorView written = kernel;
  if (kernel_2d) {
    if (kernel.strides() != c_order_strides(kernel.shape())) {
      copy = Tensor::copy_of(kernel);
      written = copy;
    }
    written = ConstTensorView(written.data(), written.dtype(), flat_shape(kernel.shape()));
  }
  const bool named = is_safetensors(path);
  std::vector<NamedView> arrays;
  if (bias) arrays.push_back({named ? "bias" : "arr_0", *bias});
  arrays.push_back({named ? "kernel" : bias ? "arr_1" : "arr_0", written});
  write_arrays(path, arrays);
}

std::vector<Tensor> load_variables(const fs::path& path,
                                   const std::vector<const Variable*>& variables,
                                   std::string_view what) {
  std::vector<NamedTensor> arrays = read_arrays(path);
  const std::string file = printable(path);
  if (arrays.size() != variables.size()) {
    fail(ErrorKind::kShapeMismatch, what,
         file + " holds " + std::to_string(arrays.size()) + " arrays; it must hold " +
             std::to_string(variables.size()) + ", one per variable");
  }
  // A tool that packs the file anew may sort arr_10 before arr_2; the numbers are what was meant.
  if (std::all_of(arrays.begin(), arrays.end(),
                  [](const NamedTensor& array) { return numpy_number(array.name) >= 0; })) {
    std::stable_sort(arrays.begin(), arrays.end(), [](const NamedTensor& a, const NamedTensor& b) {
      return numpy_number(a.name) < numpy_number(b.name);
    });
  }
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const Dims& shape = arrays[i].tensor.shape();
    const Dims& wanted = variables[i]->shape();
    if (fits(shape, wanted)) continue;
    fail(ErrorKind::kShapeMismatch, what,
         "array " + in_quotes(arrays[i].name) + " in " + file + " has shape " + to_string(shape) +
             "; variable " + std::to_string(i) + ", " + in_quotes(variables[i]->name()) +
             ", must be " + to_string(wanted) +
             (wanted.size() > 2 ? other_order(shape, wanted) : ""));
  }
  std::vector<Tensor> values;
  values.reserve(arrays.size());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    values.push_back(
        converted(std::move(arrays[i].tensor), variables[i]->shape(), variables[i]->dtype()));
  }
  return values;
}

}  // namespace upconv::UPCONV_ABI::internal
