"""What the tests of upconvc share: a case's files, a C program around a compiled layer, its result
beside the library's."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "golden"), str(TESTS / "support")]
import reference  # noqa: E402
from random_layers import random_layer, random_options, random_padding  # noqa: E402, F401

SEED = 515


class Tools:
    """Paths of the programs that the tests run; set by their command line."""
    upconvc = upconv = cc = cxx = cmake = ""


def need(*programs):
    """Skips the test where one is missing."""
    for program in programs:
        if shutil.which(program) is None:
            raise unittest.SkipTest(f"{program} is not installed")


FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O1"]

# Reads a file of just so many bytes.
LOAD = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *load(const char *path, size_t bytes) {
  void *data = malloc(bytes + 1);
  FILE *file = fopen(path, "rb");
  if (file == NULL || data == NULL || fread(data, 1, bytes + 1, file) != bytes) exit(70);
  fclose(file);
  return data;
}
"""

# Reads arrays as raw bytes, runs the layer between guards, and writes y. Exits with the status.
PROGRAM = LOAD + r"""
#include "%(name)s.h"

enum { GUARD = 4096 };

int main(void) {
  const %(type)s *x = load("x.raw", %(x_bytes)d);
  unsigned char *memory = malloc(%(y_bytes)d + 2 * GUARD);
  void *scratch = malloc(%(NAME)s_SCRATCH_BYTES + 1);
  FILE *file;
  int32_t status;
  int n;
  memset(memory, 0x5A, %(y_bytes)d + 2 * GUARD);
%(pack)s
  status = %(name)s_run(%(packed)sx, %(extents)s(%(type)s *)(memory + GUARD), scratch);
  for (n = 0; n < GUARD; ++n) {
    if (memory[n] != 0x5A || memory[GUARD + %(y_bytes)d + n] != 0x5A) return 71;
  }
  if (status != 0) {
    for (n = 0; n < %(y_bytes)d; ++n) {
      if (memory[GUARD + n] != 0x5A) return 72;
    }
    fprintf(stderr, "%%s\n", %(name)s_error_text(status));
    return status;
  }
  file = fopen("y.raw", "wb");
  if (file == NULL || fwrite(memory + GUARD, 1, %(y_bytes)d, file) != %(y_bytes)d) return 73;
  return fclose(file);
}
"""

def use_tools(argv):
    """Takes the five paths from a command line."""
    Tools.upconvc, Tools.upconv = map(os.path.abspath, argv[1:3])
    Tools.cc, Tools.cxx, Tools.cmake = argv[3:6]
    del argv[1:6]


BASE = {"input_size": 3, "output_size": 4, "filter_shape": [3, 3], "strides": [2, 2],
        "padding": "same", "name": "base"}


def run(*command, **options):
    environment = {k: v for k, v in os.environ.items() if k != "UPCONV_ISA"}
    environment.update(options.pop("env", {}))
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env=environment, timeout=600, **options)


def runnable_isas():
    rows = json.loads(run(Tools.upconv, "kernels", "--json").stdout)
    return sorted({row["isa"] for row in rows if row["runnable"]})


class CompilerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="upconv compiler ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, *command, **options):
        result = run(*command, cwd=self.folder, **options)
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout}\n{result.stderr}")
        return result

    def write_layer(self, config, kernel=None, bias=None):
        # One order of summation, as compiled layers have.
        (self.folder / "layer.json").write_text(json.dumps({"arithmetic": "direct", **config}))
        if kernel is not None:
            np.savez(self.folder / "w.npz", *([kernel] if bias is None else [bias, kernel]))

    def compile_layer(self, *more, targets=("sse41",), name="decoder", output="out"):
        arguments = [part for target in targets for part in ("--target", target)]
        return self.check(Tools.upconvc, "layer.json", *arguments, "--name", name, "-o", output,
                          *more)

    def manifest(self, target):
        return json.loads((self.folder / "out" / target / "share/decoder.json").read_text())

    def build(self, prefix, config, x, y_shape, constant, extents, compiler=None):
        """Compiles the program above for a case, and links it."""
        values = {
            "name": "decoder", "NAME": "DECODER",
            "type": "float" if x.dtype == np.float32 else "double",
            "x_bytes": x.nbytes, "y_bytes": int(np.prod(y_shape)) * x.itemsize,
            "pack": "", "packed": "", "extents": "".join(f"{n}, " for n in extents),
        }
        if not constant:
            bias = config.get("use_bias", True)
            values["packed"] = "packed, "
            values["pack"] = (f"  {values['type']} *packed = malloc(DECODER_PACKED_BYTES);\n"
                              "  decoder_pack(load(\"kernel.raw\", KERNEL_BYTES), "
                              + ("load(\"bias.raw\", BIAS_BYTES), " if bias else "") + "packed);")
        (self.folder / "main.c").write_text(PROGRAM % values)
        weights = np.prod(config["filter_shape"]) * config["input_size"] * config["output_size"]
        self.check(*(compiler or [Tools.cc]), "-std=gnu11", *FLAGS,
                   f"-DKERNEL_BYTES={int(weights) * x.itemsize}",
                   f"-DBIAS_BYTES={config['output_size'] * x.itemsize}", "main.c",
                   f"-I{prefix}/include", f"-L{prefix}/lib", "-ldecoder", "-o", "main")

    def assert_same_as_library(self, config, x, kernel, bias, y, isa):
        np.save(self.folder / "x.npy", x)
        # In the one order of summation that compiled layers have, too.
        (self.folder / "direct.json").write_text(json.dumps(dict(config, arithmetic="direct")))
        self.check(Tools.upconv, "apply", "--config", "direct.json", "--weights", "w.npz", "--input",
                   "x.npy", "--output", "y.npy", "--isa", isa)
        want = np.load(self.folder / "y.npy")
        self.assertIsNone(reference.difference(config, x, kernel, bias, y, exact=False))
        # The bits, but for the sign of a zero, which strategies may choose.
        np.testing.assert_array_equal(y, want)

    def write_case(self, random, config, shape):
        """Files of a layer and of random arrays: x of that shape, kernel, bias or None."""
        dtype = np.dtype(config.get("dtype", "float32"))
        x = random.standard_normal(shape).astype(dtype)
        kernel = random.standard_normal((*config["filter_shape"], config["input_size"],
                                         config["output_size"])).astype(dtype)
        bias = None
        if config.get("use_bias", True):
            bias = random.standard_normal(config["output_size"]).astype(dtype)
            bias.tofile(self.folder / "bias.raw")
        self.write_layer(config, kernel, bias)
        x.tofile(self.folder / "x.raw")
        kernel.tofile(self.folder / "kernel.raw")
        return x, kernel, bias

    def check_case(self, random, config, extents, target, constant, fixed, isa=None, compiler=None,
                   runner=(), options=()):
        """One random case, compiled for `target` and run, beside the library on `isa`."""
        images = int(random.integers(1, 4))
        x, kernel, bias = self.write_case(random, config, (images, *extents, config["input_size"]))
        known = [str(n) if fixed else "?" for n in x.shape[:-1]]
        if random.random() < 0.3:  # some of each
            known[int(random.integers(len(known)))] = "?"
        arguments = ["--weights", "w.npz"] if constant else []
        arguments += [*options, "--input-shape", ",".join([*known, str(x.shape[-1])])]
        self.compile_layer(*arguments, targets=[target])
        y_shape = reference.conv_transpose(config, x, kernel, bias).shape
        free = [n for n, word in zip(x.shape, known) if word == "?"]
        self.build(f"out/{target}", config, x, y_shape, constant, free, compiler)
        self.check(*runner, "./main")
        y = np.fromfile(self.folder / "y.raw", x.dtype).reshape(y_shape)
        self.assert_same_as_library(config, x, kernel, bias, y, isa or target)

    def check_shape(self, random, config, shape, target, constant, known=None, isa=None,
                    compiler=None, runner=(), options=()):
        """The same for one shape of x, of which extents in `known` that are "?" are arguments."""
        x, kernel, bias = self.write_case(random, config, shape)
        known = known or [str(n) for n in shape[:-1]]
        self.compile_layer(*(["--weights", "w.npz"] if constant else []), *options,
                           "--input-shape", ",".join([*known, str(shape[-1])]), targets=[target])
        y_shape = reference.conv_transpose(config, x, kernel, bias).shape
        free = [n for n, word in zip(shape, known) if word == "?"]
        self.build(f"out/{target}", config, x, y_shape, constant, free, compiler)
        self.check(*runner, "./main")
        y = np.fromfile(self.folder / "y.raw", x.dtype).reshape(y_shape)
        self.assert_same_as_library(config, x, kernel, bias, y, isa or target)

    @staticmethod
    def random_layer(random):
        return random_layer(random, 12, (1, 2, 8, 17, 33, 100))

    def for_random_layers(self, cases, seed, check):
        """check(random, config, shape, isa, constant weights) for layers of random_layer(), on one
        instruction set of this machine after the other."""
        isas = runnable_isas()
        for case in range(cases):
            random = np.random.default_rng([SEED, seed, case])
            config, shape = self.random_layer(random)
            isa, constant = isas[case % len(isas)], bool(case // len(isas) & 1)
            with self.subTest(case=case, isa=isa, constant=constant, config=config, shape=shape):
                check(random, config, shape, isa, constant)

    def for_each_layer(self, layers, seed, check):
        """The same for each (config, shape), with constant weights and without."""
        isas = runnable_isas()
        for case, (config, shape) in enumerate(layers):
            for constant in (False, True):
                with self.subTest(case=case, constant=constant):
                    check(np.random.default_rng([SEED, seed, case]), config, shape,
                          isas[(case + constant) % len(isas)], constant)


def main():
    """What every script of tests ends with."""
    if len(sys.argv) < 6:
        sys.exit(f"usage: {pathlib.Path(sys.argv[0]).name} UPCONVC UPCONV CC CXX CMAKE "
                 "[unittest arguments]")
    use_tools(sys.argv)
    unittest.main()
