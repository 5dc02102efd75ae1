/* A layer from C, with the shared library upconv_c: enlarges a row of pixels by 2, into a part of a
 * larger array, in memory that the program provides. build/bin/upconv_from_c prints the pixels. */
#include <stdio.h>
#include <stdlib.h>
#include <upconv/c_api.h>

/* Prints the reason of an error; 0 for none. */
static int failed(const upconv_error* error) {
  if (error->status == UPCONV_OK) return 0;
  fprintf(stderr, "upconv_from_c: error %d: %s\n", (int)error->status, error->message);
  return 1;
}

/* Runs the layer on 4 pixels; the results are every second element of `row`. */
static int enlarge(const upconv_layer* layer, float row[16], upconv_error* error) {
  const float pixels[4] = {0, 4, 8, 4};
  const int64_t in_shape[2] = {4, 1}, strides[2] = {2, 1};
  int64_t out_shape[2];
  size_t bytes;
  if (upconv_layer_output_shape(layer, 2, in_shape, NULL, out_shape, error)) return 1;
  if (upconv_layer_scratch_bytes(layer, 2, in_shape, NULL, &bytes, error)) return 1;
  void* const scratch = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
  if (scratch == NULL) return 1;

  const upconv_const_view x = {.data = pixels, .axes = 2, .shape = in_shape};
  const upconv_view y = {.data = row, .axes = 2, .shape = out_shape, .strides = strides};
  const upconv_call call = {.size = sizeof call, .scratch = scratch, .scratch_bytes = bytes};
  upconv_layer_run(layer, &x, &y, &call, error);
  free(scratch);
  return error->status != UPCONV_OK;
}

int main(void) {
  /* A pixel, and half of its neighbours. */
  const float taps[3] = {0.5F, 1, 0.5F};
  const int64_t taps_shape[3] = {3, 1, 1};
  const upconv_const_view kernel = {.data = taps, .axes = 3, .shape = taps_shape};
  const upconv_options options = {.size = sizeof options,
                                  .name = "up",
                                  .input_size = 1,
                                  .output_size = 1,
                                  .rank = 1,
                                  .filter_shape = (const int64_t[]){3},
                                  .strides = (const int64_t[]){2},
                                  .padding = "SAME"};
  upconv_error error;
  upconv_layer* layer;
  upconv_layer_create(&options, &kernel, NULL, &layer, &error);
  if (failed(&error)) return 1;

  float row[16] = {0};
  if (enlarge(layer, row, &error)) {
    failed(&error);
    upconv_layer_destroy(layer);
    return 1;
  }
  for (int i = 0; i < 8; ++i) printf("%g ", (double)row[(size_t)2 * (size_t)i]);
  printf("\n");

  /* A mistake has a reason, and nothing was written. */
  const int64_t wrong[1] = {3};
  int64_t unused[1];
  const upconv_status status = upconv_layer_output_shape(layer, 1, wrong, NULL, unused, &error);
  printf("%s\n", error.message);
  upconv_layer_destroy(layer);
  return status == UPCONV_SHAPE_MISMATCH && row[10] == 8 && row[1] == 0 ? 0 : 1;
}
