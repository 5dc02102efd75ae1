// UTF-8 in files.
#pragma once

#include <string_view>

#include "upconv/version.h"

namespace upconv::UPCONV_ABI::internal {

/// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace upconv::UPCONV_ABI::internal
