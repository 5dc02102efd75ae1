# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Probability 0.25: the layer itself, then its files."""

from make import tfp_files
from make.cases import AXES, config_of, extents, pick
from make.maker import Maker, Refused
from make.tfp_layer import build, fill


def make():
    import tensorflow as tf

    m = Maker("tfp")

    def layer(
        tag, axes, padding, cin=2, cout=3, activation=None, dtype="float32", method="auto", **more
    ):
        def run(x, kernel, bias):
            try:
                net, call = build(axes, padding, cin, cout, activation, dtype, method)
                fill(net, kernel, bias)
                return net(x).numpy(), call
            except (NotImplementedError, ValueError, tf.errors.OpError) as e:
                raise Refused(f"{type(e).__name__}: {str(e).splitlines()[0][:150]}") from None

        config = config_of(axes, padding.lower(), cin, cout, None, activation, dtype)
        m.add(tag, config, extents(axes), run, **more)

    for padding in ("VALID", "SAME"):
        tag = padding.lower()
        for q in range(5):
            layer(tag, pick(AXES, 2, q, 6 if q % 2 else 0), padding, cin=1 + q % 2, cout=2)
        layer(tag + "_batch", [(3, 2, 1, 3), (3, 2, 1, 2)], padding, batch=(2, 2), cin=1)
        layer(tag + "_batch", [(2, 3, 1, 2), (4, 3, 1, 2)], padding, batch=(), cin=1)
        for a in (
            [(3, 1, 2, 3), (3, 1, 2, 4)],
            [(2, 1, 2, 4), (3, 1, 3, 3)],
            [(4, 1, 2, 3), (2, 1, 3, 5)],
        ):
            layer(tag + "_dilated", a, padding, cin=1)
        layer(tag + "_dilated", [(3, 1, 2, 3), (2, 1, 2, 4)], padding, cin=1, method="subkernels")
        layer(tag + "_f64", [(3, 2, 1, 3), (4, 2, 1, 2)], padding, dtype="float64", kind="normal")
    for name in ("relu", "leaky_relu"):
        layer("act_" + name, [(3, 2, 1, 3), (5, 2, 1, 2)], "SAME", activation=name)
    m.write()
    tfp_files.write()
