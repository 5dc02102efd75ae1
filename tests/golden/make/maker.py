# SPDX-License-Identifier: Apache-2.0
"""Collects one peer's cases, and writes them where each agrees with reference.py."""

import json
import math
import pathlib

import numpy as np

import reference

#: Where all golden values are.
FOLDER = pathlib.Path(__file__).resolve().parent.parent
SEED = 20261101


class Refused(Exception):
    """The peer does not run this case; it is counted, not written."""


class Maker:
    """Collects one peer's cases, checks each against the reference and writes the two files."""

    def __init__(self, peer):
        self.peer = peer
        self.rng = np.random.default_rng([SEED, *map(ord, peer)])
        self.entries, self.arrays, self.refused = [], {}, []
        self.count = {}

    def values(self, config, extents, batch, kind):
        """x, kernel, bias: `ints` make every sum exact, `normal` is random in the layer's dtype."""
        t = np.dtype(config.get("dtype", "float32"))
        filters = config["filter_shape"]
        xs = (*batch, *extents, config["input_size"])
        ks = (*filters, config["input_size"], config["output_size"])
        bs = (config["output_size"],)
        if kind == "normal":
            x, k, b = (self.rng.standard_normal(n) for n in (xs, ks, bs))
            k /= math.sqrt(math.prod(filters) * config["input_size"])
        else:
            x, k, b = (
                self.rng.integers(-3, 4, n).astype(float)
                + (1.0 if q == 2 else 0.0)  # a bias that is seldom 0: gaps must show it
                for q, n in enumerate((xs, ks, bs))
            )
            if config.get("activation"):  # small dyadic sums, still exact
                k, b = k / 16, b / 4
        return x.astype(t), k.astype(t), b.astype(t)

    def add(self, tag, config, extents, run, batch=(1,), kind="ints", bias=True, terms=None):
        """run(x, kernel, bias) gives (y channels-last, the text of the call). `terms`: the layer as
        from_<convention> is told of it (tests/support/terms.h)."""
        config = {n: v for n, v in config.items() if v is not None}
        x, kernel, b = self.values(config, extents, batch, kind)
        if not bias:
            config["use_bias"], b = False, None
        r = config["rank"]
        try:
            y, call = run(x, kernel, b)
        except Refused as e:
            self.refused.append(f"{tag} {json.dumps(config)} x{x.shape}: {e}")
            return
        y = np.ascontiguousarray(y)
        exact = kind == "ints" and reference.activation_name(config) in reference.EXACT_ACTIVATIONS
        wrong = reference.difference(config, x, kernel, b, y, exact)
        if wrong:
            raise SystemExit(
                f"{self.peer}: {call} is not what our config means\n  {json.dumps(config)}\n"
                f"  x{x.shape}: {wrong}"
            )
        stem = f"{self.peer}_{tag}_{r}d"
        q = self.count[stem] = self.count.get(stem, -1) + 1
        index = f"c{len(self.entries):03d}"
        self.entries.append(
            {
                "name": f"{stem}_{q:02d}",
                "index": index,
                "exact": exact,
                "config": config,
                "peer_call": call,
                **({"terms": terms} if terms else {}),
            }
        )
        for n, v in (("_x", x), ("_kernel", kernel), ("_bias", b), ("_y", y)):
            if v is not None:
                self.arrays[index + n] = v

    def write(self):
        np.savez_compressed(FOLDER / (self.peer + ".npz"), **self.arrays)
        with open(FOLDER / (self.peer + ".json"), "w", encoding="utf-8") as f:
            f.write(
                "[\n"
                + ",\n".join(json.dumps(e, separators=(",", ":")) for e in self.entries)
                + "\n]\n"
            )
        print(f"{self.peer}: {len(self.entries)} cases, {len(self.refused)} refused by the peer")
        for line in self.refused:
            print("  refused:", line)


def text(name, arguments, tail="(x)"):
    return f"{name}({', '.join(f'{n}={v!r}' for n, v in arguments.items() if v is not None)}){tail}"
