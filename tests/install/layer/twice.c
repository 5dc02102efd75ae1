/* Doubles an image of ones twice, by two layers that are one function: every output is 1. */
#include <stdio.h>

#include "twice.h"

int main(void) {
  static const float kernel[4] = {1, 1, 1, 1}, bias[1] = {0}, x[4 * TWICE_WIDTH] = {
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  static float packed[TWICE_PACKED_BYTES / sizeof(float)], y[16 * TWICE_OUTPUT_WIDTH];
  static int32_t scratch[16384];
  if (twice_scratch_bytes(4) > (int64_t)sizeof scratch) return 1;
  twice_pack(kernel, bias, kernel, bias, packed);
  const int32_t status = twice_run(packed, x, 4, y, scratch);
  printf("%s, %d rows\n", twice_error_text(status), (int)twice_output_height(4));
  for (int n = 0; n < 16 * TWICE_OUTPUT_WIDTH; ++n) {
    if (y[n] != 1) return 1;
  }
  return status;
}
