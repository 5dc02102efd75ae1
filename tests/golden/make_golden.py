#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden values in this folder by running the peers themselves.

    python3 make_golden.py                  # every peer, then the NumPy and TFP files
    python3 make_golden.py --peer torch     # one peer
    python3 make_golden.py --verify         # no peer: check the stored values (needs NumPy only)

Every case is compared with reference.py before it is written; one difference stops the run, because
it would mean that a `layer.json` says something else than the peer does.
"""

import argparse
import json
import math
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

import reference

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 20261101


class Refused(Exception):
    """The peer does not run this case; it is counted, not written."""


# ---------------------------------------------------------------------------------------------
# Cases: one axis is (k, s, d, i); a case takes `rank` of them.
# ---------------------------------------------------------------------------------------------

#: The axes that have gone wrong in one library or another, d = 1.
AXES = [
    (3, 2, 1, 5),  # odd k' - s
    (4, 2, 1, 4),  # the usual even one
    (5, 2, 1, 4),  # odd k' - s, three taps a side
    (2, 3, 1, 4),  # stride above filter: a gap
    (1, 3, 1, 3),  # one tap, gaps of two
    (5, 4, 1, 3),  # odd k' - s
    (4, 3, 1, 1),  # one element
    (7, 2, 1, 1),  # one element, wide filter
    (3, 5, 1, 2),  # stride above filter by two
    (1, 1, 1, 4),  # pointwise
    (6, 3, 1, 2),
    (2, 2, 1, 5),  # tiles exactly
    (3, 1, 1, 6),  # stride one
    (1, 4, 1, 1),  # one tap, one element
    (2, 1, 1, 1),  # even filter, one element
]
#: Dilation without stride (what Keras and TensorFlow take).
DILATED = [(3, 1, 2, 5), (2, 1, 3, 4), (4, 1, 2, 3), (3, 1, 3, 1), (2, 1, 2, 6), (1, 1, 4, 3)]
#: Dilation and stride together.
BOTH = [
    (3, 2, 2, 4),
    (2, 3, 2, 3),
    (3, 2, 3, 3),
    (4, 3, 2, 2),
    (2, 2, 3, 1),
    (3, 3, 3, 3),
    (2, 5, 2, 3),
    (5, 2, 2, 2),
    (3, 4, 3, 2),
    (1, 3, 4, 3),
]
ACTIVATED = ["relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "sigmoid", "tanh"]
ACTIVATED += ["softplus", "silu", "hard_swish"]


class Maker:
    """Collects one peer's cases, checks each against the reference and writes the two files."""

    def __init__(self, peer):
        self.peer = peer
        self.rng = np.random.default_rng([SEED, *map(ord, peer)])
        self.entries, self.arrays, self.refused = [], {}, []
        self.count = {}

    def values(self, config, extents, batch, kind):
        """x, kernel, bias: `ints` make every sum exact, `normal` is random in the layer's dtype."""
        t = np.dtype(config.get("dtype", "float32"))
        filters = config["filter_shape"]
        xs = (*batch, *extents, config["input_size"])
        ks = (*filters, config["input_size"], config["output_size"])
        bs = (config["output_size"],)
        if kind == "normal":
            x, k, b = (self.rng.standard_normal(n) for n in (xs, ks, bs))
            k /= math.sqrt(math.prod(filters) * config["input_size"])
        else:
            x, k, b = (
                self.rng.integers(-3, 4, n).astype(float)
                + (1.0 if q == 2 else 0.0)  # a bias that is seldom 0: gaps must show it
                for q, n in enumerate((xs, ks, bs))
            )
            if config.get("activation"):  # small dyadic sums, still exact
                k, b = k / 16, b / 4
        return x.astype(t), k.astype(t), b.astype(t)

    def add(self, tag, config, extents, run, batch=(1,), kind="ints", bias=True):
        """run(x, kernel, bias) gives (y channels-last, the text of the call)."""
        config = {n: v for n, v in config.items() if v is not None}
        x, kernel, b = self.values(config, extents, batch, kind)
        if not bias:
            config["use_bias"], b = False, None
        r = config["rank"]
        try:
            y, call = run(x, kernel, b)
        except Refused as e:
            self.refused.append(f"{tag} {json.dumps(config)} x{x.shape}: {e}")
            return
        y = np.ascontiguousarray(y)
        exact = kind == "ints" and reference.activation_name(config) in reference.EXACT_ACTIVATIONS
        wrong = reference.difference(config, x, kernel, b, y, exact)
        if wrong:
            raise SystemExit(
                f"{self.peer}: {call} is not what our config means\n  {json.dumps(config)}\n"
                f"  x{x.shape}: {wrong}"
            )
        stem = f"{self.peer}_{tag}_{r}d"
        q = self.count[stem] = self.count.get(stem, -1) + 1
        index = f"c{len(self.entries):03d}"
        self.entries.append(
            {
                "name": f"{stem}_{q:02d}",
                "index": index,
                "exact": exact,
                "config": config,
                "peer_call": call,
            }
        )
        for n, v in (("_x", x), ("_kernel", kernel), ("_bias", b), ("_y", y)):
            if v is not None:
                self.arrays[index + n] = v

    def write(self):
        np.savez_compressed(os.path.join(HERE, self.peer + ".npz"), **self.arrays)
        with open(os.path.join(HERE, self.peer + ".json"), "w", encoding="utf-8") as f:
            f.write(
                "[\n"
                + ",\n".join(json.dumps(e, separators=(",", ":")) for e in self.entries)
                + "\n]\n"
            )
        print(f"{self.peer}: {len(self.entries)} cases, {len(self.refused)} refused by the peer")
        for line in self.refused:
            print("  refused:", line)


