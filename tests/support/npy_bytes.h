// .npy files as bytes: well-formed ones, to be broken on purpose.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace upconv::test {

/// `value` as `size` little-endian bytes.
inline std::string little(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 255);
  return bytes;
}

/// The bytes of elements in this machine's order.
template <typename T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A .npy of that header text, taken as it is, and payload.
inline std::string npy_file(const std::string& header, const std::string& payload,
                            int version = 1) {
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
         little(header.size(), version == 1 ? 2 : 4) + header + payload;
}

/// "{'descr': ..., }\n" of three values in Python's notation.
inline std::string npy_dict(const std::string& descr, const std::string& fortran_order,
                            const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + fortran_order + ", 'shape': " + shape +
         ", }\n";
}

/// Three float32: 1, 2, 3.
inline std::string good_npy() {
  return npy_file(npy_dict("'<f4'", "False", "(3,)"), raw<float>({1, 2, 3}));
}

}  // namespace upconv::test
