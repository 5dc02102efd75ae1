"""Layers of few output channels that upconvc compiles with vectors along the positions: the bits of
the library's direct sums, on every instruction set of this machine, with constant weights and packed
ones.

    python3 tests/compiler/narrow_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import numpy as np

from support import (FLAGS, LOAD, SEED, CompilerTest, Tools, main, random_options, random_padding,
                     run, runnable_isas)

CASES = 24
BASE = {"rank": 2, "input_size": 8, "output_size": 3, "filter_shape": [4, 4], "strides": [2, 2],
        "padding": "same", "name": "layer"}


class NarrowTest(CompilerTest):
    def check_narrow(self, random, config, shape, isa, constant, known=None):
        self.check_shape(random, config, shape, isa, constant, known,
                         options=["--strategy", "narrow"])
        self.assertEqual(self.manifest(isa)["strategy"], "narrow")


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
        config |= random_options(random, None, None, "relu", "gelu", "tanh",
                                 {"name": "leaky_relu", "alpha": 0.1},
                                 {"name": "clamp", "min": -0.5, "max": 0.75})
        return config, (int(random.integers(1, 4)), *extents, config["input_size"])

    def test_random_layers(self):
        self.for_random_layers(CASES, 87, self.check_narrow)

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
            # Rows that taps reach are 48 of 75, and 27 of 72.
            (dict(BASE, strides=[5, 5], output_size=3, input_size=30), (1, 7, 9, 30)),
            (dict(BASE, filter_shape=[3, 3], strides=[8, 1], output_size=9, input_size=17,
                  activation="relu"), (2, 1, 70, 17)),
            (dict(BASE, filter_shape=[5, 3], strides=[3, 2], dilations=[2, 3]), (1, 12, 17, 8)),
            (dict(BASE, filter_shape=[1, 2], strides=[3, 4], padding="valid"), (1, 5, 9, 8)),
            (dict(BASE, rank=3, filter_shape=[3, 1, 3], strides=[1, 1, 2], output_size=2),
             (1, 5, 6, 20, 8)),
            (dict(BASE, rank=3, filter_shape=[3, 3, 3], strides=[2, 2, 2], output_size=1,
                  activation="relu"), (2, 4, 7, 9, 8)),
        ]
        self.for_each_layer(layers, 88, self.check_narrow)

    def test_images_may_be_an_argument(self):
        for isa in runnable_isas():
            with self.subTest(isa=isa):
                self.check_narrow(np.random.default_rng(SEED), BASE, (5, 6, 19, 8), isa, False,
                                  ["?", "6", "19"])


class Choice(NarrowTest):
    def test_choice(self):
        """By default where extents are known and channels are few; the manifest says its sizes."""
        config = dict(BASE, input_size=64, arithmetic="direct")
        for more, shape, want in (({}, "1,64,64,64", "narrow"), ({}, "?,64,64,64", "narrow"),
                                  ({}, "1,?,64,64", "combined"),
                                  ({"output_size": 40}, "1,64,64,64", "wide"),
                                  ({"filter_shape": [9, 9], "output_size": 1}, "1,64,64,64",
                                   "narrow"),
                                  ({"filter_shape": [3, 3], "strides": [1, 1], "output_size": 1},
                                   "1,64,64,64", "narrow")):
            with self.subTest(more=more, shape=shape):
                self.write_layer(dict(config, **more))
                self.compile_layer("--input-shape", shape, targets=["avx2"])
                manifest = self.manifest("avx2")
                self.assertEqual(manifest["strategy"], want)
                if want != "narrow":
                    continue
                self.assertEqual(sum(group["rows"] for group in manifest["groups"]),
                                 int(np.prod(dict(config, **more)["strides"])) *
                                 dict(config, **more)["output_size"])
                self.assertEqual(len(manifest["strip"]), 2)

    def test_every_target_compiles(self):
        self.write_layer(BASE)
        targets = ["sse41", "avx2+avx512", "neon", "armv7", "wasm", "riscv"]
        self.compile_layer("--strategy", "narrow", "--input-shape", "1,8,20,8", targets=targets)
        self.assertEqual(self.manifest("neon")["strategy"], "narrow")

    def test_refused(self):
        self.write_layer(BASE)
        layers = (({}, "1,?,8,8", "an argument of the call"),
                  ({"output_size": 17}, "1,8,8,8", "more than 64 rows"),
                  ({"filter_shape": [3, 3], "strides": [6, 8]}, "1,8,8,8",
                   "that no tap reaches more than 128"),
                  ({"filter_shape": [300, 300]}, "1,8,8,8", "sees too many inputs"))
        for more, shape, words in layers:
            with self.subTest(words=words):
                self.write_layer(dict(BASE, **more))
                result = run(Tools.upconvc, "layer.json", "--target", "sse41", "--name", "decoder",
                             "-o", "out", "--strategy", "narrow", "--input-shape", shape,
                             cwd=self.folder)
                self.assertEqual(result.returncode, 2, result)
                self.assertIn(words, result.stderr)
                self.assertIn("--strategy narrow takes", result.stderr)


class NotFinite(NarrowTest):
    """Weights that are not finite would make NaNs of the zeros around x."""

    def test_constant(self):
        """They are summed by another strategy, or refused where this one is asked for."""
        x, kernel, bias = self.write_case(np.random.default_rng(SEED), BASE, (1, 40, 40, 8))
        kernel[3, 3, 7, 2] = np.inf
        self.write_layer(BASE, kernel, bias)
        arguments = ["layer.json", "--weights", "w.npz", "--target", "sse41", "--name", "decoder",
                     "-o", "out", "--input-shape", "1,40,40,8"]
        self.check(Tools.upconvc, *arguments)
        self.assertEqual(self.manifest("sse41")["strategy"], "combined")
        result = run(Tools.upconvc, *arguments, "--strategy", "narrow", cwd=self.folder)
        self.assertEqual(result.returncode, 2, result)
        self.assertIn("a weight is not finite", result.stderr)

    def test_packed(self):
        """NAME_pack says so."""
        x, kernel, bias = self.write_case(np.random.default_rng(SEED), BASE, (1, 8, 9, 8))
        kernel[0, 1, 2, 0] = np.nan
        kernel.tofile(self.folder / "kernel.raw")
        self.compile_layer("--strategy", "narrow", "--input-shape", "1,8,9,8")
        (self.folder / "main.c").write_text(LOAD + f"""
#include "decoder.h"
int main(void) {{
  const float *kernel = load("kernel.raw", {kernel.nbytes});
  const float bias[3] = {{0}};
  float *packed = malloc(DECODER_PACKED_BYTES);
  return decoder_pack(kernel, bias, packed) == DECODER_NOT_FINITE ? 0 : 1;
}}
""")
        self.check(Tools.cc, "-std=gnu11", *FLAGS, "main.c", "-Iout/sse41/include",
                   "-Lout/sse41/lib", "-ldecoder", "-o", "main")
        self.check("./main")


if __name__ == "__main__":
    main()
