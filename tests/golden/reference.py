# SPDX-License-Identifier: Apache-2.0
"""A double-precision transposed convolution written from its definition, with NumPy alone.

Per axis, with k' = (k - 1) * d + 1, the full result has (i - 1) * s + k' elements and

    full[z * s + t * d] += x[z] * kernel[t]        for every input position z and tap t.

A layer returns the window y[j] = full[j + offset], j in [0, length); outside the full result y is
the bias alone. `window` gives (length, offset) for every padding a `layer.json` can name. Nothing
here is shared with the library or with the peers; it is slow and meant to be read.
"""

import itertools
import json
import math
import os

import numpy as np

#: Those whose cases are stored in their own terms (`from_<convention>`), in terms_<convention>.
CONVENTIONS = ("keras", "tensorflow", "pytorch", "onnx", "openvino", "onednn")
#: Those whose cases are stored, each in <peer>.json and <peer>.npz.
PEERS = ("keras", "keras_jax", "tensorflow", "torch", "onnxruntime", "onnx", "tfp") + tuple(
    "terms_" + name for name in CONVENTIONS
)

ACTIVATIONS = {
    "linear": lambda v, p: v,
    "relu": lambda v, p: np.where(v > 0, v, 0.0),
    "relu6": lambda v, p: np.minimum(np.maximum(v, 0.0), 6.0),
    "leaky_relu": lambda v, p: np.where(v > 0, v, p.get("alpha", 0.2) * v),
    "elu": lambda v, p: np.where(v > 0, v, np.expm1(np.minimum(v, 0.0))),
    "selu": lambda v, p: (
        1.0507009873554804934193349852946
        * np.where(v > 0, v, 1.6732632423543772848170429916717 * np.expm1(np.minimum(v, 0.0)))
    ),
    "gelu": lambda v, p: v * 0.5 * np.vectorize(math.erfc, otypes=[float])(-v / math.sqrt(2.0)),
    "gelu_tanh": lambda v, p: (
        v * 0.5 * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (v + 0.044715 * v**3)))
    ),
    "sigmoid": lambda v, p: 1.0 / (1.0 + np.exp(-v)),
    "tanh": lambda v, p: np.tanh(v),
    "softplus": lambda v, p: np.maximum(v, 0.0) + np.log1p(np.exp(-np.abs(v))),
    "silu": lambda v, p: v / (1.0 + np.exp(-v)),
    "hard_swish": lambda v, p: v * np.minimum(np.maximum(v + 3.0, 0.0), 6.0) / 6.0,
    "clamp": lambda v, p: np.minimum(
        np.maximum(v, p.get("min", -math.inf)), p.get("max", math.inf)
    ),
}

#: Activations that give the same bits in any correct arithmetic when the sum is exact.
EXACT_ACTIVATIONS = (None, "linear", "relu", "relu6", "clamp")


def activation_name(config):
    a = config.get("activation")
    return a["name"] if isinstance(a, dict) else a


def per_axis(value, rank):
    return list(value) if isinstance(value, (list, tuple)) else [value] * rank


def geometry(config):
    """(filter_shape, strides, dilations, output_padding or None), each a list per axis."""
    r = config.get("rank", 2)
    op = config.get("output_padding")
    return (
        per_axis(config["filter_shape"], r),
        per_axis(config.get("strides", 1), r),
        per_axis(config.get("dilations") or 1, r),
        None if op is None else per_axis(op, r),
    )


def full_length(i, k, s, d):
    return (i - 1) * s + (k - 1) * d + 1


