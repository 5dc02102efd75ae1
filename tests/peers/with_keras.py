# SPDX-License-Identifier: Apache-2.0
"""Keras' layers, on TensorFlow."""

from axes import channels, listed, random_axes

ORDER = "filter_out_in"


def generate(random):
    axes = random_axes(random)
    cin, cout = channels(random)
    terms = {
        "input_channels": cin,
        "filters": cout,
        "rank": len(axes),
        "kernel_size": listed(axes, "k"),
        "strides": listed(axes, "s"),
        "padding": random.choice(("valid", "same")),
        "dilation_rate": listed(axes, "d"),
        "use_bias": random.random() < 0.7,
    }
    if random.random() < 0.4:
        terms["output_padding"] = [random.randint(0, a.s - 1) for a in axes]
    return terms, axes


def sizes(terms):
    return terms["input_channels"], terms["filters"], terms["use_bias"]


def windows(terms, axes):
    found = []
    for n, a in enumerate(axes):
        op = terms["output_padding"][n] if "output_padding" in terms else None
        if terms["padding"] == "valid":
            found.append((a.full + op if op is not None else (a.i - 1) * a.s + max(a.reach, a.s), 0))
            continue
        length = a.i * a.s if op is None else (a.i - 1) * a.s + a.reach % 2 + op
        found.append((length, max(a.full - length, 0) // 2))
    return found


def call(terms, x, kernel, bias):
    import keras

    layer = getattr(keras.layers, f"Conv{terms['rank']}DTranspose")(
        terms["filters"],
        tuple(terms["kernel_size"]),
        strides=tuple(terms["strides"]),
        padding=terms["padding"],
        output_padding=tuple(terms["output_padding"]) if "output_padding" in terms else None,
        dilation_rate=tuple(terms["dilation_rate"]),
        use_bias=terms["use_bias"],
    )
    layer.build(x.shape)
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return keras.ops.convert_to_numpy(layer(x))
