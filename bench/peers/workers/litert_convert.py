"""Makes LiteRT models with TensorFlow's converter: one request a line, as litert.py sends them."""

import json
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf

from problem import Problem
from workers.common import explain
from workers.tensorflow_layer import layer_of


def convert(request):
    problem = Problem(request["config"], request["shape"])
    folder = pathlib.Path(request["folder"])
    with np.load(folder / "weights.npz") as weights:
        problem.kernel, problem.bias = weights["kernel"], weights["bias"]
    problem.x = np.zeros(problem.shape, np.float32)
    layer, x, _ = layer_of(problem, explicit=False)
    function = tf.function(layer).get_concrete_function(tf.TensorSpec(x.shape, tf.float32))
    model = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    (folder / "layer.tflite").write_bytes(model)
    return {}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer = convert(json.loads(line))
        except Exception as error:  # noqa: BLE001
            answer = {"refused": explain(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