def window(config, axis, i):
    """(length, offset) of the layer's result along `axis` for an input of `i` elements there."""
    filters, strides, dilations, op = geometry(config)
    k, s, d = filters[axis], strides[axis], dilations[axis]
    extra = None if op is None else op[axis]
    padding = config.get("padding", "valid")
    k1 = (k - 1) * d + 1
    if not isinstance(padding, str):
        begin, end = padding[axis]
        return (i - 1) * s + k1 + (extra or 0) - begin - end, begin
    if padding.lower() == "valid":
        return (i - 1) * s + (max(k1, s) if extra is None else k1 + extra), 0
    if padding.lower() == "same":
        length = i * s if extra is None else (i - 1) * s + k1 % 2 + extra
        return length, max((i - 1) * s + k1 - length, 0) // 2
    raise ValueError(f"padding is {padding!r}; it must be valid, same or pairs")


def conv_transpose(config, x, kernel, bias=None):
    """The layer's result in double precision: x is [batch..., spatial..., input_size]."""
    r = config.get("rank", 2)
    filters, strides, dilations, _ = geometry(config)
    cin, cout = config["input_size"], config["output_size"]
    if kernel.shape != tuple(filters) + (cin, cout):
        raise ValueError(f"kernel is {kernel.shape}; it must be {tuple(filters) + (cin, cout)}")
    if x.shape[-1] != cin or x.ndim < r + 1:
        raise ValueError(f"x is {x.shape}; it must be [batch..., {r} spatial axes, {cin}]")
    batch, extents = x.shape[: -1 - r], x.shape[-1 - r : -1]
    xd = np.asarray(x, np.float64).reshape((math.prod(batch),) + x.shape[-1 - r :])
    kd = np.asarray(kernel, np.float64)
    windows = [window(config, a, extents[a]) for a in range(r)]
    y = np.zeros((len(xd),) + tuple(w[0] for w in windows) + (cout,))
    for tap in itertools.product(*map(range, filters)):
        for pos in itertools.product(*map(range, extents)):
            at = [
                z * s + t * d - w[1] for z, s, t, d, w in zip(pos, strides, tap, dilations, windows)
            ]
            if all(0 <= j < w[0] for j, w in zip(at, windows)):
                y[(slice(None), *at)] += xd[(slice(None), *pos)] @ kd[tap]
    if bias is not None:
        y = y + np.asarray(bias, np.float64)
    a = config.get("activation")
    params = a if isinstance(a, dict) else {}
    y = ACTIVATIONS[activation_name(config) or "linear"](y, params)
    return y.reshape(batch + y.shape[1:])


def magnitude(config, x, kernel, bias=None):
    """The same sum over absolute values: what a rounding-error bound is proportional to."""
    plain = {n: v for n, v in config.items() if n != "activation"}
    b = None if bias is None else np.abs(bias)
    return conv_transpose(plain, np.abs(x), np.abs(kernel), b)


def difference(config, x, kernel, bias, y, exact):
    """None if `y` is the layer's result, else a sentence that says how it is not."""
    want = conv_transpose(config, x, kernel, bias)
    dtype = np.dtype(config.get("dtype", "float32"))
    if y.dtype != dtype:
        return f"dtype is {y.dtype}; expected {dtype}"
    if y.shape != want.shape:
        return f"shape is {y.shape}; expected {want.shape}"
    if not y.size:
        return None
    if exact:
        bad = y != want.astype(dtype)
        if not bad.any():
            return None
    else:
        taps = math.prod(geometry(config)[0]) * config["input_size"]
        bound = (taps + 16) * np.finfo(dtype).eps * (magnitude(config, x, kernel, bias) + 1.0)
        bad = ~(np.abs(y - want) <= bound)
        if not bad.any():
            return None
    at = tuple(int(v) for v in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} differ, first at {at}: {y[at]} for {want[at]}"


def load_cases(folder, peer):
    """Yields (entry, x, kernel, bias or None, y) for every stored case of a peer."""
    with open(os.path.join(folder, peer + ".json"), encoding="utf-8") as f:
        entries = json.load(f)
    with np.load(os.path.join(folder, peer + ".npz")) as arrays:
        for e in entries:
            names = [e["index"] + n for n in ("_x", "_kernel", "_bias", "_y")]
            yield (e, *(arrays[n] if n in arrays.files else None for n in names))
