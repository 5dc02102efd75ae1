# SPDX-License-Identifier: Apache-2.0
"""ONNX's reference evaluator, and ONNX's own node tests."""

import warnings

import numpy as np

from make import onnx_nodes
from make.cases import config_of, explicit, extents
from make.layouts import channels_last
from make.maker import FOLDER, Maker, Refused


def make():
    from onnx import helper
    from onnx.backend.test.case.node import collect_testcases
    from onnx.reference import ReferenceEvaluator

    m = Maker("onnx")

    def evaluate(model, feed):
        try:
            return ReferenceEvaluator(model).run(None, feed)[0]
        except Exception as e:  # noqa: BLE001
            raise Refused(f"{type(e).__name__}: {' '.join(str(e).split())[:200]}") from None

    onnx_nodes.add_cases(m, "onnx.reference", evaluate, False)

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
        lengths, begins = onnx_nodes.geometry(axes, attributes, False)
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
            terms={"convention": "onnx", "w": [*w.shape[-2:], *w.shape[:r]], **attributes},
        )
    m.write()
    write_model()


def write_model():
    """A model with initialisers in both of the forms that ONNX has."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.arange(36, dtype="f4").reshape(2, 3, 3, 2)
    raw = numpy_helper.from_array(weight, "up.weight")
    numbers = helper.make_tensor("up.bias", TensorProto.FLOAT, [3], [0.0, 1.0, 2.0])
    node = helper.make_node("ConvTranspose", ["x", "up.weight", "up.bias"], ["y"])
    value = lambda n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * 4)
    graph = helper.make_graph([node], "g", [value("x")], [value("y")], [raw, numbers])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.save(model, FOLDER / "onnx_model.onnx")
