"""Layers that upconvc compiles to multiply first and then add: within the tolerance of sums in
another order, on every instruction set of this machine, with constant weights and packed ones.

    python3 tests/compiler/scatter_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import time

import numpy as np

from support import (SEED, CompilerTest, Tools, main, random_options, random_padding, reference, run,
                     runnable_isas)

CASES = 24
BASE = {"rank": 2, "input_size": 8, "output_size": 3, "filter_shape": [4, 4], "strides": [2, 2],
        "padding": "same", "name": "layer"}


class ScatterTest(CompilerTest):
    def write_layer(self, config, kernel=None, bias=None):
        super().write_layer({"arithmetic": "fast", **config}, kernel, bias)

    def assert_same_as_library(self, config, x, kernel, bias, y, isa):
        self.assertIsNone(reference.difference(config, x, kernel, bias, y, exact=False))

    def check_scatter(self, random, config, shape, isa, constant, known=None):
        self.check_shape(random, config, shape, isa, constant, known,
                         options=["--strategy", "scatter"])
        self.assertEqual(self.manifest(isa)["strategy"], "scatter")


class Values(ScatterTest):
    @staticmethod
    def random_layer(random):
        """Taps that overlap or not, in runs or one by one, for channels of every width."""
        def pick(*values):
            return values[random.integers(len(values))]

        rank = pick(1, 2, 2, 2, 3)
        strides = [int(n) for n in random.integers(1, 6, rank)]
        filters = [int(n) for n in random.integers(1, {1: 24, 2: 8, 3: 4}[rank], rank)]
        dilations = [pick(1, 1, 1, 2, 3) for _ in range(rank)]
        extents = [int(n) for n in random.integers(1, {1: 400, 2: 24, 3: 8}[rank], rank)]
        config = {"rank": rank, "input_size": pick(1, 2, 3, 5, 8, 17, 40), "name": "layer",
                  "output_size": pick(1, 2, 3, 5, 7, 8, 15, 16, 21, 40), "filter_shape": filters,
                  "strides": strides, "dilations": dilations}
        config["padding"] = random_padding(random, extents, filters, strides, dilations)
        if random.random() < 0.4:
            config["output_padding"] = [int(random.integers(s)) for s in strides]
        config |= random_options(random, None, None, "relu", "gelu", "tanh",
                                 {"name": "leaky_relu", "alpha": 0.1},
                                 {"name": "clamp", "min": -0.5, "max": 0.75})
        return config, (int(random.integers(1, 4)), *extents, config["input_size"])

    def test_random_layers(self):
        self.for_random_layers(CASES, 91, self.check_scatter)

    def test_edges(self):
        """One input and fewer than a register tile, windows that begin before the result and end
        after it, crops of whole taps and inputs, rows longer than a chunk and chunks of several
        images, runs that the window cuts at both ends, filters below strides and above, an inner
        axis of one."""
        layers = [
            (dict(BASE), (1, 1, 1, 8)),
            (dict(BASE), (3, 1, 1, 8)),
            (dict(BASE, padding=[[-3, -2], [-1, -4]]), (1, 3, 2, 8)),
            (dict(BASE, padding=[[5, 3], [4, 1]], output_padding=[1, 1]), (2, 9, 8, 8)),
            (dict(BASE, filter_shape=[7, 9], padding=[[3, 4], [4, 5]]), (2, 2, 2, 8)),
            (dict(BASE, filter_shape=[1, 24], strides=[1, 7], padding=[[0, 0], [8, 9]],
                  output_size=1), (1, 2, 1, 8)),
            (dict(BASE, rank=1, filter_shape=[5], strides=[3]), (1, 1500, 8)),
            (dict(BASE, rank=1, filter_shape=[31], strides=[8], output_size=2, activation="gelu"),
             (3, 500, 8)),
            (dict(BASE, filter_shape=[2, 2], strides=[5, 3], activation="tanh"), (5, 4, 3, 8)),
            (dict(BASE, filter_shape=[5, 3], strides=[3, 2], dilations=[2, 3]), (1, 12, 17, 8)),
            (dict(BASE, filter_shape=[5, 1], strides=[2, 1], output_size=40), (2, 9, 1, 8)),
            (dict(BASE, rank=3, filter_shape=[3, 1, 3], strides=[1, 1, 2], output_size=2),
             (1, 5, 6, 20, 8)),
            (dict(BASE, rank=3, filter_shape=[3, 3, 3], strides=[2, 2, 2], dtype="float64",
                  output_size=1, activation="relu"), (2, 4, 7, 9, 8)),
        ]
        self.for_each_layer(layers, 92, self.check_scatter)

    def test_rows_about_as_long_as_a_vector(self):
        """Rows whose runs overlap are added a vector of outputs at a time: rows a little shorter
        than one, as long, and of a vector and a part, of which chunks may begin and end anywhere;
        windows that begin before the result and end after it."""
        layers = []
        for channels, filters, stride in ((1, 5, 1), (2, 9, 2), (3, 8, 2)):
            for width in (1, 3, 7, 8, 9, 16, 17, 33, 300):
                config = dict(BASE, filter_shape=[3, filters], strides=[2, stride],
                              output_size=channels)
                layers.append((config, (2, 3, width, 8)))
            layers.append((dict(config, padding=[[4, 1], [9, 11]]), (1, 5, 31, 8)))
        self.for_each_layer(layers, 94, self.check_scatter)

    def test_few_columns(self):
        """Few products per input are computed a vector of inputs at a time: fewer inputs than one
        has, as many, and more; channels in fours and some over; products that are whole rows of y,
        parts of rows, and added."""
        layers = []
        for filters, strides, channels in (([1, 1], [1, 1], 1), ([1, 2], [1, 2], 1),
                                           ([1, 1], [1, 1], 3), ([2, 2], [2, 2], 1),
                                           ([1, 5], [2, 1], 1), ([2, 3], [2, 3], 1)):
            for inputs, height, width in ((4, 1, 1), (7, 1, 15), (9, 1, 16), (20, 3, 11),
                                          (6, 3, 161)):
                config = dict(BASE, filter_shape=filters, strides=strides, input_size=inputs,
                              output_size=channels, activation="gelu" if width == 11 else None)
                layers.append((config, (2, height, width, inputs)))
            layers.append((dict(config, padding=[[-1, 1], [2, -1]], dtype="float64"), (2, 4, 30, 6)))
        self.for_each_layer(layers, 95, self.check_scatter)

    def test_images_may_be_an_argument(self):
        random = np.random.default_rng(SEED)
        for config in (BASE, dict(BASE, filter_shape=[1, 2], output_size=1)):
            for images in (1, 2, 7):
                with self.subTest(config=config, images=images):
                    self.check_scatter(random, config, (images, 6, 19, 8), runnable_isas()[-1],
                                       False, ["?", "6", "19"])

    def test_not_finite(self):
        """An input or a weight that is not finite reaches the outputs that it must, and no other."""
        random = np.random.default_rng(SEED)
        config = dict(BASE, filter_shape=[5, 5], activation=None)
        x, kernel, bias = self.write_case(random, config, (1, 6, 7, 8))
        x[0, 2, 3, 1], kernel[4, 0, 2, 1] = np.nan, np.inf
        x.tofile(self.folder / "x.raw")
        self.write_layer(config, kernel, bias)
        isa = runnable_isas()[-1]
        self.compile_layer("--weights", "w.npz", "--strategy", "scatter", "--input-shape",
                           "1,6,7,8", targets=[isa])
        with np.errstate(invalid="ignore"):
            want = reference.conv_transpose(config, x, kernel, bias)
        self.build(f"out/{isa}", config, x, want.shape, True, [])
        self.check("./main")
        y = np.fromfile(self.folder / "y.raw", x.dtype).reshape(want.shape)
        self.assertTrue(np.isfinite(want).any())
        np.testing.assert_array_equal(np.isfinite(y), np.isfinite(want))


class Choice(ScatterTest):
    def test_choice(self):
        """By default for few output channels under large filters, where extents are known and
        arithmetic is fast; and the manifest says how much is multiplied at once."""
        config = dict(BASE, input_size=256, output_size=5, filter_shape=[7, 7], strides=[2, 2],
                      padding=[[2, 2], [2, 2]])
        for more, shape, is_scatter in (({}, "1,2,2,256", True), ({}, "?,2,2,256", True),
                                        ({}, "1,?,2,256", False),
                                        ({"arithmetic": "direct"}, "1,2,2,256", False),
                                        ({"output_size": 512}, "1,9,9,256", False)):
            with self.subTest(more=more, shape=shape):
                self.write_layer(dict(config, **more))
                self.compile_layer("--input-shape", shape, targets=["avx2"])
                manifest = self.manifest("avx2")
                self.assertEqual(manifest["strategy"] == "scatter", is_scatter, manifest)
                if is_scatter:
                    self.assertGreaterEqual(manifest["chunk_inputs"], 4)
                    self.assertEqual(manifest["combined_phases"], 49)

    def test_long_strides(self):
        """Estimates do not walk millions of phases that no tap reaches."""
        begin = time.monotonic()
        self.write_layer(dict(BASE, rank=1, input_size=1, output_size=1, filter_shape=[2],
                              strides=[2 ** 20], padding="valid"))
        for shape in ("1,1000,1", "1,?,1"):
            self.compile_layer("--input-shape", shape)
        self.assertLess(time.monotonic() - begin, 30)

    def test_every_target_compiles(self):
        self.write_layer(BASE)
        targets = ["sse41", "avx2+avx512", "neon", "armv7", "wasm", "riscv"]
        self.compile_layer("--strategy", "scatter", "--input-shape", "1,8,20,8", targets=targets)
        self.assertEqual(self.manifest("neon")["strategy"], "scatter")

    def test_refused(self):
        layers = (({}, "1,?,8,8", "an argument of the call"),
                  ({"arithmetic": "direct"}, "1,8,8,8", "arithmetic is direct"),
                  ({"filter_shape": [300, 300]}, "1,8,8,8", "very many taps"))
        for more, shape, words in layers:
            with self.subTest(words=words):
                self.write_layer(dict(BASE, **more))
                result = run(Tools.upconvc, "layer.json", "--target", "sse41", "--name", "decoder",
                             "-o", "out", "--strategy", "scatter", "--input-shape", shape,
                             cwd=self.folder)
                self.assertEqual(result.returncode, 2, result)
                self.assertIn(words, result.stderr)
                self.assertIn("--strategy scatter takes", result.stderr)


if __name__ == "__main__":
    main()
