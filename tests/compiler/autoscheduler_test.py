"""Layers that Halide's autoschedulers schedule: values within the bound of the definition, in a library
that needs nothing.

    python3 tests/compiler/autoscheduler_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import json

import numpy as np

from support import BASE, SEED, CompilerTest, Tools, main, reference, run

NAMES = ["adams2019", "li2018", "mullapudi2016"]
# What the algorithm tells apart: phases with and without all taps, borders, dilation, activations,
# ranks; the last one has more between its stages than a stack holds.
LAYERS = [
    ({"filter_shape": [3, 4], "strides": [2, 2], "padding": "same", "activation": "tanh"}, (5, 7)),
    ({"filter_shape": [3], "strides": [1], "dilations": [2], "padding": [[1, 0]],
      "use_bias": False}, (9,)),
    ({"filter_shape": [2, 2, 3], "strides": [2, 1, 2], "padding": "valid", "dtype": "float64"},
     (2, 3, 4)),
    ({"filter_shape": [4, 4], "strides": [2, 2], "padding": "same", "output_size": 24,
      "activation": "relu"}, (24, 20)),
]


class Autoscheduler(CompilerTest):
    def check_layer(self, name, case, constant):
        config, extents = LAYERS[case]
        config = {"input_size": 6, "output_size": 5, "rank": len(extents), "name": "layer", **config}
        random = np.random.default_rng([SEED, 11, case])
        x, kernel, bias = self.write_case(random, config, (2, *extents, 6))
        self.compile_layer("--autoscheduler", name, "--input-shape", ",".join(map(str, x.shape)),
                           *(["--weights", "w.npz"] if constant else []))
        y_shape = reference.conv_transpose(config, x, kernel, bias).shape
        self.build("out/sse41", config, x, y_shape, constant, [])
        self.check("./main")
        y = np.fromfile(self.folder / "y.raw", x.dtype).reshape(y_shape)
        self.assertIsNone(reference.difference(config, x, kernel, bias, y, exact=False))
        manifest = json.loads((self.folder / "out/sse41/share/decoder.json").read_text())
        self.assertEqual(manifest["strategy"], name)

    def test_values(self):
        for name in NAMES:
            for case in range(len(LAYERS)):
                if (name, case) == ("adams2019", 2):
                    continue  # refused: see test_mistakes
                with self.subTest(name=name, case=case):
                    self.check_layer(name, case, bool(case & 1))

    def test_symbols(self):
        """No memory, threads or errors of Halide's run time; LLVM may call what copies memory."""
        self.write_layer(BASE)
        self.compile_layer("--autoscheduler", "mullapudi2016", "--input-shape", "1,40,40,3",
                           targets=["avx2"])
        text = self.check("nm", "-g", "out/avx2/lib/libdecoder.a").stdout
        names = {line.split()[-1] for line in text.splitlines() if len(line.split()) > 1}
        self.assertEqual(names - {"memcpy", "memset"}, {"decoder_run", "decoder_pack"})

    def test_mistakes(self):
        self.write_layer(BASE)
        self.write_more("dilated.json", dict(BASE, dilations=[2, 2]))
        every = "adams2019, li2018 or mullapudi2016"
        for more, words in (
                (["--autoscheduler", "adams"], every),
                (["--autoscheduler", "anderson2021"],
                 "upconvc makes no code for them; for sse41 it must be " + every),
                (["--autoscheduler", "li2018", "--tile", "4x2"], "--strategy and --tile"),
                (["--autoscheduler", "li2018", "--input-shape", "1,?,4,3"],
                 "all extents and the number of images must be constants")):
            with self.subTest(more=more):
                self.assert_refused("layer.json", more, words)
        config = {"input_size": 6, "output_size": 5, "rank": 3, "name": "layer", **LAYERS[2][0]}
        self.write_more("volume.json", config)
        self.assert_refused("volume.json", ["--autoscheduler", "adams2019", "--input-shape",
                                            "2,2,3,4,6"], "whose size is not constant")
        self.assert_refused("dilated.json", ["--autoscheduler", "li2018", "--input-shape", "1,4,4,3"],
                            "a stride and a dilation above 1")

    def write_more(self, name, config):
        (self.folder / name).write_text(json.dumps(config))

    def assert_refused(self, config, more, words):
        result = run(Tools.upconvc, config, "--target", "sse41", "--name", "decoder", "-o", "out",
                     *more, cwd=self.folder)
        self.assertEqual(result.returncode, 2, result)
        self.assertIn(words, result.stderr)
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    main()
