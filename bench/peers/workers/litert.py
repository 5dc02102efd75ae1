"""LiteRT with XNNPACK: a model made by TensorFlow's converter, in a process of its own."""

import importlib.metadata
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from workers.common import THREADS, Refused, serve


class Converter:
    """Asks litert_convert.py for models, so that TensorFlow is not in this process."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers.litert_convert"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="upconv-litert-"))

    def model_of(self, problem):
        np.savez(self.folder / "weights.npz", kernel=problem.kernel, bias=problem.bias)
        request = {"config": problem.config, "shape": problem.shape, "folder": str(self.folder)}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "refused" in answer:
            raise Refused(answer["refused"])
        return (self.folder / "layer.tflite").read_bytes()


def interpreter_of(model, x):
    interpreter = Interpreter(model_content=model, num_threads=THREADS)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    return interpreter


class LiteRt:
    name = "LiteRT"
    version = importlib.metadata.version("ai-edge-litert")

    def __init__(self):
        self.converter = Converter()

    def builders(self, problem):
        return {"nhwc": lambda: self.build(problem)}

    def build(self, problem):
        x = problem.x[:, None] if problem.rank == 1 else problem.x
        interpreter = interpreter_of(self.converter.model_of(problem), x)
        output = interpreter.get_output_details()[0]["index"]
        return interpreter.invoke, lambda: interpreter.get_tensor(output).reshape(
            problem.output_shape
        )

    def fresh(self, problem):
        # The operator has its output shape in the model: a new shape is a new model. Making the
        # model is not timed, loading it is.
        def make(other):
            model = self.converter.model_of(other)
            x = other.x[:, None] if other.rank == 1 else other.x
            loaded = []

            def call():
                if not loaded:
                    loaded.append(interpreter_of(model, x))
                loaded[0].invoke()

            return call

        return make


if __name__ == "__main__":
    serve(LiteRt)
