"""The command-line tool as a user runs it.

    python3 tests/cli/cli_test.py build/bin/upconv [unittest arguments]

Values of random layers against the definition (tests/golden/reference.py), files that NumPy writes
and reads, what is printed where, and the exit status and words of mistakes."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import reference  # noqa: E402

TOOL = "upconv"
CASES = 40
SEED = 20260


def run(*arguments, env=None):
    environment = {k: v for k, v in os.environ.items() if k != "UPCONV_ISA"}
    environment.update(env or {})
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True,
                          env=environment, timeout=120)


def runnable_isas():
    rows = json.loads(run("kernels", "--json").stdout)
    return sorted({row["isa"] for row in rows if row["runnable"]})


class CliTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="upconv_cli_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name):
        return self.folder / name

    def write_config(self, config, name="layer.json"):
        text = config if isinstance(config, str) else json.dumps(config)
        self.path(name).write_text(text)
        return self.path(name)

    def assert_error(self, result, status, *words):
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, "")
        self.assertTrue(result.stderr.startswith("upconv: error: "), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.endswith("\n"), result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)


BASE = {"input_size": 3, "output_size": 4, "filter_shape": [3, 3], "strides": [2, 2],
        "padding": "same"}


class Apply(CliTest):
    def setUp(self):
        super().setUp()
        generator = np.random.default_rng(SEED)
        self.kernel = generator.integers(-3, 4, (3, 3, 3, 4)).astype(np.float32)
        self.bias = generator.integers(-3, 4, 4).astype(np.float32)
        self.x = generator.integers(-3, 4, (1, 5, 4, 3)).astype(np.float32)
        self.y = reference.conv_transpose(BASE, self.x, self.kernel, self.bias)
        self.write_config(BASE)
        np.savez(self.path("w.npz"), self.kernel, self.bias)
        np.save(self.path("x.npy"), self.x)

    def apply(self, *more, env=None, **files):
        names = {"config": "layer.json", "weights": "w.npz", "input": "x.npy", "output": "y.npy"}
        names.update(files)
        arguments = [part for option, name in names.items()
                     for part in ("--" + option, self.path(name))]
        return run("apply", *arguments, *more, env=env)

    def assert_applies(self, want, dtype, *more, env=None, **files):
        result = self.apply(*more, env=env, **files)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        got = np.load(self.path(files.get("output", "y.npy")))
        self.assertEqual(got.dtype, np.dtype(dtype))
        self.assertTrue(got.flags.c_contiguous)
        np.testing.assert_array_equal(got, want)

    def assert_refuses(self, status, *words, more=(), env=None, **files):
        self.assert_error(self.apply(*more, env=env, **files), status, *words)
        self.assertFalse(self.path("y.npy").exists())
        self.assertEqual([p.name for p in self.folder.iterdir() if "tmp" in p.name], [])

    def test_random_layers(self):
        isas = runnable_isas()
        for case in range(CASES):
            generator = np.random.default_rng([SEED, case])
            config, extents = self.random_layer(generator)
            dtype = config.get("dtype", "float32")
            rank = config["rank"]
            batch = tuple(int(n) for n in generator.integers(1, 4, generator.integers(0, 3)))
            x = generator.standard_normal(batch + extents + (config["input_size"],)).astype(dtype)
            kernel = generator.standard_normal(
                tuple(config["filter_shape"]) + (config["input_size"], config["output_size"])
            ).astype(dtype)
            arrays = [kernel]
            bias = None
            if config.get("use_bias", True):
                bias = generator.standard_normal(config["output_size"]).astype(dtype)
                arrays.insert(int(generator.integers(2)), bias)
            save = np.savez if generator.random() < 0.5 else np.savez_compressed
            save(self.path("w.npz"), *arrays)
            np.save(self.path("x.npy"), np.asfortranarray(x) if generator.random() < 0.3 else x)
            self.write_config(config)
            for isa in isas:
                with self.subTest(case=case, isa=isa, config=config, x=x.shape):
                    threads = int(generator.integers(1, 4))
                    result = self.apply("--threads", threads, env={"UPCONV_ISA": isa})
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                    got = np.load(self.path("y.npy"))
                    self.assertIsNone(
                        reference.difference(config, x, kernel, bias, got, exact=False))

    @staticmethod
    def random_layer(generator):
        def pick(*values):
            return values[generator.integers(len(values))]

        rank = pick(1, 2, 2, 3)
        filters = [int(n) for n in generator.integers(1, 6, rank)]
        strides = [int(n) for n in generator.integers(1, 5, rank)]
        dilations = [pick(1, 1, 2, 3) for _ in range(rank)]
        extents = tuple(int(n) for n in generator.integers(1, 9 if rank < 3 else 5, rank))
        config = {"rank": rank, "input_size": pick(1, 3, 8, 21), "output_size": pick(1, 2, 8, 17, 33),
                  "filter_shape": filters, "strides": strides, "dilations": dilations}
        padding = pick("valid", "Same", None)
        if padding is None:
            pairs = []
            for i, k, s, d in zip(extents, filters, strides, dilations):
                full = (i - 1) * s + (k - 1) * d + 1
                pair = [int(n) for n in generator.integers(-2, (k - 1) * d + 1, 2)]
                pairs.append(pair if sum(pair) <= full else [0, 0])
            padding = pairs
        config["padding"] = padding
        if generator.random() < 0.4:
            config["output_padding"] = [int(generator.integers(s)) for s in strides]
        activation = pick(None, "relu", "relu6", "gelu", "tanh", "silu", "elu",
                          {"name": "leaky_relu", "alpha": 0.1},
                          {"name": "clamp", "min": -0.5, "max": 0.75})
        if activation is not None:
            config["activation"] = activation
        if generator.random() < 0.3:
            config["dtype"] = "float64"
        if generator.random() < 0.2:
            config["use_bias"] = False
        return config, extents

    def test_integers_are_exact_on_every_isa(self):
        for isa in runnable_isas():
            with self.subTest(isa=isa):
                self.assert_applies(self.y, np.float32, env={"UPCONV_ISA": isa})
                self.assert_applies(self.y, np.float32, "--isa", isa)

    def test_threads_change_no_bit(self):
        x = np.random.default_rng(1).standard_normal((3, 9, 7, 3)).astype(np.float32)
        np.save(self.path("x.npy"), x)
        results = []
        for threads in ("1", "2", "5"):
            self.assertEqual(self.apply("--threads", threads).returncode, 0)
            results.append(self.path("y.npy").read_bytes())
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])

    def test_input_of_either_dtype_and_order_is_rounded_to_the_layers(self):
        np.save(self.path("x64.npy"), np.asfortranarray(self.x.astype(np.float64)))
        self.assert_applies(self.y, np.float32, input="x64.npy")
        self.write_config(dict(BASE, dtype="float64"))
        self.assert_applies(self.y, np.float64)
        np.save(self.path("big_endian.npy"), self.x.astype(">f4"))
        self.assert_applies(self.y, np.float64, input="big_endian.npy")

    def test_no_batch_axis_and_many(self):
        np.save(self.path("x.npy"), self.x[0])
        self.assert_applies(self.y[0], np.float32)
        np.save(self.path("x.npy"), self.x[None, None])
        self.assert_applies(self.y[None, None], np.float32)

    def test_empty_batch(self):
        np.save(self.path("x.npy"), self.x[:0])
        self.assert_applies(self.y[:0], np.float32)

    def test_output_is_replaced(self):
        self.path("y.npy").write_text("old")
        self.assert_applies(self.y, np.float32)

    def test_an_entry_as_configuration(self):
        self.write_config({"name": "up", "source": "here", "input": [1, 5, 4, 3], "config": BASE})
        self.assert_applies(self.y, np.float32)

    def test_a_list_of_layers(self):
        second = {"input_size": 4, "output_size": 2, "filter_shape": [2, 2], "strides": [2, 2],
                  "use_bias": False, "activation": "relu"}
        kernel = np.random.default_rng(2).integers(-2, 3, (2, 2, 4, 2)).astype(np.float32)
        self.write_config({"layers": [BASE, second]})
        np.savez(self.path("w.npz"), self.bias, self.kernel, kernel)
        self.assert_applies(reference.conv_transpose(second, self.y, kernel), np.float32)

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


class Usage(CliTest):
    def test_help_everywhere(self):
        for command in ([], ["apply"], ["summary"], ["kernels"], ["bench"]):
            for option in ("-h", "--help"):
                result = run(*command, option)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                for word in command or ["apply", "summary", "kernels", "bench"]:
                    self.assertIn(word, result.stdout)

    def test_version(self):
        result = run("--version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"^upconv \d+\.\d+\.\d+\n$")

    def test_no_command_and_an_unknown_one(self):
        self.assert_error(run(), 2)
        self.assert_error(run("enlarge"), 2)

    def test_standard_output_that_is_full(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "w") as full:
            result = subprocess.run([TOOL, "kernels"], stdout=full, stderr=subprocess.PIPE,
                                    text=True, timeout=120)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.count("\n"), 1)


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

    def test_safetensors_of_pytorch(self):
        self.check(self.import_weights(self.GOLDEN / "safetensors_others.safetensors", "--bias",
                                       "up.bias", "--order", "pytorch"))

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


class Summary(CliTest):
    def test_names_and_counts(self):
        result = run("summary", "--config", self.write_config(dict(BASE, name="decoder")))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("decoder", result.stdout)
        self.assertIn(str(3 * 3 * 3 * 4 + 4), result.stdout.replace(",", ""))

    def test_says_how_a_shape_would_be_computed(self):
        config = {"input_size": 64, "output_size": 64, "filter_shape": 3, "padding": "same"}
        for arithmetic, strategy in (("fast", "winograd"), ("direct", "wide")):
            path = self.write_config(dict(config, name="decoder", arithmetic=arithmetic))
            result = run("summary", "--config", path, "--input-shape", "1,56,56,64")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            last = result.stdout.splitlines()[-1]
            self.assertTrue(last.startswith("decoder: [1, 56, 56, 64] -> [1, 56, 56, 64] by "), last)
            self.assertIn(f"strategy {strategy}, arithmetic {arithmetic}; ", last)
        self.assert_error(run("summary", "--config", path, "--input-shape", "1,56"), 2, "input")

    def test_mistakes(self):
        self.assert_error(run("summary", "--config", self.path("nowhere.json")), 1, "nowhere.json")
        self.assert_error(run("summary", "--config", self.folder), 1, str(self.folder))
        self.assert_error(run("summary", "--config", self.write_config(dict(BASE, strides=0))), 2,
                          "layer.json", "strides")
        self.assert_error(run("summary"), 2, "--config")


class Kernels(CliTest):
    def test_json(self):
        result = run("kernels", "--json")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        rows = json.loads(result.stdout)
        self.assertTrue(any(row["runnable"] for row in rows))
        self.assertEqual(len({row["name"] for row in rows}), len(rows))
        for row in rows:
            self.assertEqual(list(row), ["name", "strategy", "rank", "dtype", "isa", "runnable"])
            self.assertIn(row["rank"], (1, 2, 3))
            self.assertIn(row["dtype"], ("float32", "float64"))
            self.assertIs(type(row["runnable"]), bool)

    def test_table_has_the_same_rows(self):
        names = [row["name"] for row in json.loads(run("kernels", "--json").stdout)]
        lines = run("kernels").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines[1:]], names)


class Bench(CliTest):
    KEYS = ["min_ms", "median_ms", "gflops", "peak_gflops", "fraction_of_peak", "bound",
            "fraction_of_bound", "kernel", "strategy", "arithmetic", "reason", "isa", "threads", "pack_ms",
            "copy_ms", "packed_copy_ms", "new_shape_first_ms", "new_shape_warm_ms", "packed_bytes",
            "scratch_bytes"]

    def check(self, got, shape, taps, output_size):
        self.assertLessEqual(got["min_ms"], got["median_ms"])
        operations = 2 * np.prod(shape) * taps * output_size
        self.assertAlmostEqual(got["gflops"] * got["min_ms"] * 1e6 / operations, 1, 5)
        self.assertAlmostEqual(got["gflops"] / got["peak_gflops"], got["fraction_of_peak"], 5)
        self.assertIn(got["bound"], ("compute", "memory", "both", "overhead"))
        for key in ("pack_ms", "copy_ms", "packed_copy_ms", "new_shape_first_ms",
                    "new_shape_warm_ms"):
            self.assertGreater(got[key], 0)
        self.assertGreater(got["fraction_of_bound"], 0)
        self.assertGreaterEqual(got["packed_bytes"], 4 * taps * shape[-1] * output_size)
        self.assertGreaterEqual(got["scratch_bytes"], 0)
        rows = {row["name"]: row for row in json.loads(run("kernels", "--json").stdout)}
        # The strategy that multiplies first has no kernels of its own.
        of = "wide" if got["strategy"] == "scatter" else got["strategy"]
        self.assertEqual(rows[got["kernel"]]["strategy"], of)
        self.assertEqual(rows[got["kernel"]]["isa"], got["isa"])

    def bench(self, *arguments, env=None):
        result = run("bench", *arguments, "--seconds", "0.05", "--json", env=env)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def test_json(self):
        config = self.write_config(BASE)
        for isa in runnable_isas():
            for threads in (1, 2):
                # Not square: XNNPACK's benchmark once counted the width twice.
                got = self.bench("--config", config, "--input-shape", "2,16,12,3", "--threads",
                                 threads, env={"UPCONV_ISA": isa})
                self.assertEqual(list(got), self.KEYS)
                self.assertEqual((got["isa"], got["threads"]), (isa, threads))
                self.check(got, (2, 16, 12, 3), 9, 4)

    def test_input_of_an_entry(self):
        config = self.write_config({"input": [1, 8, 8, 3], "config": dict(BASE, activation="gelu")})
        self.check(self.bench("--config", config), (1, 8, 8, 3), 9, 4)

    def test_list_of_layers(self):
        entries = [{"name": name, "input": [1, 4, 4, 3], "config": BASE} for name in ("a", "b")]
        layers = self.write_config(json.dumps(entries), "layers.json")
        self.assertEqual([row["name"] for row in self.bench("--layers", layers)], ["a", "b"])
        self.assertEqual([row["name"] for row in self.bench("--layers", layers, "--only", "b")],
                         ["b"])
        self.assert_error(run("bench", "--layers", layers, "--only", "c"), 2, "--only", "c", "a, b")

    def test_table(self):
        result = run("bench", "--config", self.write_config(BASE), "--input-shape", "1,4,4,3",
                     "--seconds", "0.05")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("GFLOP/s", result.stdout)

    def test_mistakes(self):
        config = self.write_config(BASE)
        self.assert_error(run("bench", "--config", config), 2, "--input-shape")
        for shape in ("", "1,2,", "1,x", "-1,4,4,3", "1;2"):
            self.assert_error(run("bench", "--config", config, "--input-shape", shape), 2,
                              "--input-shape")
        self.assert_error(run("bench", "--config", config, "--input-shape", "1,4,4,2"), 2, "2", "3")
        self.assert_error(run("bench", "--config", config, "--input-shape", "4,3"), 2, "[4, 3]")
        self.assert_error(run("bench"), 2, "--config")
        model = self.write_config({"layers": [BASE]}, "model.json")
        self.assert_error(run("bench", "--config", model, "--input-shape", "1,4,4,3"), 2,
                          "model.json", "layers")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: cli_test.py path/to/upconv [unittest arguments]")
    TOOL = os.path.abspath(sys.argv.pop(1))
    unittest.main()
