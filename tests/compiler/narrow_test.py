"""Layers of few output channels that upconvc compiles with vectors along the positions: the bits of
the library's direct sums, on every instruction set of this machine, with constant weights and packed
ones.

    python3 tests/compiler/narrow_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import json

import numpy as np

from support import (SEED, CompilerTest, Tools, main, random_padding, reference, run,
                     runnable_isas)

CASES = 24
BASE = {"rank": 2, "input_size": 8, "output_size": 3, "filter_shape": [4, 4], "strides": [2, 2],
        "padding": "same", "name": "layer"}


class NarrowTest(CompilerTest):
    def manifest(self, target):
        return json.loads((self.folder / "out" / target / "share/decoder.json").read_text())

    def check_narrow(self, random, config, shape, isa, constant, known=None):
        x, kernel, bias = self.write_case(random, config, shape)
        known = known or [str(n) for n in shape[:-1]]
        self.compile_layer(*(["--weights", "w.npz"] if constant else []), "--strategy", "narrow",
                           "--input-shape", ",".join([*known, str(shape[-1])]), targets=[isa])
        y_shape = reference.conv_transpose(config, x, kernel, bias).shape
        free = [n for n, word in zip(shape, known) if word == "?"]
        self.build(f"out/{isa}", config, x, y_shape, constant, free)
        self.check("./main")
        y = np.fromfile(self.folder / "y.raw", x.dtype).reshape(y_shape)
        self.assertEqual(self.manifest(isa)["strategy"], "narrow")
        self.assert_same_as_library(config, x, kernel, bias, y, isa)


class Values(NarrowTest):
    @staticmethod
    def random_layer(random):
        """At most 64 rows; phases of unequal taps, or none, and dilations with strides too."""
        def pick(*values):
            return values[random.integers(len(values))]

        rank = pick(1, 2, 2, 2, 3)
        most = {1: 8, 2: 4, 3: 2}[rank]
        strides = [int(n) for n in random.integers(1, most + 1, rank)]
        channels = int(random.integers(1, min(7, 64 // int(np.prod(strides))) + 1))
        filters = [int(n) for n in random.integers(1, 10 if rank < 3 else 5, rank)]
        dilations = [pick(1, 1, 1, 2, 3) for _ in range(rank)]
        extents = [int(n) for n in random.integers(1, {1: 300, 2: 30, 3: 8}[rank], rank)]
        config = {"rank": rank, "input_size": pick(1, 2, 3, 5, 8, 17, 40), "name": "layer",
                  "output_size": channels, "filter_shape": filters, "strides": strides,
                  "dilations": dilations}
        config["padding"] = random_padding(random, extents, filters, strides, dilations)
        if random.random() < 0.4:
            config["output_padding"] = [int(random.integers(s)) for s in strides]
        activation = pick(None, None, "relu", "gelu", "tanh", {"name": "leaky_relu", "alpha": 0.1},
                          {"name": "clamp", "min": -0.5, "max": 0.75})
        if activation is not None:
            config["activation"] = activation
        if random.random() < 0.3:
            config["dtype"] = "float64"
        if random.random() < 0.2:
            config["use_bias"] = False
        return config, (int(random.integers(1, 4)), *extents, config["input_size"])

    def test_random_layers(self):
        isas = runnable_isas()
        for case in range(CASES):
            random = np.random.default_rng([SEED, 87, case])
            config, shape = self.random_layer(random)
            isa, constant = isas[case % len(isas)], bool(case // len(isas) & 1)
            with self.subTest(case=case, isa=isa, constant=constant, config=config, shape=shape):
                self.check_narrow(random, config, shape, isa, constant)

    def test_edges(self):
        """One input, windows that begin before the result and end after it, crops, several strips
        along h and along w, phases without taps, an inner axis whose phases have unequal taps
        around one tap of h."""
        layers = [
            (dict(BASE), (1, 1, 1, 8)),
            (dict(BASE, padding=[[-3, -2], [-1, -4]]), (1, 3, 2, 8)),
            (dict(BASE, padding=[[5, 3], [4, 1]], output_padding=[1, 1]), (2, 9, 8, 8)),
            (dict(BASE, input_size=150, activation="tanh"), (2, 41, 37, 150)),
            (dict(BASE, filter_shape=[9, 9], output_size=1, padding=[[4, 4], [4, 4]],
                  output_padding=[1, 1], input_size=56), (1, 30, 45, 56)),
            (dict(BASE, rank=1, filter_shape=[5], strides=[3], input_size=90), (1, 1500, 90)),
            (dict(BASE, filter_shape=[5, 3], strides=[3, 2], dilations=[2, 3]), (1, 12, 17, 8)),
            (dict(BASE, filter_shape=[1, 2], strides=[3, 4], padding="valid"), (1, 5, 9, 8)),
            (dict(BASE, rank=3, filter_shape=[3, 1, 3], strides=[1, 1, 2], output_size=2),
             (1, 5, 6, 20, 8)),
            (dict(BASE, rank=3, filter_shape=[3, 3, 3], strides=[2, 2, 2], output_size=1,
                  activation="relu"), (2, 4, 7, 9, 8)),
        ]
        isas = runnable_isas()
        for case, (config, shape) in enumerate(layers):
            for constant in (False, True):
                with self.subTest(case=case, constant=constant):
                    self.check_narrow(np.random.default_rng([SEED, 88, case]), config, shape,
                                      isas[(case + constant) % len(isas)], constant)

    def test_images_may_be_an_argument(self):
        for isa in runnable_isas():
            with self.subTest(isa=isa):
                self.check_narrow(np.random.default_rng(SEED), BASE, (5, 6, 19, 8), isa, False,
                                  ["?", "6", "19"])


if __name__ == "__main__":
    main()
