# SPDX-License-Identifier: Apache-2.0
"""onnxruntime."""

from make import onnx_nodes
from make.maker import Maker, Refused


def make():
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

    onnx_nodes.add_cases(m, "onnxruntime", evaluate, True)
    m.write()
