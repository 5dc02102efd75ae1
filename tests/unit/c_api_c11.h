/* What the C11 half of c_api_test does, for its C++ half. */
#ifndef UPCONV_TESTS_UNIT_C_API_C11_H_
#define UPCONV_TESTS_UNIT_C_API_C11_H_

#include "upconv/c_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A layer of 1 channel to 1, filter 2 x 2 of ones, stride 2, bias 0.5: writes the 4 x 4 outputs of
 * the 2 x 2 input 1 2 3 4. Returns the first status that is not UPCONV_OK. */
upconv_status upconv_test_from_c11(float y[16], upconv_error* error);

#ifdef __cplusplus
}
#endif

#endif /* UPCONV_TESTS_UNIT_C_API_C11_H_ */
