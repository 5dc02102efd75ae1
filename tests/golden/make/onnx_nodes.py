# SPDX-License-Identifier: Apache-2.0
"""What onnxruntime and the reference evaluator are both asked: nodes ConvTranspose-22."""

import reference
from make.cases import AXES, BOTH, config_of, explicit, extents, pick
from make.layouts import channels_first, channels_last, to_torch_kernel


def model_of(rank, dtype, with_bias, attributes):
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


def feed_of(x, kernel, bias):
    feed = {"x": channels_first(x), "w": to_torch_kernel(kernel)}
    if bias is not None:
        feed["b"] = bias
    return feed


def geometry(axes, attributes, runtime):
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


def add_cases(m, engine_name, evaluate, rich):
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
            model = model_of(r, dtype, bias is not None, attributes)
            words = ", ".join(f"{n}={v!r}" for n, v in attributes.items())
            y = evaluate(model, feed_of(x, kernel, bias))
            return channels_last(y), f"{engine_name} ConvTranspose-22({words})"

        lengths, begins = geometry(axes, attributes, rich)
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
