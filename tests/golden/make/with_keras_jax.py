# SPDX-License-Identifier: Apache-2.0
"""keras.ops on JAX: the only peer that defines SAME and VALID for stride and dilation together."""

import os

import numpy as np

from make.cases import BOTH, DILATED, config_of, extents, pick
from make.maker import Maker, text


def make():
    os.environ["KERAS_BACKEND"] = "jax"
    import jax

    jax.config.update("jax_enable_x64", True)
    m = Maker("keras_jax")

    def op_call(tag, axes, padding, op=None, cin=2, cout=2, **more):
        def run(x, kernel, bias):
            import keras

            a = dict(
                strides=tuple(v[1] for v in axes),
                padding=padding,
                output_padding=None if op is None else tuple(op),
                dilation_rate=tuple(v[2] for v in axes),
            )
            y = keras.ops.conv_transpose(x, np.swapaxes(kernel, -1, -2), **a)
            y = np.asarray(y if bias is None else y + bias)
            return y, text("keras.ops.conv_transpose", dict(inputs="x", kernel="k", **a), " + bias")

        config = config_of(axes, padding, cin, cout, op)
        m.add(tag, config, extents(axes), run, **more)

    for padding in ("valid", "same"):
        for a in BOTH[:5] + DILATED[:2]:
            op_call(padding, [a], padding, cin=1)
        op_call(padding, pick(DILATED, 2, 1), padding, cin=1)
        op_call(padding, [(2, 1, 2, 2), (3, 1, 2, 2), (2, 1, 3, 3)], padding, cin=1, cout=1)
        for q in range(3):
            op_call(padding, pick(BOTH, 2, 2 * q + 1, 3), padding, cin=1)
        op_call(padding, [(2, 3, 2, 2), (3, 2, 2, 1), (2, 2, 3, 2)], padding, cin=1)
        for a in [(3, 2, 2, 3), (2, 3, 3, 2), (2, 2, 1, 3), (2, 4, 2, 2)]:
            for op in (a[1] - 2, a[1] - 1):
                op_call(padding + "_op", [a], padding, op=[op], cin=1)
        op_call(padding + "_op", [(3, 2, 2, 2), (2, 4, 3, 2)], padding, op=[1, 3], cin=1)
        op_call(padding + "_op", [(4, 3, 1, 2), (2, 2, 2, 2)], padding, op=[0, 0], cin=1)
    m.write()
