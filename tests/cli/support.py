"""What the tests of the command-line tool share: running it, a folder, and the form of its errors."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "golden"), str(TESTS / "support")]
import reference  # noqa: E402
from random_layers import random_layer  # noqa: E402, F401

SEED = 20260
BASE = {"input_size": 3, "output_size": 4, "filter_shape": [3, 3], "strides": [2, 2],
        "padding": "same"}


class Tool:
    """The program that the tests run; set by their command line."""
    path = ""


def run(*arguments, env=None):
    environment = {k: v for k, v in os.environ.items() if k != "UPCONV_ISA"}
    environment.update(env or {})
    return subprocess.run([Tool.path, *map(str, arguments)], capture_output=True, text=True,
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


class ApplyCase(CliTest):
    """A layer, its weights and an input as files, and what it must give."""

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


def main():
    """Takes the tool's path from the command line, and runs the tests of the script."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(f"usage: {sys.argv[0]} path/to/upconv [unittest arguments]")
    Tool.path = os.path.abspath(sys.argv.pop(1))
    unittest.main()
