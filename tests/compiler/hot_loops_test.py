"""The hot loops of compiled layers keep their sums in registers, as those of the library's kernels do
(tests/unit/hot_loops_test.py): no instruction of them touches the stack, or writes a vector. They ask
for the weights that come next where these are many.

    python3 tests/compiler/hot_loops_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]

The assembly is read, not run, so that every instruction set is looked at on every machine.
"""

import json
import re
import sys

import numpy as np

from support import SEED, TESTS, CompilerTest, main

sys.path.insert(0, str(TESTS / "unit"))
from assembly import innermost_loops  # noqa: E402

#: Of each strategy: layers, of constant extents and of those that are arguments of the call.
LAYERS = {
    "wide": [
        ({"input_size": 64, "output_size": 48, "filter_shape": [4, 4], "strides": [2, 2],
          "padding": "same"}, "1,16,16,64"),
        ({"input_size": 21, "output_size": 40, "filter_shape": [5, 3], "strides": [2, 1],
          "dilations": [1, 2], "padding": "valid", "dtype": "float64"}, "?,?,?,21"),
        ({"input_size": 16, "output_size": 100, "filter_shape": [7], "strides": [3], "rank": 1,
          "activation": "gelu"}, "1,?,16"),
        # Sums in pieces.
        ({"input_size": 2048, "output_size": 128, "filter_shape": [4, 4], "strides": [2, 2],
          "padding": "same"}, "1,2,2,2048"),
    ],
    "combined": [
        ({"input_size": 32, "output_size": 3, "filter_shape": [4, 4], "strides": [2, 2],
          "padding": "same"}, "1,16,16,32"),
        ({"input_size": 24, "output_size": 6, "filter_shape": [8], "strides": [4], "rank": 1},
         "?,?,24"),
    ],
    "winograd": [
        ({"input_size": 64, "output_size": 48, "filter_shape": [4, 4], "strides": [2, 2],
          "padding": "same"}, "1,16,16,64"),
        ({"input_size": 32, "output_size": 64, "filter_shape": [3, 3], "strides": [1, 1],
          "dtype": "float64"}, "?,20,20,32"),
        # Tiles of four kinds, each with products of its own: what a transform keeps on the stack is
        # between them.
        ({"input_size": 32, "output_size": 128, "filter_shape": [3, 3], "strides": [2, 2],
          "padding": "same"}, "1,32,32,32"),
    ],
}

#: Instructions of hot loops that touch the stack: as in tests/unit/hot_loops_test.py, without a fused
#: multiply-add a product needs a register beside 12 sums, 3 weights and an input.
KNOWN = {("sse41", "float32"): 2, ("sse41", "float64"): 4}


