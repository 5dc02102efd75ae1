// Whether a sanitizer's run time is in the process, with an allocator of its own.
#pragma once

namespace upconv::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace upconv::test
