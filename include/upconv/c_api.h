/* The C interface of the library: a layer, its weights and its calls. C99 and later, and C++.
 *
 * Every function that can fail returns an upconv_status and, where `error` is not NULL, writes the
 * reason there. No exception leaves the library, nothing is printed, and on an error nothing was
 * written but `error`. What the caller hands in stays the caller's and is read during the call
 * only; the one thing that the library owns is the upconv_layer, from upconv_layer_create to
 * upconv_layer_destroy.
 *
 * Structures begin with `size`, which is sizeof of the structure as the program knows it; all that
 * follows and is zero, or NULL, means the default. So a program works with later versions, whose
 * structures are longer:
 *
 *   upconv_options options = {.size = sizeof options, .input_size = 64, .output_size = 32,
 *                             .filter_shape = (const int64_t[]){4, 4},
 *                             .strides = (const int64_t[]){2, 2}, .padding = "SAME"};
 *
 * A layer may run in several threads at once; setting or loading weights must be alone.
 * convolution_transpose.h says more about what each option means.
 */
#ifndef UPCONV_C_API_H_
#define UPCONV_C_API_H_

/* NOLINTBEGIN(modernize-*): a header of C */
#include <stddef.h>
#include <stdint.h>

/* Functions are exported from the shared library upconv_c, and from nothing that the static library
 * is linked into. */
#if defined(UPCONV_C_EXPORTS)
#define UPCONV_C_API __attribute__((visibility("default")))
#else
#define UPCONV_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What class of mistake; error.h has the same. */
typedef enum upconv_status {
  UPCONV_OK = 0,
  UPCONV_INVALID_ARGUMENT = 1, /* an option or argument is outside its documented range */
  UPCONV_SHAPE_MISMATCH = 2,   /* a tensor's axes, extents or dtype do not fit the layer */
  UPCONV_UNSUPPORTED = 3,      /* well formed, but nothing this build or machine can do */
  UPCONV_CORRUPT_FILE = 4,     /* a file's bytes break the rules of its format */
  UPCONV_TRUNCATED = 5,        /* a file ends before the bytes it declares */
  UPCONV_LIMIT_EXCEEDED = 6,   /* a size is over a documented limit, or overflows 64 bits */
  UPCONV_IO = 7,               /* the operating system refused to open or read */
  UPCONV_OUT_OF_MEMORY = 8,    /* an allocation failed */
  UPCONV_INTERNAL = 9          /* anything else; a fault of the library */
} upconv_status;

typedef enum upconv_dtype { UPCONV_FLOAT32 = 0, UPCONV_FLOAT64 = 1 } upconv_dtype;

/* The caller's memory for the reason of an error: one line, cut where it is longer. */
typedef struct upconv_error {
  upconv_status status; /* as returned */
  char message[508];    /* ended by a NUL; empty after UPCONV_OK */
} upconv_error;

/* Memory of the caller's to read: extents and strides in row-major axis order (slowest first). */
typedef struct upconv_const_view {
  const void* data;
  int32_t dtype; /* an upconv_dtype */
  int32_t axes;
  const int64_t* shape;   /* [axes] */
  const int64_t* strides; /* [axes], in elements, negative and zero allowed; NULL: C order */
} upconv_const_view;

/* Memory of the caller's to write; strides keep channels contiguous. */
typedef struct upconv_view {
  void* data;
  int32_t dtype;
  int32_t axes;
  const int64_t* shape;
  const int64_t* strides;
} upconv_view;

