# SPDX-License-Identifier: Apache-2.0
"""Files as TFP 0.25 itself saves them, with what its layers then compute, and its summaries."""

import json

import numpy as np

import reference
from make.cases import config_of
from make.maker import FOLDER, SEED
from make.tfp_layer import build, fill

NET = [(3, 2, 1, 4), (2, 2, 1, 3)]
FIRST = [(3, 2, 1, 3)] * 2
SECOND = [(4, 2, 1, 6), (2, 2, 1, 6)]


def configs():
    """What tfp_weights.json has: each file's layer.json."""
    net = config_of(NET, "same", 2, 3)
    first = config_of(FIRST, "same", 2, 4, activation="relu")
    second = config_of(SECOND, "valid", 4, 1)
    net, first, second = (
        {n: v for n, v in c.items() if v is not None} for c in (net, first, second)
    )
    return {"tfp_weights.npz": net, "tfp_sequential_weights.npz": {"layers": [first, second]}}


def write():
    import tensorflow_probability as tfp

    rng = np.random.default_rng(SEED)

    def ints(*shape):
        return rng.integers(-3, 4, shape).astype(np.float32)

    net, _ = build(NET, "same", 2, 3)
    fill(net, ints(3, 2, 2, 3), ints(3))
    net.save(str(FOLDER / "tfp_weights.npz"))
    first, _ = build(FIRST, "same", 2, 4, activation="relu")
    second, _ = build(SECOND, "valid", 4, 1)
    for one in (first, second):
        fill(one, ints(*one.kernel.shape).reshape(-1, one.bias.shape[0]), ints(*one.bias.shape))
    both = tfp.experimental.nn.Sequential([first, second])
    both.save(str(FOLDER / "tfp_sequential_weights.npz"))
    x, xs = ints(1, 4, 3, 2), ints(1, 3, 3, 2)
    np.savez_compressed(
        FOLDER / "tfp_weights_io.npz",
        x=x,
        y=net(x).numpy(),
        sequential_x=xs,
        sequential_y=both(xs).numpy(),
    )
    check(configs())
    with open(FOLDER / "tfp_weights.json", "w", encoding="utf-8") as f:
        json.dump(configs(), f, indent=1)
        f.write("\n")
    write_summaries(net, first, second)


def write_summaries(net, first, second):
    import tensorflow as tf
    import tensorflow_probability as tfp

    nn = tfp.experimental.nn
    net64, _ = build(NET, "same", 2, 3, dtype="float64")
    big, _ = build([(5, 1, 1, 1)] * 2, "valid", 512, 2048, name="wide layer/1")
    extra = tf.Variable([[1.0, 2.0]], trainable=False, name="extra")
    lines = []
    for title, thing in (
        ("ConvolutionTranspose(2, 3, (3, 2), strides=2, padding='same')", net),
        ("ConvolutionTranspose(2, 3, (3, 2), strides=2, padding='same', dtype=tf.float64)", net64),
        (
            "Sequential([ConvolutionTranspose(2, 4, (3, 3), ...), "
            "ConvolutionTranspose(4, 1, (4, 2), ...)])",
            nn.Sequential([first, second]),
        ),
        ("Sequential([...], name='generator')", nn.Sequential([first, second], name="generator")),
        ("Sequential([net, tf.nn.relu])", nn.Sequential([net, tf.nn.relu])),
        ("Sequential([net, net])", nn.Sequential([net, net])),
        (
            "Sequential([net], also_track=tf.Variable([[1., 2.]], trainable=False, name='extra'))",
            nn.Sequential([net], also_track=extra),
        ),
        ("Sequential([net, net64])", nn.Sequential([net, net64])),
        ("ConvolutionTranspose(512, 2048, (5, 5), name='wide layer/1')", big),
    ):
        lines.append(f"# {title}\n{thing.summary()}\n")
    with open(FOLDER / "tfp_summary.txt", "w", encoding="utf-8") as f:
        f.write("\n".join(lines))


def check(configs):
    """What TFP computed must be what our configs mean for the arrays it saved."""
    io = np.load(FOLDER / "tfp_weights_io.npz")
    for file, c in configs.items():
        w = np.load(FOLDER / file)
        v, y = (io["sequential_x"], io["sequential_y"]) if "layers" in c else (io["x"], io["y"])
        for q, one in enumerate(c.get("layers", [c])):
            shape = (*one["filter_shape"], one["input_size"], one["output_size"])
            v = reference.conv_transpose(
                one, v, w[f"arr_{2 * q + 1}"].reshape(shape), w[f"arr_{2 * q}"]
            )
        if not np.array_equal(v, y):
            raise SystemExit(f"tfp: {file} gives other values than our config")
