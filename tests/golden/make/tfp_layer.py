# SPDX-License-Identifier: Apache-2.0
"""One layer of TensorFlow Probability 0.25."""

from make.maker import text


def build(axes, padding, cin, cout, activation=None, dtype="float32", method="auto", name=None):
    """The layer, and the text of its call."""
    import tensorflow as tf
    import tensorflow_probability as tfp

    strides = [a[1] for a in axes]
    a = dict(
        input_size=cin,
        output_size=cout,
        filter_shape=tuple(a[0] for a in axes),
        strides=strides[0] if len(set(strides)) == 1 else tuple(strides),
        padding=padding,
    )
    if any(v[2] != 1 for v in axes):
        a["dilations"] = tuple(v[2] for v in axes)
    if method != "auto":
        a["method"] = method
    if dtype != "float32":
        a["dtype"] = tf.float64
    call = text("tfp.experimental.nn.ConvolutionTranspose", a)
    if activation:
        call = call[: -len(")(x)")] + f", activation_fn=tf.nn.{activation})(x)"
    f = getattr(tf.nn, activation) if activation else None
    layer = tfp.experimental.nn.ConvolutionTranspose(**a, activation_fn=f, name=name)
    return layer, call


def fill(layer, kernel, bias):
    layer.kernel.assign(kernel.reshape(-1, kernel.shape[-1]))
    layer.bias.assign(bias)