/* A layer. [rank] arrays are in the order of the spatial axes: (w), (h, w) or (d, h, w). */
typedef struct upconv_options {
  size_t size;                   /* sizeof(upconv_options) */
  const char* name;              /* begins messages; NULL: "ConvolutionTranspose" */
  int64_t input_size;            /* channels; required */
  int64_t output_size;           /* channels; required */
  int32_t rank;                  /* 1, 2 or 3; 0: 2 */
  int32_t dtype;                 /* an upconv_dtype: that of all tensors */
  const int64_t* filter_shape;   /* [rank]; required */
  const int64_t* strides;        /* [rank]; NULL: 1 */
  const int64_t* dilations;      /* [rank]; NULL: 1 */
  const char* padding;           /* "VALID", "SAME", "SPLIT_UPPER", "SPLIT_LOWER"; NULL: "VALID" */
  const int64_t* crops;          /* [rank][2], begin and end, in the place of padding; NULL: none */
  const int64_t* output_padding; /* [rank]; NULL: inferred */
  const int64_t* output_lengths; /* [rank]; NULL: inferred */
  const char* activation;        /* "relu" ...; NULL: "linear" */
  const double* alpha;           /* of leaky_relu; NULL: 0.2 */
  const double* bounds;          /* [2], of clamp */
  int32_t no_bias;               /* 1: a layer without bias */
  const char* arithmetic;        /* "fast" or "direct"; NULL: "fast" */
  const char* isa;               /* "avx2", "neon" ...; NULL: the best that runs here */
  const int64_t* expected_input_shape; /* [expected_axes], to choose strategies by */
  int32_t expected_axes;
  const char*
      device; /* "gpu", "cuda" or "opencl", where the library is built for it; NULL: "cpu" */
} upconv_options;

/* How one call runs. */
typedef struct upconv_call {
  size_t size;                       /* sizeof(upconv_call) */
  int32_t threads;                   /* the most to use; 0: 1; results do not depend on it */
  const upconv_const_view* residual; /* added before the activation; NULL: none */
  const int64_t* output_lengths;     /* [rank], in the place of the layer's own; NULL: those */
  void* scratch;                     /* 64-byte aligned; NULL: the call allocates */
  size_t scratch_bytes;              /* of scratch, at least upconv_layer_scratch_bytes() */
} upconv_call;

typedef struct upconv_layer upconv_layer;

/* "0.1.0". */
UPCONV_C_API const char* upconv_version(void);

/* Makes a layer, with a copy of `kernel`, [filter_shape..., input_size, output_size], and of
 * `bias`, [output_size]. With kernel NULL the layer begins with random weights (Glorot's) and bias
 * 0, and takes others by upconv_layer_set_weights or _load; bias NULL is 0. *layer is NULL on an
 * error. */
UPCONV_C_API upconv_status upconv_layer_create(const upconv_options* options,
                                               const upconv_const_view* kernel,
                                               const upconv_const_view* bias, upconv_layer** layer,
                                               upconv_error* error);

/* Frees a layer; NULL is fine. No call of it may be running. */
UPCONV_C_API void upconv_layer_destroy(upconv_layer* layer);

/* Replaces the kernel (packing it) or the bias or both; NULL: keeps it. */
UPCONV_C_API upconv_status upconv_layer_set_weights(upconv_layer* layer,
                                                    const upconv_const_view* kernel,
                                                    const upconv_const_view* bias,
                                                    upconv_error* error);

/* Takes the weights of a .npz or .safetensors file; `path` in the file system's bytes. */
UPCONV_C_API upconv_status upconv_layer_load(upconv_layer* layer, const char* path,
                                             upconv_error* error);

/* Writes the shape of the output, `axes` numbers, for an input of that shape. `call` may be NULL.
 */
UPCONV_C_API upconv_status upconv_layer_output_shape(const upconv_layer* layer, int32_t axes,
                                                     const int64_t* input_shape,
                                                     const upconv_call* call, int64_t* output_shape,
                                                     upconv_error* error);

/* Writes how many bytes of scratch a call of that input shape takes. `call` may be NULL. */
UPCONV_C_API upconv_status upconv_layer_scratch_bytes(const upconv_layer* layer, int32_t axes,
                                                      const int64_t* input_shape,
                                                      const upconv_call* call, size_t* bytes,
                                                      upconv_error* error);

/* Runs the layer on x, [batch..., spatial..., input_size], into y, which has the output's shape and
 * overlaps neither x nor the residual. `call` may be NULL. */
UPCONV_C_API upconv_status upconv_layer_run(const upconv_layer* layer, const upconv_const_view* x,
                                            const upconv_view* y, const upconv_call* call,
                                            upconv_error* error);

#ifdef __cplusplus
} /* extern "C" */
#endif
/* NOLINTEND(modernize-*) */

#endif /* UPCONV_C_API_H_ */
