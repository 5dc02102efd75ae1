#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Layers made from other libraries' terms, against those libraries: `./dev test --peers`.

For each convention, random layers in its own terms. What the library computes must be what the
layer that from_<convention> makes computes; where the library refuses, ours must be the formula of
docs/conventions.md. All values are small integers, so that every sum is exact: results are compared
for equality. README.md here says more.
"""

import argparse
import collections
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "golden"), str(HERE)]
import reference  # noqa: E402
from child import Child, load_peer  # noqa: E402
from make.cases import config_of, explicit  # noqa: E402
from make.verify import families  # noqa: E402

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

#: From [filter..., input, output] to a library's order.
TO_ORDER = {
    "filter_out_in": lambda k: np.swapaxes(k, -1, -2),
    "in_out_filter": lambda k: np.moveaxis(k, (-2, -1), (0, 1)),
    "out_in_filter": lambda k: np.moveaxis(k, (-1, -2), (0, 1)),
}


class Case:
    """One layer in a library's terms, its values, and the formula's layer and result."""

    def __init__(self, convention, peer, seed):
        self.seed = seed
        rng = random.Random(f"{convention} {seed}")
        terms, axes = peer.generate(rng)
        self.terms = {"convention": convention, **terms}
        cin, cout, bias = peer.sizes(terms)
        values = np.random.default_rng([seed, *map(ord, convention)])
        draw = lambda *shape: values.integers(-3, 4, shape).astype(np.float32)
        self.x = draw(rng.randint(1, 2), *(a.i for a in axes), cin)
        self.kernel = draw(*(a.k for a in axes), cin, cout)
        self.bias = draw(cout) + np.float32(1) if bias else None
        self.theirs = np.ascontiguousarray(TO_ORDER[peer.ORDER](self.kernel))
        self.terms.update(peer.for_batch(terms, len(self.x)) if convention == "tensorflow" else {})
        windows = peer.windows(terms, axes)
        tuples = [(a.k, a.s, a.d, a.i) for a in axes]
        self.config = {
            n: v for n, v in config_of(
                tuples, explicit(tuples, *zip(*windows)), cin, cout).items() if v is not None
        }
        if self.bias is None:
            self.config["use_bias"] = False
        #: What the lengths come to, each below 1 where nothing is left.
        self.lengths = [n for n, _ in windows]
        self.possible = min(self.lengths) > 0

    def call(self):
        """The arguments of the peer's `call`."""
        return self.terms, self.x, self.theirs, self.bias

    def size(self):
        """Elements of the result."""
        return len(self.x) * math.prod(self.lengths) * self.config["output_size"]

    def formula(self):
        return reference.conv_transpose(self.config, self.x, self.kernel, self.bias)

    def families(self):
        return families({**self.config, "output_padding": self.terms.get("output_padding")},
                        self.x.shape[1:-1], self.x.shape[:1])


def run_ours(cases, binaries):
    """The layer's results, or the text of its error."""
    with tempfile.TemporaryDirectory(prefix="upconv_peers_") as name:
        values, results = pathlib.Path(name, "values"), pathlib.Path(name, "results")
        lines = []
        with open(values, "wb") as file:
            for c in cases:
                bias = np.zeros(0, np.float32) if c.bias is None else c.bias
                for array in (c.x, c.theirs, bias):
                    file.write(np.ascontiguousarray(array).tobytes())
                lines.append(json.dumps({"terms": c.terms, "x": c.x.shape,
                                         "kernel": c.theirs.shape, "bias": len(bias)}))
        done = subprocess.run([binaries / "upconv_terms_layers", values, results],
                              input="\n".join(lines), capture_output=True, text=True, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        flat, at, found = np.fromfile(results, np.float32), 0, []
        for a in answers:
            if "error" in a:
                found.append(a["error"])
                continue
            size = math.prod(a["shape"])
            found.append(flat[at:at + size].reshape(a["shape"]))
            at += size
        return found


def family_of(text):
    """A refusal without its numbers."""
    return re.sub(r"[-\d]+", "#", text)[:110]


def same(a, b):
    return not isinstance(a, str) and not isinstance(b, str) and np.array_equal(a, b)


def check(case, theirs, ours):
    """None, or what is wrong."""
    if not case.possible and isinstance(theirs, str):
        return None  # nothing is left of the output: libraries refuse that, and it is empty here
    if isinstance(ours, str):
        return None if isinstance(theirs, str) else f"the library computes it, ours says: {ours}"
    if not isinstance(theirs, str):
        if same(theirs, ours):
            return None
        return f"the library has {theirs.shape}, ours {ours.shape}; or values differ"
    return None if same(ours, case.formula().astype(np.float32)) else "differs from the formula"


def compare(convention, wanted, binaries, seed):
    """Runs until the library has computed `wanted` cases; returns the number of differences."""
    peer = load_peer(convention, binaries)
    start, batch = time.time(), 500
    computed = differences = count = 0
    refused, found = collections.Counter(), collections.Counter()
    with Child(convention, binaries) as library:
        while computed < wanted and count < 4 * wanted:
            cases = [Case(convention, peer, seed + count + n) for n in range(batch)]
            count += batch
            for case, ours in zip(cases, run_ours(cases, binaries)):
                theirs = library.call(*case.call())
                wrong = check(case, theirs, ours)
                differences += bool(wrong)
                text = theirs if isinstance(theirs, str) else ""
                if wrong or text.startswith(("hung", "crashed")):
                    print(f"{convention}: {wrong or 'the formula is met'}\n  seed {case.seed} "
                          f"{json.dumps(case.terms)} x{case.x.shape}\n  the library: {text}",
                          flush=True)
                if text:
                    what = "not by us either" if isinstance(ours, str) else "the formula is met"
                    refused[f"{family_of(text)} ({what})"] += case.possible
                    continue
                computed += 1
                found.update(case.families())
    print(f"{convention}: {computed} computed by both, {differences} differences, "
          f"{sum(refused.values())} refused by the library, {time.time() - start:.0f} s")
    print("  families:", ", ".join(f"{n} {v}" for n, v in found.most_common()))
    for text, times in refused.most_common(8):
        print(f"  refused {times} times: {text}")
    if computed < wanted:
        print(f"  only {computed} of {wanted} were computed by the library")
    return differences + (computed < wanted)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--peer", choices=reference.CONVENTIONS, action="append", help="only this one")
    p.add_argument("--cases", type=int, default=3000, help="computed by the library (3000)")
    p.add_argument("--seed", type=int, default=1, help="of the first case (1)")
    p.add_argument("--binaries", type=pathlib.Path, default=HERE.parents[1] / "build" / "bin")
    a = p.parse_args()
    if a.peer and len(a.peer) == 1:
        return 1 if compare(a.peer[0], a.cases, a.binaries.resolve(), a.seed) else 0
    bad = 0
    for convention in a.peer or reference.CONVENTIONS:  # a process each: they do not all go together
        bad |= subprocess.run(
            [sys.executable, __file__, "--peer", convention, "--cases", str(a.cases),
             "--seed", str(a.seed), "--binaries", str(a.binaries)]).returncode
    return bad


if __name__ == "__main__":
    sys.exit(main())
