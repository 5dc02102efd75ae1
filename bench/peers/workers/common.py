"""What all Python workers share: the line protocol, the clock, channels-first helpers.

Workers are modules of this package (`python -m workers.torch` in bench/peers): a script beside the
others would hide the peer's package of the same name. A worker reads one JSON object a line from
standard input and answers each with one line; upconv.cpp and onednn.cpp do the same:

    {"command": "hello"}                                 -> {"peer", "version"}
    {"command": "prepare", "config", "shape", "folder"}  -> {"variants": {name: {"prepare_ms"}}}
                                                            or {"refused": why}
    {"command": "run", "variant", "file"}                -> {"shape"}; writes channels-last float32
    {"command": "time", "variant", "milliseconds"}       -> {"median_us", "min_us", "calls"}
    {"command": "new_shapes", "extents": [[...], ...]}   -> {"shapes": [{"first_us", "warm_us"}]}

The messages of `prepare` ("geometry") and `new_shapes` ("geometries") also hold what
Problem.geometry() gives, for a worker that does not know our paddings. Anything that goes wrong is
answered by {"refused": why}. A peer is a class with

    name, version        strings
    builders(problem)    {variant: function}; the function loads the weights and gives (call,
                         fetch): call() is what is timed, fetch() its result, channels last
    fresh(problem)       a function that takes a problem of another extent and gives a call whose
                         first run holds all that a new shape costs; weights are loaded before
"""

import json
import os
import subprocess
import sys
import time

import numpy as np

from problem import Problem

THREADS = int(os.environ.get("PEER_THREADS", "1"))
SAMPLE_SECONDS = 100e-6  # one sample is so many calls that neither the clock nor the loop shows
FEWEST_SAMPLES = 3
SLOW_SECONDS = 0.5  # a call that takes longer is sampled once a round
now = time.perf_counter


class Refused(Exception):
    """The peer does not run this layer."""


def run_program(command, seconds, late):
    """A program that has to end well. @raise Refused with `late` when it takes too long."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Refused(f"{late} in {seconds} s") from None
    except subprocess.CalledProcessError as error:
        raise Refused(f"failed: {error.stderr[-200:]}") from None


def channels_first(values):
    return np.ascontiguousarray(np.moveaxis(values, -1, 1))


def channels_last(values):
    return np.ascontiguousarray(np.moveaxis(values, 1, -1))


def kernel_in_out(problem):
    """[input_size, output_size, filter...]: PyTorch's, ONNX's and OpenVINO's order."""
    return np.ascontiguousarray(np.moveaxis(problem.kernel, (-2, -1), (0, 1)))


def crops(problem):
    """(begins, ends, output_padding) with ends >= 0: what explicit paddings need."""
    return (
        problem.offsets,
        [max(e, 0) for e in problem.ends],
        [max(-e, 0) for e in problem.ends],
    )


def repeat(call, calls):
    """Seconds; a call may have a loop of its own, where Python's would show."""
    if hasattr(call, "repeat"):
        return call.repeat(calls)
    start = now()
    for _ in range(calls):
        call()
    return now() - start


def time_call(call, seconds):
    call()
    calls, elapsed = 1, repeat(call, 1)
    while elapsed < SAMPLE_SECONDS:
        calls *= 2
        elapsed = repeat(call, calls)
    fewest = FEWEST_SAMPLES if elapsed < SLOW_SECONDS else 1
    samples, end = [], now() + seconds
    while len(samples) < fewest or now() < end:
        samples.append(repeat(call, calls) / calls)
    samples.sort()
    return {
        "median_us": samples[len(samples) // 2] * 1e6,
        "min_us": samples[0] * 1e6,
        "calls": calls * len(samples),
    }


class Worker:
    def __init__(self, peer):
        self.peer, self.problem, self.ready = peer, None, {}

    def hello(self, _):
        return {"peer": self.peer.name, "version": self.peer.version}

    def prepare(self, message):
        self.ready = {}  # frees the last layer's weights first
        problem = self.problem = Problem(message["config"], message["shape"])
        problem.read(message["folder"])
        variants, refusals = {}, {}
        for name, build in self.peer.builders(problem).items():
            try:
                start = now()
                call, fetch = build()
                call()
                variants[name] = {"prepare_ms": (now() - start) * 1e3}
                self.ready[name] = call, fetch
            except Exception as error:  # noqa: BLE001 - a peer's own refusal, whatever its class
                refusals[name] = explain(error)
        if not variants:
            return {"refused": "; ".join(dict.fromkeys(refusals.values()))}
        return {"variants": variants, "variants_refused": refusals}

    def run(self, message):
        call, fetch = self.ready[message["variant"]]
        call()
        result = np.ascontiguousarray(fetch(), np.float32)
        result.tofile(message["file"])
        return {"shape": list(result.shape)}

    def time(self, message):
        call, _ = self.ready[message["variant"]]
        return time_call(call, message["milliseconds"] / 1e3)

    def new_shapes(self, message):
        make, found = self.peer.fresh(self.problem), []
        make(self.problem)()  # what is paid once and for all, whatever the shape
        for extents in message["extents"]:
            call = make(self.problem.with_extents(extents))
            first = repeat(call, 1)
            warm = min(repeat(call, 1) for _ in range(3))
            found.append({"first_us": first * 1e6, "warm_us": warm * 1e6})
        return {"shapes": found}


def explain(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = error.args[0] if isinstance(error, Refused) else " ".join(lines)
    return text[:300] or type(error).__name__


def serve(make_peer):
    """Answers until standard input ends. What the peer prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(make_peer())
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = getattr(worker, message["command"])(message)
        except Exception as error:  # noqa: BLE001
            answer = {"refused": explain(error)}
        print(json.dumps(answer), file=answers, flush=True)
