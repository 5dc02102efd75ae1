/* The C interface in C11, as c_api.h shows it. */
#include "c_api_c11.h"

upconv_status upconv_test_from_c11(float y[16], upconv_error* error) {
  const upconv_options options = {.size = sizeof options,
                                  .name = "from C",
                                  .input_size = 1,
                                  .output_size = 1,
                                  .filter_shape = (const int64_t[]){2, 2},
                                  .strides = (const int64_t[]){2, 2}};
  const float taps[4] = {1, 1, 1, 1}, half[1] = {0.5f}, x[4] = {1, 2, 3, 4};
  const upconv_const_view kernel = {
      .data = taps, .axes = 4, .shape = (const int64_t[]){2, 2, 1, 1}};
  const upconv_const_view bias = {.data = half, .axes = 1, .shape = (const int64_t[]){1}};
  const upconv_const_view input = {.data = x, .axes = 4, .shape = (const int64_t[]){1, 2, 2, 1}};

  upconv_layer* layer = NULL;
  upconv_status status = upconv_layer_create(&options, &kernel, &bias, &layer, error);
  int64_t shape[4];
  if (status == UPCONV_OK) {
    status = upconv_layer_output_shape(layer, 4, input.shape, NULL, shape, error);
  }
  if (status == UPCONV_OK) {
    const upconv_view output = {.data = y, .axes = 4, .shape = shape};
    status = upconv_layer_run(layer, &input, &output, NULL, error);
  }
  upconv_layer_destroy(layer);
  return status;
}
