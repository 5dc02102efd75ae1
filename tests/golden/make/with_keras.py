# SPDX-License-Identifier: Apache-2.0
"""Keras layers on TensorFlow."""

import os

import numpy as np

from make.cases import AXES, DILATED, config_of, extents, pick
from make.maker import Maker, Refused, text


def activation_of(name):
    import keras

    table = {
        "leaky_relu": ("keras.ops.leaky_relu", {"negative_slope": 0.2}),
        "gelu": ("keras.ops.gelu", {"approximate": False}),
        "gelu_tanh": ("keras.ops.gelu", {"approximate": True}),
        "hard_swish": ("keras.ops.hard_swish", {}),
    }
    if name is None:
        return None, None
    if name not in table:
        return name, repr(name)
    function, options = table[name]
    f = getattr(keras.ops, function.rsplit(".", 1)[1])
    words = ", ".join(f"{n}={v}" for n, v in options.items())
    return lambda v: f(v, **options), f"lambda v: {function}(v{', ' if words else ''}{words})"


def one_layer(axes, padding, cout, op, activation, dtype):
    def run(x, kernel, bias):
        import keras

        f, f_text = activation_of(activation)
        kind = f"Conv{len(axes)}DTranspose"
        a = dict(
            filters=cout,
            kernel_size=tuple(v[0] for v in axes),
            strides=tuple(v[1] for v in axes),
            padding=padding,
            output_padding=None if op is None else tuple(op),
        )
        if any(v[2] != 1 for v in axes):
            a["dilation_rate"] = tuple(v[2] for v in axes)
        if bias is None:
            a["use_bias"] = False
        if dtype != "float32":
            a["dtype"] = dtype
        call = text("keras.layers." + kind, a)
        if f_text:
            call = call[: -len(")(x)")] + f", activation={f_text})(x)"
        try:
            layer = getattr(keras.layers, kind)(**a, activation=f)
            layer.build(x.shape)
            layer.set_weights([np.swapaxes(kernel, -1, -2)] + ([] if bias is None else [bias]))
            y = np.asarray(layer(x))
        except Exception as e:  # noqa: BLE001 - the peer's own refusal, whatever its class
            raise Refused(f"{type(e).__name__}: {str(e).splitlines()[0][:150]}") from None
        return y, call

    return run


def make():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    m = Maker("keras")

    def layer(tag, axes, padding, cin=2, cout=3, op=None, activation=None, dtype="float32", **more):
        m.add(
            tag,
            config_of(axes, padding, cin, cout, op, activation, dtype),
            extents(axes),
            one_layer(axes, padding, cout, op, activation, dtype),
            **more,
        )

    for padding in ("valid", "same"):
        for a in AXES[:11]:
            layer(padding, [a], padding)
        for q in range(5):
            layer(
                padding, pick(AXES, 2, 2 * q, 3), padding, batch=(1 + q % 2,), cin=1 + q % 2, cout=2
            )
        for q in range(3):
            layer(padding, pick(AXES, 3, 2 * q, 4), padding, cin=1, cout=1 + q % 2)
        layer(padding, [(3, 2, 1, 1)] * 2, padding)
        layer(padding, [(4, 2, 1, 1)] * 3, padding)
        # output_padding given
        for a, ops in [
            ((3, 2, 1, 4), (0, 1)),
            ((2, 3, 1, 3), (0, 2)),
            ((5, 3, 1, 3), (2,)),
            ((4, 3, 1, 2), (2,)),
            ((1, 3, 1, 1), (2,)),
        ]:
            for op in ops:
                layer(padding + "_op", [a], padding, op=[op], cin=1, cout=2)
        layer(padding + "_op", [(3, 2, 1, 3), (5, 3, 1, 2)], padding, op=[1, 2])
        layer(padding + "_op", [(5, 4, 1, 2), (3, 3, 1, 1)], padding, op=[3, 0], batch=(2,))
        layer(padding + "_op", [(4, 2, 1, 3), (2, 3, 1, 2)], padding, op=[1, 2])
        layer(padding + "_op", [(1, 2, 1, 3), (1, 3, 1, 2)], padding, op=[1, 1])
        layer(padding + "_op", [(3, 2, 1, 2), (4, 3, 1, 1), (1, 2, 1, 2)], padding, op=[0, 2, 1])
        # dilation: TensorFlow's CPU operators refuse it; the JAX backend is asked instead
        for r in (1, 2, 3):
            layer(padding + "_dilated", pick(DILATED, r, 0), padding)
        # float64, random values
        layer(
            padding + "_f64", [(3, 2, 1, 3), (4, 3, 1, 2)], padding, dtype="float64", kind="normal"
        )
        layer(
            padding + "_f64",
            [(3, 2, 1, 2), (2, 3, 1, 1), (3, 1, 1, 2)],
            padding,
            cin=1,
            cout=1,
            dtype="float64",
            kind="normal",
        )
        layer(
            padding + "_normal", [(4, 2, 1, 2), (3, 2, 1, 2)], padding, cin=3, cout=4, kind="normal"
        )
        # channels beyond one register
        layer(padding + "_wide", [(3, 2, 1, 3)], padding, cin=5, cout=33)
        layer(padding + "_nobias", [(2, 3, 1, 2), (3, 2, 1, 2)], padding, bias=False)
    for q, name in enumerate(
        ["relu", "relu6", "leaky_relu", "selu", "gelu", "gelu_tanh", "hard_swish"]
    ):
        axes = pick(AXES, 1 + q % 2, q)
        layer("act_" + name, axes, ("valid", "same")[q % 2], activation=name)
    # gelu is left out: tf.nn.gelu rounds its constants to float32 on their way to float64
    for name in ("elu", "softplus"):
        layer("act_f64", [(3, 2, 1, 3)], "same", activation=name, dtype="float64", kind="normal")
    layer("empty_batch", [(3, 2, 1, 3), (2, 1, 1, 2)], "same", batch=(0,))
    m.write()