class HotLoops(CompilerTest):
    def test_sums_stay_in_registers(self):
        random = np.random.default_rng(SEED)
        for strategy, layers in LAYERS.items():
            for number, (config, shape) in enumerate(layers):
                config = {"name": "layer", "arithmetic": "fast", "dtype": "float32", **config}
                kernel = random.standard_normal(
                    (*config["filter_shape"], config["input_size"], config["output_size"]))
                self.write_layer(config, kernel.astype(config["dtype"]),
                                 np.ones(config["output_size"], config["dtype"]))
                for target in ("avx2", "avx512") if number > 0 else ("sse41", "avx2", "avx512", "neon"):
                    with self.subTest(strategy=strategy, config=config, shape=shape, target=target):
                        self.check_layer(strategy, config, target, shape)

    def test_few_columns_are_transposed_in_registers(self):
        """Vectors do not go by way of the stack, where the places of inputs may be."""
        for taps, targets in ((1, ("sse41", "avx2", "avx512")), (3, ("avx2", "avx512")),
                              (5, ("avx512",))):
            self.write_layer({"name": "layer", "arithmetic": "fast", "rank": 1, "input_size": 64,
                              "output_size": 1, "filter_shape": [taps], "strides": [taps]})
            for target in targets:
                with self.subTest(taps=taps, target=target):
                    self.compile_layer("--strategy", "scatter", "--input-shape", "1,1000,64",
                                       "--emit", "asm", targets=[target])
                    prefix = self.folder / "out" / target
                    manifest = json.loads((prefix / "share/decoder.json").read_text())
                    self.assertTrue(manifest["parts"][0]["few_columns"])
                    loops = [loop for loop in innermost_loops(prefix / "emit/decoder.s")
                             if loop.multiply_adds == 4 * taps]
                    self.assertNotEqual(loops, [])
                    self.assertEqual([loop.vector_stack + loop.stores for loop in loops],
                                     [0] * len(loops))

    def test_many_weights_are_asked_for_beforehand(self):
        """Of layers whose weights are more than a cache holds, constants or not, by all strategies
        that read them in panels; of others, no line."""
        layers = [("wide", 2048, 48, "1,2,2,2048", True), ("wide", 32, 48, "1,16,16,32", False),
                  ("winograd", 256, 96, "1,8,8,256", True), ("winograd", 16, 24, "1,16,16,16", False)]
        for strategy, inputs, outputs, shape, many in layers:
            config = {"name": "layer", "arithmetic": "fast", "input_size": inputs,
                      "output_size": outputs, "filter_shape": [4, 4], "strides": [2, 2],
                      "padding": "same"}
            self.write_layer(config, np.ones((4, 4, inputs, outputs), np.float32),
                             np.ones(outputs, np.float32))
            for weights in ([], ["--weights", "w.npz"]):
                with self.subTest(strategy=strategy, many=many, weights=weights):
                    self.compile_layer(*weights, "--strategy", strategy, "--input-shape", shape,
                                       "--emit", "asm", targets=["avx2"])
                    loops = innermost_loops(self.folder / "out/avx2/emit/decoder.s")
                    hot = [loop for loop in loops if loop.multiply_adds == 48]
                    self.assertNotEqual(hot, [])
                    self.assertEqual(any(loop.prefetches > 0 for loop in hot), many)

    def test_far_inputs_and_outputs_are_asked_for_beforehand(self):
        """Where phases have one tap, with phases as channels or not; of near ones, no line."""
        config = {"name": "layer", "input_size": 64, "output_size": 32, "filter_shape": [2, 2],
                  "strides": [2, 2], "padding": "same"}
        self.write_layer(config)
        for strategy in ("wide", "combined"):
            for shape, far in (("1,200,200,64", True), ("1,20,20,64", False)):
                with self.subTest(strategy=strategy, shape=shape):
                    self.compile_layer("--strategy", strategy, "--input-shape", shape, "--emit",
                                       "asm", targets=["avx512"])
                    loops = innermost_loops(self.folder / "out/avx512/emit/decoder.s")
                    hot = [loop for loop in loops if loop.multiply_adds == 96]
                    self.assertNotEqual(hot, [])
                    self.assertEqual(any(loop.prefetches > 0 for loop in hot), far)

    def test_hints_are_for_the_second_level_cache(self):
        """In the object, too, of which Halide makes the other hint; where upconvc does not know the
        format of objects, there is none."""
        targets = ["avx2", "avx512", "x86-64-osx-sse41-avx-avx2-f16c-fma"]
        for strategy, inputs, outputs, shape in (("wide", 2048, 96, "1,2,2,2048"),
                                                 ("winograd", 256, 96, "1,8,8,256"),
                                                 ("narrow", 64, 2, "1,64,64,64")):
            self.write_layer({"name": "layer", "arithmetic": "fast", "input_size": inputs,
                              "output_size": outputs, "filter_shape": [4, 4], "strides": [2, 2],
                              "padding": "same"})
            self.compile_layer("--strategy", strategy, "--input-shape", shape, "--emit", "asm",
                               targets=targets)
            for target in targets:
                with self.subTest(strategy=strategy, target=target):
                    prefix = self.folder / "out" / target
                    hints = re.findall(r"\t(prefetch\w+)", (prefix / "emit/decoder.s").read_text())
                    self.assertEqual(set(hints), set() if "osx" in target else {"prefetcht1"})
                    if "osx" in target:
                        continue
                    code = self.check("objdump", "-d", prefix / "lib/libdecoder.a").stdout
                    self.assertEqual(re.findall(r"\t(prefetch\w+)", code), hints)
            self.assertEqual(list((self.folder / "out").rglob("*.o.s")), [])

    def check_layer(self, strategy, config, target, shape):
        self.compile_layer("--weights", "w.npz", "--strategy", strategy, "--input-shape", shape,
                           "--emit", "asm", targets=[target])
        prefix = self.folder / "out" / target
        manifest = json.loads((prefix / "share/decoder.json").read_text())
        self.assertEqual(manifest["strategy"], strategy)
        loops = innermost_loops(prefix / "emit/decoder.s")
        for part in manifest["parts"]:
            steps = {pixels * part["vectors"] * part["unroll"] for pixels in part["pixels"]}
            # A transform may have as many products by chance, among far more other instructions.
            hot = [loop for loop in loops if loop.multiply_adds in steps and loop.blocks == 1
                   and loop.instructions < 5 * loop.multiply_adds]
            tallest = max(steps)
            self.assertTrue(any(loop.multiply_adds == tallest for loop in hot),
                            f"no loop makes the {tallest} multiply-adds of {part}")
            for loop in hot:
                self.assertLessEqual(loop.stack, KNOWN.get((target, config["dtype"]), 0),
                                     f"{loop} of {part} touches the stack")
                if loop.stack == 0:
                    self.assertEqual(loop.stores, 0, f"{loop} of {part} writes its sums")


if __name__ == "__main__":
    main()