def families(config, extents, batch):
    """What is special about a case, for counting."""
    filters, strides, dilations, op = reference.geometry(config)
    found = set()
    for a, (k, s, d, i) in enumerate(zip(filters, strides, dilations, extents)):
        k1 = (k - 1) * d + 1
        length, offset = reference.window(config, a, i)
        tail = reference.full_length(i, k, s, d) - offset - length
        if k1 > s and (k1 - s) % 2:
            found.add("odd_excess")
        if k1 < s:
            found.add("stride_above_filter")
        if d > 1:
            found.add("dilation_with_stride" if s > 1 else "dilation")
        if op and op[a] > 0:
            found.add("output_padding")
        if op and op[a] >= s:
            found.add("output_padding_from_stride")
        if offset > k1 - 1 or tail > k1 - 1:
            found.add("crop_above_filter")
        if offset < 0:
            found.add("negative_begin")
        if tail < 0:
            found.add("tail_of_bias")
        if isinstance(config["padding"], list) and offset != tail:
            found.add("asymmetric")
        if i == 1:
            found.add("one_wide")
    if all(i == 1 for i in extents):
        found.add("one_element")
    if math.prod(batch) > 1 or len(batch) != 1:
        found.add("batch")
    if math.prod(batch) == 0:
        found.add("empty_batch")
    if config.get("activation"):
        found.add("activation")
    if config.get("dtype") == "float64":
        found.add("float64")
    if config.get("use_bias") is False:
        found.add("no_bias")
    return sorted(found)


def config_of(axes, padding, cin, cout, op=None, activation=None, dtype="float32"):
    """A layer.json without what is the default (None is dropped later)."""
    dilations = [a[2] for a in axes]
    return {
        "input_size": cin,
        "output_size": cout,
        "rank": len(axes),
        "filter_shape": [a[0] for a in axes],
        "strides": [a[1] for a in axes],
        "dilations": None if max(dilations) == 1 else dilations,
        "padding": padding,
        "output_padding": None if op is None else list(op),
        "activation": activation,
        "dtype": None if dtype == "float32" else dtype,
    }


def explicit(axes, lengths, offsets, op=None):
    """[begin, end] pairs that make the window (length, offset) with this output_padding."""
    extra = op or [0] * len(axes)
    return [
        [b, reference.full_length(i, k, s, d) + e - n - b]
        for (k, s, d, i), n, b, e in zip(axes, lengths, offsets, extra)
    ]


def extents(axes):
    return tuple(a[3] for a in axes)


def pick(source, rank, start, step=1):
    return [source[(start + q * step) % len(source)] for q in range(rank)]


def same_length(axes):
    return [i * s for _, s, _, i in axes]


def text(name, arguments, tail="(x)"):
    return f"{name}({', '.join(f'{n}={v!r}' for n, v in arguments.items() if v is not None)}){tail}"


def channels_first(v):
    return np.ascontiguousarray(np.moveaxis(v, -1, 1))


def channels_last(v):
    return np.moveaxis(v, 1, -1)


def to_torch_kernel(k):
    return np.ascontiguousarray(np.moveaxis(k, (-2, -1), (0, 1)))


# ---------------------------------------------------------------------------------------------
# Keras layers on TensorFlow, and keras.ops on JAX
# ---------------------------------------------------------------------------------------------


def keras_activation(name):
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


def keras_layer(axes, padding, cout, op, activation, dtype):
    def run(x, kernel, bias):
        import keras

        f, f_text = keras_activation(activation)
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


