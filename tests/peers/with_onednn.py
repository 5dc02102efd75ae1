# SPDX-License-Identifier: Apache-2.0
"""oneDNN's deconvolution, by the worker of bench/peers."""

import atexit
import json
import pathlib
import subprocess
import tempfile

import numpy as np

from axes import channels, crops, listed, random_axes

ORDER = "out_in_filter"
#: Where the worker is; compare.py sets it.
BINARIES = None


def generate(random):
    axes = random_axes(random)
    cin, cout = channels(random)
    terms = {
        "weights": [cout, cin, *listed(axes, "k")],
        "strides": listed(axes, "s"),
        "bias": True,
    }
    if any(a.d > 1 for a in axes) or random.random() < 0.5:
        terms["dilates"] = [a.d - 1 for a in axes]
    pairs = [crops(random, a, a.reach + 1) for a in axes]
    if random.random() < 0.3:
        pairs = [(b, -random.randint(0, max(a.s, a.d) - 1)) for a, (b, _) in zip(axes, pairs)]
    terms["padding_l"] = [b for b, _ in pairs]
    terms["padding_r"] = [e for _, e in pairs]
    if random.random() < 0.3:
        terms["output_lengths"] = [
            a.full - b - e + random.randint(0, a.s - 1) for a, (b, e) in zip(axes, pairs)
        ]
    return terms, axes


def sizes(terms):
    return terms["weights"][1], terms["weights"][0], True


def windows(terms, axes):
    natural = [a.full - b - e
               for a, b, e in zip(axes, terms["padding_l"], terms["padding_r"])]
    return list(zip(terms.get("output_lengths", natural), terms["padding_l"]))


class Worker:
    """The worker's process, and a folder for the values."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="upconv_onednn_")
        self.process = subprocess.Popen(
            [pathlib.Path(BINARIES, "upconv_onednn_worker")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        atexit.register(self.process.kill)

    def ask(self, **message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "refused" in answer:
            raise RuntimeError(answer["refused"])
        return answer


_worker = []


def call(terms, x, kernel, bias):
    if not _worker:
        _worker.append(Worker())
    worker, rank = _worker[0], x.ndim - 2
    folder = worker.folder.name
    ours = np.moveaxis(kernel, (1, 0), (-2, -1))  # the order that the worker reads
    for name, values in (("x", x), ("kernel", ours), ("bias", bias)):
        np.ascontiguousarray(values).tofile(pathlib.Path(folder, name + ".f32"))
    dilations = [d + 1 for d in terms.get("dilates", [0] * rank)]
    lengths = terms.get("output_lengths") or [
        (i - 1) * s + (k - 1) * d + 1 - b - e
        for i, s, k, d, b, e in zip(x.shape[1:-1], terms["strides"], kernel.shape[2:], dilations,
                                    terms["padding_l"], terms["padding_r"])
    ]
    geometry = {
        "shape": list(x.shape),
        "output_shape": [len(x), *lengths, kernel.shape[0]],
        "filters": list(kernel.shape[2:]),
        "strides": terms["strides"],
        "dilations": dilations,
        "begins": terms["padding_l"],
        "ends": terms["padding_r"],
        "activation": None,
    }
    worker.ask(command="prepare", folder=folder, geometry=geometry)
    file = pathlib.Path(folder, "y.f32")
    shape = worker.ask(command="run", variant="any", file=str(file))["shape"]
    return np.fromfile(file, np.float32).reshape(shape)
