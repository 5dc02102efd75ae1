// The whole library. (halide_buffer.h, which needs a header of Halide's, and c_api.h, the same
// for C, are left out.)
#pragma once

// IWYU pragma: begin_exports
#include "upconv/activation.h"
#include "upconv/arithmetic.h"
#include "upconv/batch_norm.h"
#include "upconv/conventions.h"
#include "upconv/convolution_transpose.h"
#include "upconv/device.h"
#include "upconv/dtype.h"
#include "upconv/error.h"
#include "upconv/executor.h"
#include "upconv/initializers.h"
#include "upconv/isa.h"
#include "upconv/kernel_order.h"
#include "upconv/kernels.h"
#include "upconv/layout.h"
#include "upconv/module.h"
#include "upconv/npz.h"
#include "upconv/safetensors.h"
#include "upconv/sequential.h"
#include "upconv/shape.h"
#include "upconv/tensor.h"
// IWYU pragma: end_exports
