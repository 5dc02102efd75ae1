"""A layer in TensorFlow's operators; TensorFlow runs it and LiteRT's models are made from it."""

import numpy as np
import tensorflow as tf

from workers.common import Refused


def same_offset(k, s, length, i):
    """Where TensorFlow's SAME begins, as a gradient of the convolution of `length` elements."""
    return max((i - 1) * s + k - length, 0) // 2


def layer_of(problem, explicit=True):
    """(function, x, shape of the result without an axis added for 1-D).

    explicit: whether pairs of paddings may be used (LiteRT has none).
    """
    if max(problem.dilations) > 1:
        raise Refused("no dilation above 1 in TensorFlow's transposed convolution on the CPU")
    rank, one_d = problem.rank, problem.rank == 1

    def add_axis(values, value):
        return [value, *values] if one_d else list(values)

    filters, strides = add_axis(problem.filters, 1), add_axis(problem.strides, 1)
    lengths, extents = add_axis(problem.lengths, 1), add_axis(problem.extents, 1)
    offsets, full = add_axis(problem.offsets, 0), add_axis(problem.full, 1)
    ends = add_axis(problem.ends, 0)

    crop = None
    same = all(
        -(-n // s) == i and o == same_offset(k, s, n, i)
        for k, s, n, i, o in zip(filters, strides, lengths, extents, offsets)
    )
    # VALID takes any length of which a convolution would make the input's.
    valid = all(o == 0 and -s < e <= 0 for o, e, s in zip(offsets, ends, strides))
    pairs = all(
        (n + o + max(e, 0) - k) // s + 1 == i
        for k, s, n, i, o, e in zip(filters, strides, lengths, extents, offsets, ends)
    )
    if valid:
        padding = "VALID"
    elif same:
        padding = "SAME"
    elif explicit and pairs and rank < 3:
        padding = [[0, 0], *([o, max(e, 0)] for o, e in zip(offsets, ends)), [0, 0]]
    else:
        padding = "VALID"
        crop = [0, *offsets, 0], [problem.batch, *lengths, problem.output_size]
        lengths = [max(f, o + n) for f, o, n in zip(full, offsets, lengths)]

    kernel = np.swapaxes(problem.kernel, -1, -2)
    kernel = tf.constant(kernel[None] if one_d else kernel)
    bias = tf.constant(problem.bias)
    shape = tf.constant([problem.batch, *lengths, problem.output_size])
    convolve = tf.nn.conv3d_transpose if rank == 3 else tf.nn.conv2d_transpose
    activation = {None: None, "relu": tf.nn.relu, "tanh": tf.nn.tanh}[problem.activation]

    def layer(x):
        y = convolve(x, kernel, shape, strides, padding)
        if crop:
            y = tf.slice(y, *crop)
        y = tf.nn.bias_add(y, bias)
        return activation(y) if activation else y

    x = problem.x[:, None] if one_d else problem.x
    return layer, x, problem.output_shape
