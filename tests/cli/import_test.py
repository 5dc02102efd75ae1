"""`upconv import`: weights of other libraries, as a file for `apply`.

    python3 tests/cli/import_test.py build/bin/upconv [unittest arguments]
"""

import pathlib

import numpy as np

from support import CliTest, main, run


class Import(CliTest):
    """Other libraries' weights, as a file for `apply`."""

    GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
    CONFIG = {"input_size": 2, "output_size": 3, "filter_shape": [3, 2]}
    OURS = np.moveaxis(np.arange(36, dtype="f4").reshape(2, 3, 3, 2), (0, 1), (-2, -1))

    def import_weights(self, weights, *more, config=None, output="w.npz"):
        return run("import", "--config", self.write_config(config or self.CONFIG), "--weights",
                   weights, "--output", self.path(output), "--kernel", "up.weight", *more)

    def check(self, result):
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        with np.load(self.path("w.npz")) as arrays:
            np.testing.assert_array_equal(arrays["arr_0"], [0, 1, 2])
            np.testing.assert_array_equal(arrays["arr_1"], self.OURS)
            self.assertEqual(arrays["arr_1"].dtype, np.float32)

    def test_initialisers_of_an_onnx_model(self):
        self.check(self.import_weights(self.GOLDEN / "onnx_model.onnx", "--bias", "up.bias"))

    def test_models_that_pytorch_exported(self):
        for name, bias, config in (
                ("2d", ["--bias", "up.bias"],
                 {"input_size": 3, "output_size": 4, "filter_shape": [4, 3], "strides": [2, 3],
                  "padding": [[1, 1], [0, 0]], "output_padding": [0, 1], "dilations": [1, 2],
                  "activation": {"name": "leaky_relu", "alpha": 0.1}}),
                ("1d", [],
                 {"rank": 1, "input_size": 2, "output_size": 5, "filter_shape": 3, "strides": 2,
                  "padding": [[0, 0]], "use_bias": False, "activation": "relu"})):
            with self.subTest(model=name):
                model = self.GOLDEN / f"torch_export_{name}.onnx"
                result = self.import_weights(model, *bias, config=config)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                with np.load(self.GOLDEN / "torch_export.npz") as arrays:
                    np.save(self.path("x.npy"), arrays[f"x_{name}"])
                    want = arrays[f"y_{name}"]
                result = run("apply", "--config", self.path("layer.json"), "--weights",
                             self.path("w.npz"), "--input", self.path("x.npy"), "--output",
                             self.path("y.npy"))
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                np.testing.assert_array_equal(np.load(self.path("y.npy")), want)

    def test_safetensors_of_pytorch(self):
        self.check(self.import_weights(self.GOLDEN / "safetensors_others.safetensors", "--bias",
                                       "up.bias", "--order", "pytorch"))

    def test_npy_files(self):
        np.save(self.path("kernel.npy"), np.moveaxis(self.OURS, (-2, -1), (0, 1)).astype("f8"))
        np.save(self.path("ours.npy"), self.OURS)
        np.save(self.path("bias.npy"), np.arange(3, dtype="f4"))

        def import_files(kernel, *more):
            return run("import", "--config", self.write_config(self.CONFIG), "--kernel",
                       self.path(kernel), "--bias", self.path("bias.npy"), "--output",
                       self.path("w.npz"), *more)
        self.check(import_files("kernel.npy", "--order", "pytorch"))
        self.check(import_files("ours.npy"))
        self.path("w.npz").unlink()
        self.assert_error(import_files("kernel.npy", "--order", "keras"), 2,
                          "kernel in Keras's order has shape [2, 3, 3, 2]", "it must be [3, 2, 3, 2]")
        self.assert_error(import_files("kernel.npy"), 2, "kernel", "[2, 3, 3, 2]", "[3, 2, 2, 3]")
        self.assert_error(import_files("none.npy"), 1, "none.npy")
        self.assert_error(run("import", "--config", self.path("layer.json"), "--kernel",
                              self.path("ours.npy"), "--output", self.path("w.npz")), 2,
                          "the layer has a bias; --bias must name it")
        self.assertFalse(self.path("w.npz").exists())

    def test_npz_of_keras_by_way_of_safetensors(self):
        np.savez(self.path("keras.npz"), **{"up.weight": np.swapaxes(self.OURS, -1, -2),
                                            "b": np.arange(3.0)})
        result = self.import_weights(self.path("keras.npz"), "--bias", "b", "--order", "keras",
                                     output="ours.safetensors")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check(run("import", "--config", self.path("layer.json"), "--weights",
                       self.path("ours.safetensors"), "--kernel", "kernel", "--bias", "bias",
                       "--output", self.path("w.npz")))

    def test_mistakes(self):
        model = self.GOLDEN / "onnx_model.onnx"
        for status, words, arguments in (
                (2, "has no initialiser \"b\" of floating point; it has \"up.weight\", \"up.bias\"",
                 [model, "--bias", "b"]),
                (2, "the layer has a bias; --bias must name it", [model]),
                (2, "kernel in Keras's order has shape [2, 3, 3, 2]; it must be [3, 2, 3, 2]",
                 [model, "--bias", "up.bias", "--order", "keras"]),
                (2, "--order is \"ours\"; it must be keras, tensorflow,",
                 [model, "--bias", "up.bias", "--order", "ours"]),
                (1, "none.onnx", [self.path("none.onnx"), "--bias", "up.bias"])):
            with self.subTest(words=words):
                self.assert_error(self.import_weights(*arguments), status, words)
                self.assertFalse(self.path("w.npz").exists())
        layers = {"layers": [self.CONFIG]}
        self.assert_error(self.import_weights(model, "--bias", "up.bias", config=layers), 2,
                          "is a list of layers; it must be one layer")
        unbiased = {**self.CONFIG, "use_bias": False}
        self.assert_error(self.import_weights(model, "--bias", "up.bias", config=unbiased), 2,
                          "the layer has no bias; --bias must not be given")


if __name__ == "__main__":
    main()
