"""Halide's autoschedulers on generators/conv_transpose_layer.cpp, for `--peer autoscheduled` alone.

Objects and schedules are kept in autoscheduled/ of the build folder: a layer is searched once.
"""

import ctypes
import functools
import hashlib
import json
import os
import pathlib
import re

import numpy as np

from workers.common import THREADS, Refused, run_program, serve

BUILD = pathlib.Path(os.environ["PEER_BUILD"])
ISA = os.environ["PEER_ISA"]
TABLE = pathlib.Path(__file__).resolve().parents[3] / "schedules" / "kernels.json"
# With its own beam of 32 the search of Adams2019 takes many minutes for a layer.
SCHEDULERS = {"Mullapudi2016": [], "Li2018": [], "Adams2019": ["autoscheduler.beam_size=1"]}
SEARCH_SECONDS = 240
run = functools.partial(run_program, seconds=SEARCH_SECONDS, late="found no schedule")


def halide_folder():
    """Where the plugins are: the build knows which Halide it uses."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    return pathlib.Path(re.search(r"^Halide_DIR:PATH=(.*)/cmake/Halide$", cache, re.MULTILINE)[1])


class Dimension(ctypes.Structure):
    _fields_ = [("min", ctypes.c_int32), ("extent", ctypes.c_int32), ("stride", ctypes.c_int32),
                ("flags", ctypes.c_uint32)]


class HalideBuffer(ctypes.Structure):
    """halide_buffer_t of HalideRuntime.h."""

    _fields_ = [("device", ctypes.c_uint64), ("device_interface", ctypes.c_void_p),
                ("host", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("dimensions", ctypes.c_int32),
                ("dim", ctypes.POINTER(Dimension)), ("padding", ctypes.c_void_p)]


def buffer_of(array):
    """A view of a float32 array whose last axis is Halide's first. Keep the array."""
    steps = [stride // array.itemsize for stride in array.strides]
    dims = [Dimension(0, n, s, 0) for n, s in zip(array.shape[::-1], steps[::-1])]
    kept = (Dimension * len(dims))(*dims)
    return HalideBuffer(host=array.ctypes.data, code=2, bits=32, lanes=1, dimensions=len(dims), dim=kept)


def parameters(problem):
    """Arguments of the generator."""
    if max(problem.dilations) > 1:
        raise Refused("the algorithm for autoschedulers has no dilation")
    if problem.activation not in (None, "relu"):
        raise Refused(f"the algorithm for autoschedulers has no {problem.activation}")

    def axes(values, fill=1):
        return "x".join(map(str, [fill] * (3 - problem.rank) + list(values)))

    return [
        f"batch={problem.batch}",
        f"input_size={problem.input_size}",
        f"output_size={problem.output_size}",
        f"extents={axes(problem.extents)}",
        f"filters={axes(problem.filters)}",
        f"strides={axes(problem.strides)}",
        f"offsets={axes(problem.offsets, 0)}",
        f"lengths={axes(problem.lengths)}",
        f"relu={'true' if problem.activation else 'false'}",
    ]


def shared_object(scheduler, problem):
    """Path and function of the layer as that autoscheduler has it."""
    words = [f"target={json.loads(TABLE.read_text())['targets'][ISA]['halide']}",
             f"autoscheduler={scheduler}", f"autoscheduler.parallelism={THREADS}",
             *SCHEDULERS[scheduler], *parameters(problem)]
    name = f"{scheduler.lower()}_{hashlib.sha256(' '.join(words).encode()).hexdigest()[:16]}"
    folder = BUILD / "autoscheduled"
    library = folder / f"{name}.so"
    generator = BUILD / "generators" / "upconv_layer_generator"
    if not library.exists() or library.stat().st_mtime < generator.stat().st_mtime:
        folder.mkdir(exist_ok=True)
        plugin = halide_folder() / f"libautoschedule_{scheduler.lower()}.so"
        run([generator, "-g", "conv_transpose_layer", "-f", name, "-o", folder,
             "-e", "object,schedule", "-p", plugin, *words])
        unfinished = library.with_suffix(".part")
        run(["cc", "-shared", "-o", unfinished, folder / f"{name}.o", "-lpthread", "-ldl"])
        unfinished.rename(library)
    return library, name


def layer(scheduler, problem):
    library, name = shared_object(scheduler, problem)
    function = getattr(ctypes.CDLL(str(library)), name)
    full = [1] * (3 - problem.rank)
    shapes = [
        (problem.x, [problem.batch, *full, *problem.extents, problem.input_size]),
        (problem.kernel, [*full, *problem.filters, problem.input_size, problem.output_size]),
        (problem.bias, [problem.output_size]),
    ]
    y = np.zeros([problem.batch, *full, *problem.lengths, problem.output_size], np.float32)
    arrays = [array.reshape(shape) for array, shape in shapes] + [y]
    buffers = [buffer_of(array) for array in arrays]
    arguments = [ctypes.byref(buffer) for buffer in buffers]

    def call():
        if function(*arguments) != 0:
            raise RuntimeError("the pipeline reported an error")

    return call, lambda: arrays[-1].reshape(problem.output_shape)


class Autoscheduled:
    name = "Halide autoscheduled"
    version = "21"

    def builders(self, problem):
        return {name: (lambda name=name: layer(name, problem)) for name in SCHEDULERS}

    def fresh(self, problem):
        raise Refused("the sizes of a layer are constants in its code")


if __name__ == "__main__":
    os.environ["HL_NUM_THREADS"] = str(THREADS)
    serve(Autoscheduled)
