# SPDX-License-Identifier: Apache-2.0
"""PyTorch's layers."""

import reference
from make.cases import AXES, BOTH, DILATED, config_of, extents, pick
from make.layouts import channels_first, channels_last, to_torch_kernel
from make.maker import Maker, Refused, text

ACTIVATED = ["relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "sigmoid", "tanh"]
ACTIVATED += ["softplus", "silu", "hard_swish"]


def make():
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
