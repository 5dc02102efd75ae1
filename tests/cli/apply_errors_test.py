"""Mistakes in what `upconv apply` is given: the exit status, the words, and that nothing is written.

    python3 tests/cli/apply_errors_test.py build/bin/upconv [unittest arguments]
"""

import json

import numpy as np

from support import BASE, ApplyCase, main, run


class Apply(ApplyCase):
    def test_refused_configurations(self):
        cases = [
            (dict(BASE, stridez=2), ["stridez"]),
            (dict(BASE, groups=1), ["groups"]),
            (json.dumps(BASE)[:-1] + ', "strides": [1, 1]}', ["strides", "twice"]),
            ({k: v for k, v in BASE.items() if k != "output_size"}, ["output_size"]),
            (dict(BASE, strides=[2, 0]), ["strides[1]", "0"]),
            (dict(BASE, strides=[2, -1]), ["strides[1]", "-1"]),
            (dict(BASE, strides=5717580618211388939), ["strides", "5717580618211388939"]),
            (dict(BASE, dilations=[1879048192, 1]), ["dilations"]),
            (dict(BASE, dilations=0), ["dilations", "0"]),
            (dict(BASE, filter_shape=0), ["filter_shape", "0"]),
            (dict(BASE, filter_shape=[3, 3, 3]), ["filter_shape"]),
            (dict(BASE, input_size=0), ["input_size", "0"]),
            (dict(BASE, output_size=-4), ["output_size", "-4"]),
            (dict(BASE, padding="causal"), ["padding", "causal"]),
            (dict(BASE, output_padding=[2, 0]), ["output_padding", "2"]),
            (dict(BASE, output_padding=-1), ["output_padding", "-1"]),
            (dict(BASE, rank=4), ["rank", "4"]),
            (dict(BASE, rank=True), ["rank", "true"]),
            (dict(BASE, padding=[[9, 9], [0, 0]]), ["output length"]),
            (dict(BASE, activation="swish"), ["activation", "swish"]),
            (dict(BASE, dtype="float16"), ["dtype", "float16"]),
            ('{"input_size": 3,', ["layer.json", "JSON"]),
            ("", ["layer.json"]),
            ("[" * 100000, ["layer.json"]),
            ({"layers": []}, ["layers"]),
        ]
        for config, words in cases:
            with self.subTest(config=str(config)[:200]):
                self.write_config(config)
                self.assert_refuses(2, "layer.json" if "output length" not in words else "", *words)

    def test_refused_inputs(self):
        np.save(self.path("channels.npy"), np.ones((1, 5, 4, 2), np.float32))
        self.assert_refuses(2, "channels.npy", "2", "3", input="channels.npy")
        np.save(self.path("first.npy"), np.ones((1, 3, 5, 4), np.float32))
        self.assert_refuses(2, "channels-first", input="first.npy")
        np.save(self.path("rank.npy"), np.ones((5, 3), np.float32))
        self.assert_refuses(2, "rank.npy", input="rank.npy")
        for dtype in ("int32", "uint8", "float16", "complex64", "bool"):
            np.save(self.path("kind.npy"), np.ones((1, 5, 4, 3), dtype))
            self.assert_refuses(2, "kind.npy", dtype, input="kind.npy")
        self.assert_refuses(1, "nowhere.npy", input="nowhere.npy")
        whole = self.path("x.npy").read_bytes()
        self.path("cut.npy").write_bytes(whole[:-1])
        self.assert_refuses(1, "cut.npy", input="cut.npy")
        self.path("long.npy").write_bytes(whole + b"\0")
        self.assert_refuses(1, "long.npy", input="long.npy")
        self.path("empty.npy").write_bytes(b"")
        self.assert_refuses(1, "empty.npy", input="empty.npy")

    def test_refused_weights(self):
        self.assert_refuses(1, "nowhere.npz", weights="nowhere.npz")
        self.path("cut.npz").write_bytes(self.path("w.npz").read_bytes()[:-30])
        self.assert_refuses(1, "cut.npz", weights="cut.npz")
        np.savez(self.path("shape.npz"), np.ones((3, 3, 4, 4), np.float32), self.bias)
        self.assert_refuses(2, "kernel", "4", weights="shape.npz")
        np.savez(self.path("no_bias.npz"), self.kernel)
        self.assert_refuses(2, "bias", weights="no_bias.npz")
        np.savez(self.path("int.npz"), self.kernel.astype(np.int32), self.bias)
        self.assert_refuses(2, "int32", weights="int.npz")
        self.write_config(dict(BASE, use_bias=False))
        self.assert_refuses(2, "bias", weights="w.npz")

    def test_refused_outputs(self):
        result = self.apply(output="no_such_folder/y.npy")
        self.assert_error(result, 1, "y.npy")
        self.path("folder").mkdir()
        self.assert_error(self.apply(output="folder"), 1, "folder")
        self.assertEqual(list(self.path("folder").iterdir()), [])

    def test_refused_arguments(self):
        for threads in ("0", "-1", "abc", "1.5", "", "99999999999999999999"):
            self.assert_refuses(2, "--threads", more=("--threads", threads))
        self.assert_refuses(2, "--isa", "avx3", more=("--isa", "avx3"))
        self.assert_refuses(2, "UPCONV_ISA", "avx3", env={"UPCONV_ISA": "avx3"})
        self.assert_refuses(2, "--strides", more=("--strides", "2"))
        self.assert_refuses(2, more=("extra",))
        self.assert_error(run("apply", "--config", self.path("layer.json")), 2, "--weights")


if __name__ == "__main__":
    main()
