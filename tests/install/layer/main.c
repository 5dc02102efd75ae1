/* Doubles an image of ones: every output is 1. */
#include <stdio.h>

#include "decoder.h"

int main(void) {
  static const float kernel[4] = {1, 1, 1, 1}, bias[1] = {0}, x[4 * DECODER_WIDTH] = {
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  static float packed[DECODER_PACKED_BYTES / sizeof(float)], y[8 * DECODER_OUTPUT_WIDTH];
  static int32_t scratch[DECODER_SCRATCH_BYTES / sizeof(int32_t) + 1];
  decoder_pack(kernel, bias, packed);
  const int32_t status = decoder_run(packed, x, 4, y, scratch);
  printf("%s, %d rows\n", decoder_error_text(status), (int)decoder_output_height(4));
  for (int n = 0; n < 8 * DECODER_OUTPUT_WIDTH; ++n) {
    if (y[n] != 1) return 1;
  }
  return status;
}