def make_keras():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    m = Maker("keras")

    def layer(tag, axes, padding, cin=2, cout=3, op=None, activation=None, dtype="float32", **more):
        m.add(
            tag,
            config_of(axes, padding, cin, cout, op, activation, dtype),
            extents(axes),
            keras_layer(axes, padding, cout, op, activation, dtype),
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


def make_keras_jax():
    """The only peer that defines SAME and VALID for stride and dilation together."""
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


# ---------------------------------------------------------------------------------------------
# TensorFlow's own operators, with the caller's output_shape
# ---------------------------------------------------------------------------------------------


def make_tensorflow():
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


# ---------------------------------------------------------------------------------------------
# PyTorch
# ---------------------------------------------------------------------------------------------


def make_torch():
    import torch

    torch.set_num_threads(1)
    m = Maker("torch")
    functional = torch.nn.functional
    acts = {
        "relu": ("relu", {}),
        "relu6": ("relu6", {}),
        "leaky_relu": ("leaky_relu", {"negative_slope": 0.2}),
        "elu": ("elu", {}),
        "selu": ("selu", {}),
        "gelu": ("gelu", {}),
        "gelu_tanh": ("gelu", {"approximate": "tanh"}),
        "sigmoid": ("sigmoid", {}),
        "tanh": ("tanh", {}),
        "softplus": ("softplus", {}),
        "silu": ("silu", {}),
        "hard_swish": ("hardswish", {}),
        "clamp": ("hardtanh", None),
    }

    def layer(
        tag, axes, pads, op=None, cin=2, cout=3, act=None, dtype="float32", size=None, **more
    ):
        def run(x, kernel, bias):
            kind = f"ConvTranspose{len(axes)}d"
            a = dict(
                in_channels=cin,
                out_channels=cout,
                kernel_size=tuple(v[0] for v in axes),
                stride=tuple(v[1] for v in axes),
                padding=tuple(pads),
            )
            if op is not None and size is None:
                a["output_padding"] = tuple(op)
            if any(v[2] != 1 for v in axes):
                a["dilation"] = tuple(v[2] for v in axes)
            if bias is None:
                a["bias"] = False
            net = getattr(torch.nn, kind)(**a).to(getattr(torch, dtype))
            call = text("torch.nn." + kind, a)
            with torch.no_grad():
                net.weight.copy_(torch.from_numpy(to_torch_kernel(kernel)))
                if bias is not None:
                    net.bias.copy_(torch.from_numpy(bias))
                try:
                    v = torch.from_numpy(channels_first(x))
                    y = net(v) if size is None else net(v, output_size=size)
                except (RuntimeError, ValueError) as e:
                    raise Refused(str(e).splitlines()[0][:150]) from None
                if size is not None:
                    call = call[: -len("(x)")] + f"(x, output_size={size})"
                if act:
                    name = act["name"] if isinstance(act, dict) else act
                    f, options = acts[name]
                    if name == "clamp":
                        options = {"min_val": act["min"], "max_val": act["max"]}
                    elif isinstance(act, dict):
                        options = {n: w for n, w in options.items()}
                        options.update({"negative_slope": act["alpha"]} if "alpha" in act else {})
                    y = getattr(functional, f)(y, **options)
                    words = "".join(f", {n}={w!r}" for n, w in options.items())
                    call = f"torch.nn.functional.{f}({call}{words})"
            return channels_last(y.numpy()), call

        config = config_of(axes, [[p, p] for p in pads], cin, cout, op, act, dtype)
        m.add(tag, config, extents(axes), run, **more)

    for a in AXES[:8]:
        k1 = a[0]
        layer("plain", [a], [min(k1 // 2, (reference.full_length(a[3], *a[:3]) - 1) // 2)])
    for a in BOTH[:8] + DILATED[:2]:
        full = reference.full_length(a[3], *a[:3])
        layer("dilated", [a], [min(a[2], (full - 1) // 2)])
    # output_padding: below the stride, and from the stride on where the dilation allows it
    for a in [(3, 2, 1, 3), (2, 3, 1, 3), (1, 3, 1, 2), (4, 3, 1, 1)]:
        for op in range(1, a[1]):
            layer("op", [a], [a[0] // 2], [op], cin=1)
    for a in [(3, 1, 3, 3), (2, 2, 4, 2), (3, 2, 3, 1), (1, 1, 3, 2), (2, 3, 5, 2)]:
        for op in {a[1], a[2] - 1}:
            layer("op_from_stride", [a], [0], [op], cin=1)
    layer("op_from_stride", [(3, 1, 2, 3), (2, 2, 3, 2)], [1, 1], [1, 2])
    layer(
        "op_from_stride",
        [(2, 1, 3, 2), (3, 3, 1, 2), (2, 2, 4, 1)],
        [1, 0, 0],
        [2, 2, 3],
        cin=1,
        cout=2,
    )
    # crops above the filter
    for a, p in [
        ((3, 2, 1, 6), 3),
        ((3, 2, 1, 6), 4),
        ((1, 2, 1, 5), 1),
        ((1, 3, 1, 4), 2),
        ((2, 4, 1, 4), 5),
        ((2, 1, 1, 7), 3),
        ((3, 2, 2, 6), 6),
        ((2, 3, 2, 5), 4),
        ((1, 1, 1, 5), 2),
        ((4, 3, 1, 5), 6),
    ]:
        layer("crop", [a], [p])
    layer("crop", [(3, 2, 1, 4), (1, 3, 1, 3)], [3, 2])
    layer("crop", [(2, 3, 1, 4), (3, 2, 2, 5)], [3, 5], [2, 1])
    layer("crop", [(2, 2, 1, 4), (1, 2, 1, 4), (3, 1, 1, 6)], [2, 1, 3], cin=1, cout=2)
    for q in range(6):
        axes = pick(AXES, 2, q, 4)
        pads = [min(k // 2, (reference.full_length(i, k, s, d) - 1) // 2) for k, s, d, i in axes]
        op = [(q + j) % a[1] for j, a in enumerate(axes)] if q % 2 else None
        layer("plain", axes, pads, op, batch=(1 + q % 3,), cin=1)
    for q in range(6):
        axes = pick(BOTH, 2, q, 3)
        pads = [min(q % 4, (reference.full_length(i, k, s, d) - 1) // 2) for k, s, d, i in axes]
        op = [(q + j) % max(a[1], a[2]) for j, a in enumerate(axes)] if q % 2 else None
        layer("dilated", axes, pads, op, cin=1 + q % 2, cout=1 + q % 3)
    for q in range(5):
        axes = pick(AXES, 3, q, 4)
        pads = [min(k // 2, (reference.full_length(i, k, s, d) - 1) // 2) for k, s, d, i in axes]
        layer("plain", axes, pads, cin=1, cout=1)
    for axes, pads, op in [
        ([(2, 2, 2, 2), (3, 1, 2, 2), (2, 3, 1, 2)], [1, 2, 0], None),
        ([(3, 2, 2, 2), (2, 2, 3, 1), (1, 2, 1, 2)], [2, 1, 0], [1, 0, 1]),
        ([(2, 3, 2, 1), (2, 2, 2, 2), (2, 1, 3, 2)], [0, 1, 1], [2, 1, 2]),
        ([(1, 2, 3, 2), (2, 4, 3, 2), (3, 1, 1, 2)], [0, 2, 1], None),
        ([(2, 2, 2, 1), (2, 3, 2, 1), (3, 2, 1, 1)], [0, 0, 1], None),
    ]:
        layer("dilated", axes, pads, op, cin=1, cout=2)
    # output_size: PyTorch turns it into output_padding
    layer("size", [(3, 2, 1, 3)], [1], [1], size=[6])
    layer("size", [(4, 3, 1, 2), (3, 2, 1, 3)], [1, 1], [2, 1], size=[7, 6])
    layer("size", [(3, 4, 2, 2), (2, 3, 1, 2)], [1, 0], [3, 1], size=[10, 6], batch=(2,))
    # float64
    layer("f64", [(5, 3, 2, 3)], [2], [1], dtype="float64", kind="normal")
    layer("f64", [(3, 2, 2, 3), (4, 3, 1, 2)], [1, 2], dtype="float64", kind="normal", cin=1)
    layer(
        "f64",
        [(2, 2, 2, 2), (3, 1, 1, 2), (1, 3, 1, 2)],
        [0, 1, 0],
        dtype="float64",
        kind="normal",
        cin=1,
        cout=1,
    )
    layer("f64", [(1, 2, 1, 2)], [0], [1], dtype="float64", kind="normal", act="gelu")
    layer("f64", [(3, 2, 1, 3)], [1], [1], dtype="float64", kind="normal", act="selu")
    # float32 random, wide channels
    layer("normal", [(3, 2, 1, 2), (3, 2, 2, 2)], [1, 1], [1, 1], cin=3, cout=4, kind="normal")
    layer("wide", [(3, 2, 2, 3)], [1], [1], cin=9, cout=33)
    layer("wide", [(3, 2, 1, 1), (2, 3, 1, 2)], [1, 0], cin=9, cout=16)
    layer("nobias", [(2, 3, 1, 3), (3, 2, 2, 2)], [0, 1], bias=False)
    layer("nobias", [(1, 4, 1, 3)], [0], [3], bias=False)
    for q, name in enumerate(ACTIVATED):
        layer("act_" + name, pick(AXES, 1 + q % 2, q + 1), [0] * (1 + q % 2), act=name)
    layer("act_leaky_relu_alpha", [(3, 2, 2, 3)], [1], act={"name": "leaky_relu", "alpha": 0.125})
    layer("act_clamp", [(3, 2, 1, 3)], [1], act={"name": "clamp", "min": -0.5, "max": 0.75})
    layer("empty_batch", [(3, 2, 1, 3), (2, 1, 2, 2)], [1, 0], batch=(0,))
    m.write()


# ---------------------------------------------------------------------------------------------
# ONNX: onnxruntime, the reference evaluator, and ONNX's own node tests
# ---------------------------------------------------------------------------------------------


def onnx_model(rank, dtype, with_bias, attributes):
    import onnx
    from onnx import TensorProto, helper

    t = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[dtype]
    names = ["x", "w"] + (["b"] if with_bias else [])
    node = helper.make_node("ConvTranspose", names, ["y"], **attributes)
    dims = lambda n: [None] * n
    inputs = [helper.make_tensor_value_info(n, t, dims(1 if n == "b" else rank + 2)) for n in names]
    graph = helper.make_graph(
        [node], "g", inputs, [helper.make_tensor_value_info("y", t, dims(rank + 2))]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def onnx_feed(x, kernel, bias):
    feed = {"x": channels_first(x), "w": to_torch_kernel(kernel)}
    if bias is not None:
        feed["b"] = bias
    return feed


def onnx_geometry(axes, attributes, runtime):
    """(lengths, begins) of ConvTranspose-22, which onnxruntime and the evaluator read differently.

    `runtime`: the total padding is at least 0, and SAME_* never makes the result longer than it
    naturally is. The evaluator lets the total be negative (floored halves), and with an output_shape
    but no auto_pad it crops at the end alone. README.md has the table.
    """
    lengths, begins = [], []
    r = len(axes)
    op = attributes.get("output_padding", [0] * r)
    auto = attributes.get("auto_pad", "NOTSET")
    for a, (k, s, d, i) in enumerate(axes):
        full = reference.full_length(i, k, s, d) + op[a]
        shape = attributes.get("output_shape")
        if not shape and not auto.startswith("SAME"):
            p = attributes.get("pads", [0] * (2 * r))
            lengths.append(full - p[a] - p[a + r])
            begins.append(p[a])
            continue
        n = shape[a] if shape else i * s
        total = full - n
        if runtime:
            total = max(total, 0)
            n = n if shape else full - total
        elif auto == "NOTSET":
            total = 0
        lengths.append(n)
        begins.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
    return lengths, begins


def onnx_cases(m, engine_name, evaluate, rich):
    """The cases that onnxruntime (rich) and the reference evaluator (not) both are asked."""

    def node(tag, axes, cin=2, cout=2, dtype="float32", **more):
        attributes = {n: more.pop(n) for n in list(more) if n not in ("batch", "kind", "bias")}
        attributes = {
            "kernel_shape": [v[0] for v in axes],
            "strides": [v[1] for v in axes],
            "dilations": [v[2] for v in axes],
            **attributes,
        }
        r = len(axes)

        def run(x, kernel, bias):
            model = onnx_model(r, dtype, bias is not None, attributes)
            words = ", ".join(f"{n}={v!r}" for n, v in attributes.items())
            y = evaluate(model, onnx_feed(x, kernel, bias))
            return channels_last(y), f"{engine_name} ConvTranspose-22({words})"

        lengths, begins = onnx_geometry(axes, attributes, rich)
        op = attributes.get("output_padding")
        if "output_shape" in attributes or attributes.get("auto_pad", "").startswith("SAME"):
            padding, op = explicit(axes, lengths, begins), None
            same = config_of(axes, "same", cin, cout)
            if list(zip(lengths, begins)) == [
                reference.window(same, a, v[3]) for a, v in enumerate(axes)
            ]:
                padding = "same"
        else:
            padding = explicit(axes, lengths, begins, op)
        config = config_of(axes, padding, cin, cout, op, None, dtype)
        m.add(tag, config, extents(axes), run, **more)

    # explicit, asymmetric pads
    pads = [
        ((3, 2, 1, 4), (0, 1)),
        ((3, 2, 1, 4), (1, 0)),
        ((4, 2, 1, 3), (2, 1)),
        ((5, 2, 1, 3), (0, 4)),
        ((2, 3, 1, 4), (1, 2)),
        ((1, 3, 1, 4), (2, 1)),
        ((3, 2, 2, 4), (3, 1)),
        ((2, 3, 3, 3), (0, 3)),
        ((3, 1, 1, 5), (3, 2)),
        ((2, 2, 1, 5), (1, 4)),
        ((3, 4, 3, 3), (5, 2)),
        ((4, 3, 1, 1), (2, 0)),
        ((3, 2, 1, 6), (5, 3)),
        ((2, 1, 4, 3), (0, 5)),
    ]
    for a, (b, e) in pads if rich else pads[::4]:
        node("pads", [a], pads=[b, e])
    for q in range(6 if rich else 2):
        (a0, p0), (a1, p1) = pads[q % 14], pads[(q * 3 + 5) % 14]
        node("pads", [a0, a1], pads=[p0[0], p1[0], p0[1], p1[1]], cin=1, batch=(1 + q % 2,))
    for q in range(3 if rich else 0):
        three = [pads[(q * 2 + j * 5) % 14] for j in range(3)]
        node(
            "pads",
            [v[0] for v in three],
            pads=[v[1][0] for v in three] + [v[1][1] for v in three],
            cin=1,
            cout=1,
        )
    # output_padding, with and without pads
    for a, p, op in [
        ((3, 2, 1, 3), (1, 0), 1),
        ((2, 3, 1, 3), (0, 1), 2),
        ((5, 4, 1, 2), (1, 3), 3),
        ((3, 3, 2, 2), (2, 1), 2),
        ((1, 3, 1, 2), (0, 0), 2),
        ((4, 2, 3, 2), (4, 5), 1),
    ][: None if rich else 2]:
        node("op", [a], pads=list(p), output_padding=[op])
    node("op", [(3, 2, 1, 3), (2, 3, 2, 2)], pads=[1, 0, 0, 2], output_padding=[1, 2], cin=1)
    if rich:
        node(
            "op",
            [(3, 2, 1, 2), (2, 3, 2, 1), (1, 2, 1, 2)],
            pads=[1, 0, 0, 0, 1, 0],
            output_padding=[1, 2, 1],
            cin=1,
        )
    # auto_pad
    for auto in ("SAME_UPPER", "SAME_LOWER"):
        tag = "auto_" + auto.split("_")[1].lower()
        for a in AXES[:5] if rich else AXES[1:5:3]:
            node(tag, [a], auto_pad=auto)
        for a in BOTH[:2]:
            node(tag, [a], auto_pad=auto)
        for q in range(2 if rich else 1):
            node(tag, pick(AXES, 2, 2 * q + 1, 2), auto_pad=auto, cin=1)
        node(tag, pick(BOTH, 2, 0, 3), auto_pad=auto, cin=1)
        if rich:
            node(tag, [(3, 2, 1, 2), (1, 3, 1, 1), (4, 2, 1, 2)], auto_pad=auto, cin=1)
            node(tag, [(3, 2, 2, 2), (2, 3, 1, 2), (3, 1, 1, 2)], auto_pad=auto, cin=1)
        node(tag + "_op", [(3, 2, 1, 3)], auto_pad=auto, output_padding=[1])
        node(tag + "_op", [(2, 3, 1, 2)], auto_pad=auto, output_padding=[2])
    for a in AXES[2:4] + BOTH[:1]:
        node("auto_valid", [a], auto_pad="VALID")
    node("auto_valid", pick(AXES, 2, 3, 1), auto_pad="VALID", cin=1)
    # output_shape: below, at and above the natural size
    for a in [(3, 2, 1, 4), (3, 2, 2, 3)][: 2 if rich else 1]:
        full = reference.full_length(a[3], *a[:3])
        for n in (full - 3, full - 2, full + 1):
            for auto in ("NOTSET", "SAME_UPPER", "SAME_LOWER"):
                if rich or n == full - 3:
                    more = {} if auto == "NOTSET" else {"auto_pad": auto}
                    node("shape", [a], output_shape=[n], cin=1, **more)
    node("shape", [(3, 2, 1, 3), (4, 3, 1, 2)], output_shape=[6, 6], auto_pad="SAME_UPPER")
    node("nobias", [(2, 3, 1, 3), (3, 2, 2, 2)], pads=[0, 1, 1, 2], bias=False)


def make_onnxruntime():
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    m = Maker("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    def evaluate(model, feed):
        try:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            return session.run(None, feed)[0]
        except Exception as e:  # noqa: BLE001
            raise Refused(f"{type(e).__name__}: {' '.join(str(e).split())[:200]}") from None

    onnx_cases(m, "onnxruntime", evaluate, True)
    m.write()


def make_onnx():
    import warnings

    from onnx import helper
    from onnx.backend.test.case.node import collect_testcases
    from onnx.reference import ReferenceEvaluator

    m = Maker("onnx")

    def evaluate(model, feed):
        try:
            return ReferenceEvaluator(model).run(None, feed)[0]
        except Exception as e:  # noqa: BLE001
            raise Refused(f"{type(e).__name__}: {' '.join(str(e).split())[:200]}") from None

    onnx_cases(m, "onnx.reference", evaluate, False)

    warnings.simplefilter("ignore")
    for case in sorted(collect_testcases("ConvTranspose"), key=lambda c: c.name):
        node = case.model.graph.node[0]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        attributes = {n: v.decode() if isinstance(v, bytes) else v for n, v in attributes.items()}
        if attributes.get("group", 1) != 1:
            continue
        (x, w), (expected,) = case.data_sets[0]
        x, w = channels_last(x), np.moveaxis(w, (0, 1), (-2, -1))
        r = x.ndim - 2
        one = [1] * r
        axes = list(
            zip(
                w.shape[:r],
                attributes.get("strides", one),
                attributes.get("dilations", one),
                x.shape[1:-1],
            )
        )
        axes = [tuple(map(int, a)) for a in axes]
        lengths, begins = onnx_geometry(axes, attributes, False)
        config = config_of(
            axes, explicit(axes, lengths, begins), w.shape[-2], w.shape[-1], None, None, "float32"
        )
        # The test's own tensors, not ours
        m.values = lambda *_, x=x, w=w: (x.copy(), w.copy(), np.zeros(w.shape[-1], np.float32))
        short = case.name.removeprefix("test_convtranspose").strip("_") or "plain"
        m.add(
            "node_" + short.removesuffix(f"_{r}d").removesuffix(f"{r}d")
            if short != f"{r}d"
            else "node_rank",
            config,
            extents(axes),
            lambda *_, y=expected, n=case.name, w=attributes: (
                channels_last(y),
                f"onnx node test {n}({', '.join(f'{k}={v!r}' for k, v in w.items())})",
            ),
            batch=(len(x),),
            bias=False,
        )
    m.write()


# ---------------------------------------------------------------------------------------------
# TensorFlow Probability 0.25: the layer itself, its files and its summary
# ---------------------------------------------------------------------------------------------


def make_tfp():
    import tensorflow as tf
    import tensorflow_probability as tfp

    tfn = tfp.experimental.nn
    m = Maker("tfp")

    def build(axes, padding, cin, cout, activation=None, dtype="float32", method="auto", name=None):
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
        return tfn.ConvolutionTranspose(**a, activation_fn=f, name=name), call

    def fill(layer, kernel, bias):
        layer.kernel.assign(kernel.reshape(-1, kernel.shape[-1]))
        layer.bias.assign(bias)

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

    # Files as the layer itself saves them, with what it then computes
    rng = np.random.default_rng(SEED)
    ints = lambda *n: rng.integers(-3, 4, n).astype(np.float32)
    net, _ = build([(3, 2, 1, 4), (2, 2, 1, 3)], "same", 2, 3)
    fill(net, ints(3, 2, 2, 3), ints(3))
    net.save(os.path.join(HERE, "tfp_weights.npz"))
    net64, _ = build([(3, 2, 1, 4), (2, 2, 1, 3)], "same", 2, 3, dtype="float64")
    first, _ = build([(3, 2, 1, 3)] * 2, "same", 2, 4, activation="relu")
    second, _ = build([(4, 2, 1, 6), (2, 2, 1, 6)], "valid", 4, 1)
    for one in (first, second):
        fill(one, ints(*one.kernel.shape).reshape(-1, one.bias.shape[0]), ints(*one.bias.shape))
    both = tfn.Sequential([first, second])
    both.save(os.path.join(HERE, "tfp_sequential_weights.npz"))
    x, xs = ints(1, 4, 3, 2), ints(1, 3, 3, 2)
    np.savez_compressed(
        os.path.join(HERE, "tfp_weights_io.npz"),
        x=x,
        y=net(x).numpy(),
        sequential_x=xs,
        sequential_y=both(xs).numpy(),
    )
    configs = {
        "tfp_weights.npz": config_of([(3, 2, 1, 4), (2, 2, 1, 3)], "same", 2, 3),
        "tfp_sequential_weights.npz": {
            "layers": [
                config_of([(3, 2, 1, 3)] * 2, "same", 2, 4, activation="relu"),
                config_of([(4, 2, 1, 6), (2, 2, 1, 6)], "valid", 4, 1),
            ]
        },
    }
    clean = lambda c: {n: v for n, v in c.items() if v is not None}
    configs = {
        n: {"layers": [clean(v) for v in c["layers"]]} if "layers" in c else clean(c)
        for n, c in configs.items()
    }
    check_tfp_files(configs)
    with open(os.path.join(HERE, "tfp_weights.json"), "w", encoding="utf-8") as f:
        json.dump(configs, f, indent=1)
        f.write("\n")
    big, _ = build([(5, 1, 1, 1)] * 2, "valid", 512, 2048, name="wide layer/1")
    lines = []
    for title, thing in (
        ("ConvolutionTranspose(2, 3, (3, 2), strides=2, padding='same')", net),
        ("ConvolutionTranspose(2, 3, (3, 2), strides=2, padding='same', dtype=tf.float64)", net64),
        (
            "Sequential([ConvolutionTranspose(2, 4, (3, 3), ...), ConvolutionTranspose(4, 1, (4, 2), ...)])",
            both,
        ),
        ("Sequential([...], name='generator')", tfn.Sequential([first, second], name="generator")),
        ("Sequential([net, tf.nn.relu])", tfn.Sequential([net, tf.nn.relu])),
        ("Sequential([net, net])", tfn.Sequential([net, net])),
        (
            "Sequential([net], also_track=tf.Variable([[1., 2.]], trainable=False, name='extra'))",
            tfn.Sequential(
                [net], also_track=tf.Variable([[1.0, 2.0]], trainable=False, name="extra")
            ),
        ),
        ("Sequential([net, net64])", tfn.Sequential([net, net64])),
        ("ConvolutionTranspose(512, 2048, (5, 5), name='wide layer/1')", big),
    ):
        lines.append(f"# {title}\n{thing.summary()}\n")
    with open(os.path.join(HERE, "tfp_summary.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines))


def check_tfp_files(configs):
    """What TFP computed must be what our configs mean for the arrays it saved."""
    io = np.load(os.path.join(HERE, "tfp_weights_io.npz"))
    for file, c in configs.items():
        w = np.load(os.path.join(HERE, file))
        v, y = (io["sequential_x"], io["sequential_y"]) if "layers" in c else (io["x"], io["y"])
        for q, one in enumerate(c.get("layers", [c])):
            shape = (*one["filter_shape"], one["input_size"], one["output_size"])
            v = reference.conv_transpose(
                one, v, w[f"arr_{2 * q + 1}"].reshape(shape), w[f"arr_{2 * q}"]
            )
        if not np.array_equal(v, y):
            raise SystemExit(f"tfp: {file} gives other values than our config")


# ---------------------------------------------------------------------------------------------
# Files written by NumPy in many ways
# ---------------------------------------------------------------------------------------------


def make_numpy():
    from numpy.lib import format as npy

    out, listed = lambda n: os.path.join(HERE, "numpy_" + n), []
    number = lambda w: float(w) if np.isfinite(w) else str(w)  # JSON has no infinity

    def note(name, arrays, expect, reason=None, **more):
        rows = []
        for n, v in arrays.items():
            v = np.asarray(v)
            numeric = v.dtype.kind in "fiub"
            rows.append(
                {
                    "name": n,
                    "shape": list(v.shape),
                    "descr": v.dtype.str,
                    "fortran_order": bool(v.flags.f_contiguous and not v.flags.c_contiguous),
                    "first": [number(w) for w in v.reshape(-1)[:4]] if numeric else [],
                    "sum": number(v.astype(float).sum())
                    if numeric and np.isfinite(v).all()
                    else None,
                }
            )
        listed.append(
            {"file": "numpy_" + name, "expect": expect, "reason": reason, **more, "arrays": rows}
        )

    base = (np.arange(24.0) - 7.5).reshape(2, 3, 4)
    kernel, bias = np.arange(36.0).reshape(3, 2, 2, 3) / 4, np.array([1.0, -2.0, 0.5])

    def one(name, v, version=None, expect="accept", reason=None, **more):
        with open(out(name), "wb") as f:
            npy.write_array(f, v, version=version)
        note(name, {"": v}, expect, reason, version=list(version or (1, 0)), **more)

    f4 = base.astype("<f4")
    one("f4_c.npy", f4)
    one("f4_fortran.npy", np.asfortranarray(f4))
    one("f8_c.npy", base)
    one("f8_fortran.npy", np.asfortranarray(base))
    one("f4_v2.npy", f4, (2, 0))
    one("f4_v3.npy", f4, (3, 0))
    one("f8_fortran_v3.npy", np.asfortranarray(base), (3, 0))
    one("f4_rank0.npy", np.array(2.5, "<f4"))
    one("f4_rank1.npy", np.arange(5, dtype="<f4"))
    one("f4_extent0.npy", np.zeros((2, 0, 3), "<f4"))
    one("f4_extent0_fortran.npy", np.asfortranarray(np.zeros((0, 3, 2), "<f4")))
    one("f4_rank7.npy", np.arange(8, dtype="<f4").reshape(1, 2, 1, 2, 1, 2, 1))
    one("f8_special.npy", np.array([np.inf, -np.inf, -0.0, 5e-324]))
    for t in ("i4", "i8", "u1", "f2", "c8"):
        v = base.astype(int) + 20 if t == "u1" else base
        one(
            f"{t}.npy",
            v.astype(np.dtype(t)),
            expect="refuse",
            reason="dtype",
            kind=np.dtype(t).name,
        )
    one("bool.npy", base > 0, expect="refuse", reason="dtype", kind="bool")
    one("f4_big_endian.npy", base.astype(">f4"), expect="swap_or_refuse", reason="byte order")
    one("f8_big_endian.npy", base.astype(">f8"), expect="swap_or_refuse", reason="byte order")
    one("string.npy", np.array(["a", "bc"]), expect="refuse", reason="dtype", kind="str")
    one(
        "structured.npy",
        np.zeros(2, [("a", "<f4"), ("b", "<i4")]),
        expect="refuse",
        reason="dtype",
        kind="structured",
    )
    np.save(out("pickled.npy"), np.array([None, 1], dtype=object), allow_pickle=True)
    listed.append(
        {
            "file": "numpy_pickled.npy",
            "expect": "refuse",
            "reason": "pickle",
            "version": [1, 0],
            "arrays": [],
        }
    )
    # A header as NumPy before 1.14 wrote it: padded to 16 bytes, keys in another order
    head = b"{'shape': (2, 3, 4), 'descr': '<f4', 'fortran_order': False}"
    head += b" " * (-(len(head) + 11) % 16) + b"\n"
    with open(out("f4_pad16.npy"), "wb") as f:
        f.write(npy.magic(1, 0) + len(head).to_bytes(2, "little") + head + f4.tobytes())
    note("f4_pad16.npy", {"": f4}, "accept", version=[1, 0])
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L, 4L), }"  # Python 2
    head += b" " * (-(len(head) + 11) % 16) + b"\n"
    with open(out("f4_python2.npy"), "wb") as f:
        f.write(npy.magic(1, 0) + len(head).to_bytes(2, "little") + head + f4.tobytes())
    note(
        "f4_python2.npy", {"": f4}, "accept_or_refuse", "long integers of Python 2", version=[1, 0]
    )

    k4, b4 = kernel.astype("<f4"), bias.astype("<f4")

    def zipped(name, save, arrays, expect="accept", reason=None, **named):
        save(out(name), *arrays, **named)
        words = {f"arr_{q}": v for q, v in enumerate(arrays)}
        note(name, {**words, **named}, expect, reason)

    zipped("stored.npz", np.savez, [b4, k4])
    zipped("deflated.npz", np.savez_compressed, [b4, k4])
    zipped("kernel_first.npz", np.savez_compressed, [k4, b4])
    zipped("named.npz", np.savez_compressed, [], kernel=k4, bias=b4)
    zipped("slash.npz", np.savez, [], **{"layer/kernel": k4, "layer/bias": b4})
    zipped("flat_kernel.npz", np.savez_compressed, [b4, k4.reshape(12, 3)])
    zipped("flat_kernel_fortran.npz", np.savez, [b4, np.asfortranarray(k4.reshape(12, 3))])
    zipped("fortran.npz", np.savez_compressed, [b4, np.asfortranarray(k4)])
    zipped("f8.npz", np.savez_compressed, [bias, kernel])
    zipped("f8_fortran.npz", np.savez, [np.asfortranarray(kernel), bias])
    zipped("mixed_dtypes.npz", np.savez, [b4, kernel], "accept_or_refuse", "the dtypes differ")
    zipped(
        "no_bias.npz", np.savez_compressed, [k4], "accept_without_bias", "use_bias must be false"
    )
    zipped("f2.npz", np.savez_compressed, [b4.astype("f2"), k4.astype("f2")], "refuse", "dtype")
    zipped("i4_kernel.npz", np.savez, [b4, (4 * k4).astype("i4")], "refuse", "dtype")
    zipped("three_arrays.npz", np.savez, [b4, k4, b4], "refuse", "two arrays of rank 1")
    zipped("empty.npz", np.savez, [], "refuse", "no arrays")
    with open(os.path.join(HERE, "numpy_files.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(e) for e in listed) + "\n]\n")
    print(f"numpy: {len(listed)} files")


PEERS = {
    "keras": make_keras,
    "keras_jax": make_keras_jax,
    "tensorflow": make_tensorflow,
    "torch": make_torch,
    "onnxruntime": make_onnxruntime,
    "onnx": make_onnx,
    "tfp": make_tfp,
    "numpy": make_numpy,
}


def verify():
    """Checks every stored case against the reference; returns the number of differences."""
    bad, total, names, tags = 0, 0, set(), {}
    for peer in PEERS:
        if peer == "numpy":
            continue
        ranks = {}
        for e, x, kernel, bias, y in reference.load_cases(HERE, peer):
            c = e["config"]
            wrong = reference.difference(c, x, kernel, bias, y, e["exact"])
            if (bias is None) != (c.get("use_bias") is False):
                wrong = wrong or "use_bias does not fit the arrays"
            _, s, d, op = reference.geometry(c)
            if isinstance(c["padding"], list):
                s = list(map(max, s, d))
            if any(not 0 <= o < limit for o, limit in zip(op or [], s)):
                wrong = wrong or "output_padding is not below its limit"
            if e["name"] in names:
                wrong = wrong or "the name is not unique"
            names.add(e["name"])
            total += 1
            ranks[c["rank"]] = ranks.get(c["rank"], 0) + 1
            batch, extents = x.shape[: -1 - c["rank"]], x.shape[-1 - c["rank"] : -1]
            for t in families(c, extents, batch):
                tags[t] = tags.get(t, 0) + 1
            if wrong:
                bad += 1
                print(f"{e['name']}: {wrong}")
        print(f"{peer}: {sum(ranks.values())} cases, by rank {dict(sorted(ranks.items()))}")
    with open(os.path.join(HERE, "tfp_weights.json"), encoding="utf-8") as f:
        check_tfp_files(json.load(f))
    print("families:", ", ".join(f"{n} {v}" for n, v in sorted(tags.items(), key=lambda t: -t[1])))
    print(f"{total - bad} of {total} agree with the reference")
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--peer", choices=PEERS, action="append", help="only this peer (repeatable)")
    p.add_argument("--verify", action="store_true", help="only check what is stored")
    a = p.parse_args()
    if a.verify:
        return 1 if verify() else 0
    peers = a.peer or list(PEERS)
    if len(peers) == 1:
        PEERS[peers[0]]()
        return 0
    for peer in peers:  # a process each: Keras has one backend per process
        subprocess.run([sys.executable, os.path.abspath(__file__), "--peer", peer], check=True)
    return 1 if a.peer is None and verify() else 0


if __name__ == "__main__":
    sys.exit(main())
