# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's own operators, with the caller's output_shape."""

import numpy as np

import reference
from make.cases import AXES, DILATED, config_of, explicit, extents, pick, same_length
from make.maker import Maker, Refused, text


def make():
    import tensorflow as tf

    m = Maker("tensorflow")

    def same_or_valid(axes, padding, lengths):
        """Our config for TensorFlow's (padding, output_shape): a name where it is the default."""
        defaults = [
            i * s if padding == "SAME" else (i - 1) * s + max((k - 1) * d + 1, s)
            for k, s, d, i in axes
        ]
        if list(lengths) == defaults:
            return padding.lower()
        offsets = [
            max(reference.full_length(i, k, s, d) - n, 0) // 2 if padding == "SAME" else 0
            for (k, s, d, i), n in zip(axes, lengths)
        ]
        return explicit(axes, lengths, offsets)

    def op_call(
        tag, axes, padding, lengths, cin=2, cout=3, batch=(1,), act=None, dtype="float32", **more
    ):
        name = f"conv{len(axes)}d_transpose"

        def run(x, kernel, bias):
            shape = [x.shape[0], *lengths, cout]
            strides = [v[1] for v in axes]
            dilations = [v[2] for v in axes]
            a = dict(output_shape=shape, strides=strides, padding=padding)
            if any(d != 1 for d in dilations):
                a["dilations"] = dilations
            try:
                y = getattr(tf.nn, name)(x, np.swapaxes(kernel, -1, -2), **a)
            except Exception as e:  # noqa: BLE001
                raise Refused(f"{type(e).__name__}: {str(e).splitlines()[0][:150]}") from None
            call = text("tf.nn." + name, a, "").replace("(", "(x, filters, ", 1)
            if bias is not None:
                y, call = tf.nn.bias_add(y, bias), f"tf.nn.bias_add({call}, bias)"
            if act:
                f = {"gelu_tanh": lambda v: tf.nn.gelu(v, approximate=True)}.get(act)
                y = (f or getattr(tf.nn, act))(y)
                call = f"tf.nn.{'gelu' if f else act}({call}{', approximate=True' if f else ''})"
            return y.numpy(), call

        config = config_of(axes, same_or_valid(axes, padding, lengths), cin, cout, None, act, dtype)
        m.add(tag, config, extents(axes), run, batch=batch, **more)

    def all_lengths(padding, axis):
        """Every output length TensorFlow takes for this axis."""
        k, s, d, i = axis
        base = reference.full_length(i, k, s, d) if padding == "VALID" else (i - 1) * s + 1
        return range(base, base + s)

    for padding in ("VALID", "SAME"):
        tag = padding.lower()
        for a in [(3, 2, 1, 4), (4, 2, 1, 3), (2, 3, 1, 3), (5, 3, 1, 2)]:
            for n in all_lengths(padding, a):
                op_call(tag, [a], padding, [n], cin=1)
        for q in range(5):
            axes = pick(AXES, 2, 2 * q, 5)
            n = [list(all_lengths(padding, a)) for a in axes]
            n = [v[(q + j) % len(v)] for j, v in enumerate(n)]
            op_call(tag, axes, padding, n, batch=(1 + q % 2,), cin=1, cout=1 + q % 3)
        for q in range(4):
            axes = pick(AXES, 3, 2 * q + 3, 4)
            n = [list(all_lengths(padding, a)) for a in axes]
            n = [v[(q + j) % len(v)] for j, v in enumerate(n)]
            op_call(tag, axes, padding, n, cin=1, cout=1)
        for q in range(2):
            axes = pick(DILATED, 1 + q, q)
            n = [max(all_lengths(padding, a)) for a in axes]
            op_call(tag + "_dilated", axes, padding, n)
        axes = [(4, 3, 1, 2), (3, 2, 1, 3)]
        n = [min(all_lengths(padding, a)) for a in axes]
        op_call(tag + "_f64", axes, padding, n, cin=1, dtype="float64", kind="normal")
    for q, name in enumerate(["relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh"]):
        op_call("act_" + name, [AXES[q]], "SAME", same_length([AXES[q]]), act=name)
    for q, name in enumerate(["sigmoid", "tanh", "softplus", "silu"]):
        op_call("act_" + name, [(3, 2, 1, 3)], "SAME", [6], act=name)

    def atrous(tag, axes, padding, cin=2, cout=2):
        """Dilation without stride, the way TensorFlow's CPU does it."""
        d = axes[0][2]
        full = [reference.full_length(i, k, s, d) for k, s, d, i in axes]
        lengths = full if padding == "VALID" else same_length(axes)

        def run(x, kernel, bias):
            a = dict(output_shape=[len(x), *lengths, cout], rate=d, padding=padding)
            y = tf.nn.atrous_conv2d_transpose(x, np.swapaxes(kernel, -1, -2), **a)
            call = text("tf.nn.atrous_conv2d_transpose", a, "").replace("(", "(x, filters, ", 1)
            return tf.nn.bias_add(y, bias).numpy(), f"tf.nn.bias_add({call}, bias)"

        m.add(tag, config_of(axes, padding.lower(), cin, cout), extents(axes), run)

    for padding in ("VALID", "SAME"):
        for k, i, d in [((3, 3), (4, 3), 2), ((2, 3), (4, 6), 2), ((3, 1), (1, 4), 3)]:
            axes = [(k[0], 1, d, i[0]), (k[1], 1, d, i[1])]
            atrous("atrous_" + padding.lower(), axes, padding)
    m.write()
