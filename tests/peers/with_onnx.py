# SPDX-License-Identifier: Apache-2.0
"""ONNX's ConvTranspose-22 in ONNX Runtime."""

import numpy as np

from axes import channels, crops, listed, random_axes

ORDER = "in_out_filter"


def generate(random):
    axes = random_axes(random)
    cin, cout = channels(random)
    terms = {"w": [cin, cout, *listed(axes, "k")], "bias": random.random() < 0.7}
    for key, name in (("strides", "s"), ("dilations", "d"), ("kernel_shape", "k")):
        values = listed(axes, name)
        if name != "k" and set(values) == {1} or name == "k" and random.random() < 0.5:
            continue  # what is the default may be absent
        terms[key] = values
    if random.random() < 0.35:
        terms["output_padding"] = [random.randint(0, max(a.s, a.d) - 1) for a in axes]
    auto = random.choice(("NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
    if auto != "NOTSET" or random.random() < 0.2:
        terms["auto_pad"] = auto
    kind = random.random()
    if kind < 0.4:
        op = terms.get("output_padding", [0] * len(axes))
        shape = [random.randint(1, a.full + n + a.s - 1) for a, n in zip(axes, op)]
        terms["output_shape"] = [1, cout, *shape] if random.random() < 0.2 else shape
    elif auto == "NOTSET":
        pairs = [crops(random, a, a.reach + 1) for a in axes]
        if random.random() < 0.1:
            pairs = [(b, -random.randint(0, 2)) for b, _ in pairs]
        terms["pads"] = [b for b, _ in pairs] + [e for _, e in pairs]
    return terms, axes


def sizes(terms):
    return terms["w"][0], terms["w"][1], terms["bias"]


def windows(terms, axes):
    rank = len(axes)
    auto = terms.get("auto_pad", "NOTSET")
    shape = terms.get("output_shape", [])[-rank:]
    pads = terms.get("pads", [0] * 2 * rank)
    found = []
    for n, a in enumerate(axes):
        natural = a.full + terms.get("output_padding", [0] * rank)[n]
        if not shape and not auto.startswith("SAME"):
            found.append((natural - pads[n] - pads[n + rank], pads[n]))
            continue
        total = max(natural - (shape[n] if shape else a.i * a.s), 0)
        offset = total // 2 if auto == "SAME_UPPER" else total - total // 2
        found.append((shape[n] if shape else natural - total, offset))
    return found


def call(terms, x, kernel, bias):
    import onnxruntime
    from make.onnx_nodes import model_of

    onnxruntime.set_default_logger_severity(4)
    attributes = {n: v for n, v in terms.items() if n not in ("w", "bias", "convention")}
    model = model_of(kernel.ndim - 2, "float32", bias is not None, attributes)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {"x": np.ascontiguousarray(np.moveaxis(x, -1, 1)), "w": kernel}
    if bias is not None:
        feed["b"] = bias
    return np.moveaxis(session.run(None, feed)[0], 1, -1)
