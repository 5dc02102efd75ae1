#include "upconv/arithmetic.h"

namespace upconv::UPCONV_ABI {

std::string_view to_string(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kFast ? "fast" : "direct";
}

std::optional<Arithmetic> parse_arithmetic(std::string_view name) {
  for (const Arithmetic arithmetic : {Arithmetic::kFast, Arithmetic::kDirect}) {
    if (to_string(arithmetic) == name) return arithmetic;
  }
  return std::nullopt;
}

}  // namespace upconv::UPCONV_ABI
