# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's ConvolutionBackpropData on its CPU plugin."""

import functools

import numpy as np

from axes import channels, crops, listed, random_axes

ORDER = "in_out_filter"


def generate(random):
    axes = random_axes(random)
    cin, cout = channels(random)
    terms = {
        "filters": [cin, cout, *listed(axes, "k")],
        "strides": listed(axes, "s"),
        "dilations": listed(axes, "d"),
        "auto_pad": random.choice(("explicit", "explicit", "valid", "same_upper", "same_lower")),
    }
    pairs = [crops(random, a, a.reach + 1) for a in axes]
    terms["pads_begin"] = [b for b, _ in pairs]
    terms["pads_end"] = [e for _, e in pairs]
    if random.random() < 0.3:
        terms["output_padding"] = [random.randint(0, max(a.s, a.d)) for a in axes]
    if random.random() < 0.5:
        terms["output_shape"] = [random.randint(1, a.full + a.s + 1) for a in axes]
    return terms, axes


def sizes(terms):
    return terms["filters"][0], terms["filters"][1], False


def windows(terms, axes):
    found = []
    shape, auto = terms.get("output_shape"), terms["auto_pad"]
    for n, a in enumerate(axes):
        natural = a.full + terms.get("output_padding", [0] * len(axes))[n]
        begin, end = terms["pads_begin"][n], terms["pads_end"][n]
        if auto != "explicit":
            begin = end = 0
        if not shape:
            found.append((natural - begin - end, begin))
            continue
        if auto.startswith("same"):
            total = max(natural - shape[n], 0)
            begin = total - total // 2 if auto == "same_upper" else total // 2
        found.append((shape[n], begin))
    return found


@functools.cache
def core():
    """One for all calls: each has threads of its own, and thousands of them have hung."""
    import openvino

    return openvino.Core()


def call(terms, x, kernel, bias):
    from openvino import Model
    from openvino import opset13 as ops

    # OpenVINO 2026.4.1 makes a product of matrices of this one, and forgets pads_begin: with
    # another output_shape, its own first elements are others.
    pointwise = kernel.size == kernel.shape[0] * kernel.shape[1] and set(terms["strides"]) == {1}
    if pointwise and terms.get("output_shape") == list(x.shape[1:-1]) and any(terms["pads_begin"]):
        raise NotImplementedError("pads_begin of a pointwise filter is forgotten")
    values = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    more = {"output_padding": terms["output_padding"]} if "output_padding" in terms else {}
    if "output_shape" in terms:
        more["output_shape"] = ops.constant(np.array(terms["output_shape"], np.int64))
    begin = ops.parameter(list(values.shape), np.float32)
    y = ops.convolution_backprop_data(
        begin, ops.constant(kernel), strides=terms["strides"], pads_begin=terms["pads_begin"],
        pads_end=terms["pads_end"], dilations=terms["dilations"], auto_pad=terms["auto_pad"], **more
    )
    model = Model([ops.result(y)], [begin])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": "1"}
    compiled = core().compile_model(model, "CPU", settings)
    return np.moveaxis(compiled([values])[0], 1, -1)
