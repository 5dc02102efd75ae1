#include "upconv/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "files.h"
#include "npy.h"
#include "safetensors_header.h"
#include "utf8.h"

namespace upconv::UPCONV_ABI {

namespace {

using namespace internal;

// The format is little-endian, and so are all machines that this library is built for.
static_assert(std::endian::native == std::endian::little);

std::string in_quotes(std::string_view text) { return "\"" + printable(text, 80) + "\""; }

NamedTensor read_tensor(const SafetensorsTensor& tensor, std::span<const std::byte> data,
                        std::string_view what, const FileLimits& limits) {
  const std::string name = std::string(what) + ": tensor " + in_quotes(tensor.name);
  if (tensor.dtype != "F32" && tensor.dtype != "F64") {
    fail(ErrorKind::kUnsupported, name, "is " + tensor.dtype + "; it must be F32 or F64");
  }
  if (tensor.shape.size() > limits.axes) {
    fail(ErrorKind::kLimitExceeded, name,
         "has " + std::to_string(tensor.shape.size()) + " axes; the limit is " +
             std::to_string(limits.axes));
  }
  const std::uint64_t bytes = tensor.end - tensor.begin;
  if (bytes > limits.array_bytes) {
    fail(ErrorKind::kLimitExceeded, name,
         "is " + std::to_string(bytes) + " bytes; the limit is " +
             std::to_string(limits.array_bytes));
  }
  // An empty tensor's other extents must not overflow either: strides are products of them.
  Index product = 8;
  for (const Index extent : tensor.shape) {
    if (__builtin_mul_overflow(product, std::max<Index>(extent, 1), &product)) {
      fail(ErrorKind::kLimitExceeded, name,
           "has shape " + to_string(Dims(tensor.shape)) + "; its bytes must fit 63 bits");
    }
  }
  return report_out_of_memory(name, [&] {
    Tensor copy(tensor.dtype == "F32" ? DType::kFloat32 : DType::kFloat64, Dims(tensor.shape));
    if (bytes > 0) std::memcpy(copy.data(), data.data() + tensor.begin, bytes);
    if (limits.finite) check_finite(copy, name);
    return NamedTensor{tensor.name, std::move(copy)};
  });
}

/// "a", "b" ... as far as a line goes.
std::string list_names(const std::vector<SafetensorsTensor>& tensors) {
  std::string text;
  for (const SafetensorsTensor& tensor : tensors) {
    if (!text.empty()) text += ", ";
    if (text.size() > 400) return text + "...";
    text += in_quotes(tensor.name);
  }
  return text.empty() ? "none" : text;
}

/// Reads a file and hands its bytes on.
template <typename Body>
auto with_file(const std::filesystem::path& path, const FileLimits& limits, Body&& body) {
  const std::string what = printable(path);
  return report_out_of_memory(what, [&] {
    std::uint64_t most = 0;
    if (__builtin_add_overflow(limits.total_bytes, limits.safetensors_header + 8, &most)) {
      most = std::numeric_limits<std::uint64_t>::max();
    }
    const Buffer file = read_file(path, most);
    return body(file.bytes(), what);
  });
}

void check_name(const std::string& name, std::string_view what,
                std::unordered_set<std::string_view>& seen) {
  const auto refuse = [&](const std::string& rule) {
    fail(ErrorKind::kInvalidArgument, what, "tensor name is " + in_quotes(name) + "; " + rule);
  };
  const auto is_control = [](unsigned char c) { return c < 0x20; };
  if (name.empty()) refuse("it must not be empty");
  if (name == "__metadata__") refuse("that is the format's own");
  if (!is_utf8(name) || std::any_of(name.begin(), name.end(), is_control)) {
    refuse("it must be UTF-8 without control characters");
  }
  if (!seen.insert(name).second) refuse("it is there twice, and names must differ");
}

}  // namespace

std::vector<NamedTensor> read_safetensors(std::span<const std::byte> bytes, std::string_view what,
                                          std::span<const std::string> names,
                                          const FileLimits& limits) {
  return report_out_of_memory(what, [&] {
    const SafetensorsHeader header = parse_safetensors_header(bytes, what, limits);
    std::vector<NamedTensor> found;
    for (const std::string& name : names) {
      const auto tensor =
          std::find_if(header.tensors.begin(), header.tensors.end(),
                       [&](const SafetensorsTensor& each) { return each.name == name; });
      if (tensor == header.tensors.end()) {
        fail(ErrorKind::kInvalidArgument, what,
             "has no tensor " + in_quotes(name) + "; it has " + list_names(header.tensors));
      }
      found.push_back(read_tensor(*tensor, bytes.subspan(header.data), what, limits));
    }
    return found;
  });
}

std::vector<NamedTensor> read_safetensors(const std::filesystem::path& path,
                                          std::span<const std::string> names,
                                          const FileLimits& limits) {
  return with_file(path, limits, [&](std::span<const std::byte> bytes, std::string_view what) {
    return read_safetensors(bytes, what, names, limits);
  });
}

std::vector<NamedTensor> read_safetensors(std::span<const std::byte> bytes, std::string_view what,
                                          const FileLimits& limits) {
  return report_out_of_memory(what, [&] {
    const SafetensorsHeader header = parse_safetensors_header(bytes, what, limits);
    std::vector<NamedTensor> found;
    found.reserve(header.tensors.size());
    for (const SafetensorsTensor& tensor : header.tensors) {
      found.push_back(read_tensor(tensor, bytes.subspan(header.data), what, limits));
    }
    return found;
  });
}

std::vector<NamedTensor> read_safetensors(const std::filesystem::path& path,
                                          const FileLimits& limits) {
  return with_file(path, limits, [&](std::span<const std::byte> bytes, std::string_view what) {
    return read_safetensors(bytes, what, limits);
  });
}

std::vector<SafetensorsEntry> list_safetensors(const std::filesystem::path& path,
                                               const FileLimits& limits) {
  return with_file(path, limits, [&](std::span<const std::byte> bytes, std::string_view what) {
    std::vector<SafetensorsEntry> entries;
    for (SafetensorsTensor& tensor : parse_safetensors_header(bytes, what, limits).tensors) {
      entries.push_back({std::move(tensor.name), std::move(tensor.dtype), std::move(tensor.shape)});
    }
    return entries;
  });
}

void write_safetensors(const std::filesystem::path& path, std::span<const NamedView> arrays) {
  const std::string what = printable(path);
  report_out_of_memory(what, [&] {
    std::unordered_set<std::string_view> seen;
    for (const NamedView& array : arrays) check_name(array.name, what, seen);
    std::vector<NamedView> ordered(arrays.begin(), arrays.end());
    std::stable_partition(ordered.begin(), ordered.end(), [](const NamedView& array) {
      return array.view.dtype() == DType::kFloat64;
    });
    const std::string header = safetensors_header(ordered);
    std::vector<NpyImage> images;  // elements in C order; their own headers are not used
    images.reserve(ordered.size());
    std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(header))};
    for (const NamedView& array : ordered) {
      parts.push_back(images.emplace_back(array.view, what).payload());
    }
    write_file(path, parts);
  });
}

}  // namespace upconv::UPCONV_ABI
