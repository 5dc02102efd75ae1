# SPDX-License-Identifier: Apache-2.0
"""PyTorch's modules; for its convolutions' "same" and "valid", their gradients."""

import numpy as np

from axes import channels, crops, listed, random_axes

ORDER = "in_out_filter"


def generate(random):
    axes = random_axes(random)
    cin, cout = channels(random)
    kind = random.random()
    if kind < 0.15:
        for a in axes:
            a.__init__(a.k, 1, a.d, a.i)
    terms = {
        "in_channels": cin,
        "out_channels": cout,
        "rank": len(axes),
        "kernel_size": listed(axes, "k"),
        "stride": listed(axes, "s"),
        "dilation": listed(axes, "d"),
        "bias": random.random() < 0.7,
    }
    if kind < 0.25:
        terms["padding"] = "same" if kind < 0.15 else "valid"
        return terms, axes
    crop = [min(crops(random, a, a.reach + 1)) for a in axes]
    terms["padding"] = crop
    if kind < 0.5:
        terms["output_lengths"] = [
            max(a.full - 2 * p, 0) + random.randint(0, a.s - 1) for a, p in zip(axes, crop)
        ]
    elif kind < 0.8:
        terms["output_padding"] = [random.randint(0, max(a.s, a.d) - 1) for a in axes]
    return terms, axes


def sizes(terms):
    return terms["in_channels"], terms["out_channels"], terms["bias"]


def windows(terms, axes):
    found = []
    for n, a in enumerate(axes):
        if isinstance(terms["padding"], str):
            total = a.reach - 1 if terms["padding"] == "same" else 0
            found.append((a.full - total, total // 2))
            continue
        p = terms["padding"][n]
        length = a.full - 2 * p + terms.get("output_padding", [0] * len(axes))[n]
        found.append((terms.get("output_lengths", [length] * len(axes))[n], p))
    return found


def gradient(terms, x, kernel):
    """The input gradient of the convolution with that padding."""
    import torch

    rank = terms["rank"]
    convolution = getattr(torch.nn.functional, f"conv{rank}d")
    lengths = [i if terms["padding"] == "same" else (i - 1) * s + (k - 1) * d + 1
               for i, s, k, d in zip(x.shape[2:], terms["stride"], terms["kernel_size"],
                                     terms["dilation"])]
    begin = torch.zeros(len(x), kernel.shape[1], *lengths, requires_grad=True)
    y = convolution(begin, kernel, stride=terms["stride"], padding=terms["padding"],
                    dilation=terms["dilation"])
    y.backward(x)
    return begin.grad


def call(terms, x, kernel, bias):
    import torch

    values = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))
    weight = torch.from_numpy(kernel)
    if isinstance(terms["padding"], str):
        y = gradient(terms, values, weight)
        if bias is not None:
            y = y + torch.from_numpy(bias).reshape(-1, *[1] * terms["rank"])
        return np.moveaxis(y.numpy(), 1, -1)
    module = getattr(torch.nn, f"ConvTranspose{terms['rank']}d")(
        terms["in_channels"], terms["out_channels"], terms["kernel_size"],
        stride=terms["stride"], padding=terms["padding"], dilation=terms["dilation"],
        output_padding=terms.get("output_padding", 0), bias=terms["bias"],
    )
    with torch.no_grad():
        module.weight.copy_(weight)
        if bias is not None:
            module.bias.copy_(torch.from_numpy(bias))
        y = module(values, output_size=terms.get("output_lengths"))
    return np.moveaxis(y.numpy(), 1, -1)
