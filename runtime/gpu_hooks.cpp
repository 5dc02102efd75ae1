// Stands in for Halide's own halide_error, which prints and ends the process, and halide_print. It
// is linked with Halide's run time into one object that hides all three (cmake/UpconvGpu.cmake),
// and so needs no C++ run time.
#include "gpu_hooks.h"

extern "C" {

void halide_error(void* user_context, const char* message) {
  if (user_context == nullptr) return;
  char* const text = static_cast<upconv::internal::GpuReport*>(user_context)->text;
  if (text[0] != '\0') return;  // what follows is the consequence
  std::size_t length = 0;
  while (length + 1 < upconv::internal::GpuReport::kMost && message[length] != '\0') {
    text[length] = message[length] == '\n' ? ' ' : message[length];
    ++length;
  }
  while (length > 0 && text[length - 1] == ' ') text[--length] = '\0';
}

void halide_print(void*, const char*) {}
}
