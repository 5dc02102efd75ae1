// Element types by their NumPy descr: "<f4" and "<f8" are read, the others are refused by name.
#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "files.h"
#include "npy.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

/// One kind letter of NumPy's array protocol.
struct Kind {
  char letter;
  std::string_view name;
  bool has_bits;                     ///< the name ends in the number of bits
  std::array<std::size_t, 4> sizes;  ///< bytes of one element; all zero: any
};

constexpr Kind kKinds[] = {
    {'b', "bool", false, {1}},
    {'i', "int", true, {1, 2, 4, 8}},
    {'u', "uint", true, {1, 2, 4, 8}},
    {'f', "float", true, {2, 4, 8, 16}},  // 12-byte x87 floats are of 32-bit machines
    {'c', "complex", true, {8, 16, 32}},
    {'O', "object", false, {}},
    {'S', "bytes", false, {}},
    {'U', "str", false, {}},
    {'V', "void", false, {}},
    {'M', "datetime64", false, {8}},
    {'m', "timedelta64", false, {8}},
};

bool is_digit(char character) { return character >= '0' && character <= '9'; }

[[noreturn]] void fail_descr(std::string_view descr, std::string_view what) {
  fail(ErrorKind::kCorruptFile, what,
       "descr is '" + printable(descr, 40) +
           "'; it must be a byte order, a kind and a size, as in '<f4' or '>f8'");
}

}  // namespace

NpyElement parse_npy_descr(std::string_view descr, std::string_view what) {
  if (descr.size() < 2 || std::string_view("<>|").find(descr[0]) == std::string_view::npos) {
    fail_descr(descr, what);
  }
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const Kind& k) { return k.letter == descr[1]; });
  if (kind == std::end(kKinds)) fail_descr(descr, what);

  // At most 9 digits, so that the value fits; "<f04" is not what anybody writes.
  const std::string_view rest = descr.substr(2);
  const auto digits =
      static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_digit) - rest.begin());
  if (digits > 9 || (digits > 1 && rest[0] == '0')) fail_descr(descr, what);
  std::size_t size = 0;
  for (const char digit : rest.substr(0, digits)) {
    size = size * 10 + static_cast<std::size_t>(digit - '0');
  }
  // Only times have more after the size: their unit, "<M8[ns]".
  const std::string_view unit = rest.substr(digits);
  const bool is_time = kind->letter == 'M' || kind->letter == 'm';
  if (!unit.empty() && (!is_time || unit.front() != '[' || unit.back() != ']')) {
    fail_descr(descr, what);
  }
  const bool any_size = kind->sizes[0] == 0;
  if (any_size ? (digits == 0 && kind->letter != 'O')
               : (size == 0 ||
                  std::find(kind->sizes.begin(), kind->sizes.end(), size) == kind->sizes.end())) {
    fail_descr(descr, what);
  }

  if (kind->letter == 'f' && (size == 4 || size == 8)) {
    if (descr[0] == '|') fail_descr(descr, what);
    const bool little = descr[0] == '<';
    return {size == 4 ? DType::kFloat32 : DType::kFloat64,
            little != (std::endian::native == std::endian::little)};
  }
  std::string name(kind->name);
  if (kind->has_bits) name += std::to_string(8 * size);
  fail(ErrorKind::kUnsupported, what,
       "dtype is " + name + " (descr '" + printable(descr, 40) +
           "'); it must be float32 or float64");
}

}  // namespace upconv::UPCONV_ABI::internal
