"""upconvc as a user runs it: what it writes compiles, links, runs and gives the library's values.

    python3 tests/compiler/compiler_test.py build/bin/upconvc build/bin/upconv CC CXX CMAKE [unittest ...]

Random layers, with constant weights and without, with extents that are constants and arguments, on
every instruction set of this machine; bit by bit against `upconv apply`, and against the definition.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import reference  # noqa: E402

UPCONVC = UPCONV = CC = CXX = CMAKE = ""
CASES = 14
SEED = 515
AXES = ("depth", "height", "width")
FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O1"]

# Reads arrays as raw bytes, runs the layer between guards, and writes y. Exits with the status.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "%(name)s.h"

enum { GUARD = 4096 };

static void *load(const char *path, size_t bytes) {
  void *data = malloc(bytes + 1);
  FILE *file = fopen(path, "rb");
  if (file == NULL || data == NULL || fread(data, 1, bytes + 1, file) != bytes) exit(70);
  fclose(file);
  return data;
}

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

BASE = {"input_size": 3, "output_size": 4, "filter_shape": [3, 3], "strides": [2, 2],
        "padding": "same", "name": "base"}


def run(*command, **options):
    environment = {k: v for k, v in os.environ.items() if k != "UPCONV_ISA"}
    environment.update(options.pop("env", {}))
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env=environment, timeout=600, **options)


def runnable_isas():
    rows = json.loads(run(UPCONV, "kernels", "--json").stdout)
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
        (self.folder / "layer.json").write_text(json.dumps(config))
        if kernel is not None:
            np.savez(self.folder / "w.npz", *([kernel] if bias is None else [bias, kernel]))

    def compile_layer(self, *more, targets=("sse41",), name="decoder", output="out"):
        arguments = [part for target in targets for part in ("--target", target)]
        return self.check(UPCONVC, "layer.json", *arguments, "--name", name, "-o", output, *more)

    def build(self, prefix, config, x, y_shape, constant, extents):
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
        self.check(CC, "-std=gnu11", *FLAGS, f"-DKERNEL_BYTES={int(weights) * x.itemsize}",
                   f"-DBIAS_BYTES={config['output_size'] * x.itemsize}", "main.c",
                   f"-I{prefix}/include", f"-L{prefix}/lib", "-ldecoder", "-o", "main")

    def assert_same_as_library(self, config, x, kernel, bias, y, isa):
        np.save(self.folder / "x.npy", x)
        self.check(UPCONV, "apply", "--config", "layer.json", "--weights", "w.npz", "--input",
                   "x.npy", "--output", "y.npy", "--isa", isa)
        want = np.load(self.folder / "y.npy")
        self.assertIsNone(reference.difference(config, x, kernel, bias, y, exact=False))
        # The bits, but for the sign of a zero, which strategies may choose.
        np.testing.assert_array_equal(y, want)


class Layers(CompilerTest):
    def test_random_layers(self):
        isas = runnable_isas()
        for case in range(CASES):
            random = np.random.default_rng([SEED, case])
            config, extents = self.random_layer(random)
            isa = isas[case % len(isas)]
            constant, fixed = bool(case & 1), bool(case & 2)
            with self.subTest(case=case, isa=isa, constant=constant, fixed=fixed, config=config,
                              extents=extents):
                self.check_case(random, config, extents, isa, constant, fixed)

    def check_case(self, random, config, extents, isa, constant, fixed):
        dtype = np.dtype(config.get("dtype", "float32"))
        images = int(random.integers(1, 4))
        x = random.standard_normal((images, *extents, config["input_size"])).astype(dtype)
        kernel = random.standard_normal((*config["filter_shape"], config["input_size"],
                                         config["output_size"])).astype(dtype)
        bias = None
        if config.get("use_bias", True):
            bias = random.standard_normal(config["output_size"]).astype(dtype)
            bias.tofile(self.folder / "bias.raw")
        self.write_layer(config, kernel, bias)
        x.tofile(self.folder / "x.raw")
        kernel.tofile(self.folder / "kernel.raw")
        known = [str(n) if fixed else "?" for n in x.shape[:-1]]
        if random.random() < 0.3:  # some of each
            known[int(random.integers(len(known)))] = "?"
        arguments = ["--weights", "w.npz"] if constant else []
        arguments += ["--input-shape", ",".join([*known, str(x.shape[-1])])]
        self.compile_layer(*arguments, targets=[isa])
        y_shape = reference.conv_transpose(config, x, kernel, bias).shape
        free = [n for n, word in zip(x.shape, known) if word == "?"]
        self.build(f"out/{isa}", config, x, y_shape, constant, free)
        self.check("./main")
        y = np.fromfile(self.folder / "y.raw", dtype).reshape(y_shape)
        self.assert_same_as_library(config, x, kernel, bias, y, isa)

    @staticmethod
    def random_layer(random):
        def pick(*values):
            return values[random.integers(len(values))]

        rank = pick(1, 2, 2, 3)
        filters = [int(n) for n in random.integers(1, 6, rank)]
        strides = [int(n) for n in random.integers(1, 5, rank)]
        dilations = [pick(1, 1, 2, 3) for _ in range(rank)]
        extents = tuple(int(n) for n in random.integers(1, 12 if rank < 3 else 6, rank))
        config = {"rank": rank, "input_size": pick(1, 3, 8, 21), "name": "layer",
                  "output_size": pick(1, 2, 8, 17, 33, 100), "filter_shape": filters,
                  "strides": strides, "dilations": dilations}
        padding = pick("valid", "same", None)
        if padding is None:
            padding = []
            for i, k, s, d in zip(extents, filters, strides, dilations):
                full = (i - 1) * s + (k - 1) * d + 1
                pair = [int(n) for n in random.integers(-2, (k - 1) * d + 1, 2)]
                padding.append(pair if sum(pair) < full else [0, 0])
        config["padding"] = padding
        if random.random() < 0.4:
            config["output_padding"] = [int(random.integers(s)) for s in strides]
        activation = pick(None, "relu", "gelu", "tanh", {"name": "leaky_relu", "alpha": 0.1},
                          {"name": "clamp", "min": -0.5, "max": 0.75})
        if activation is not None:
            config["activation"] = activation
        if random.random() < 0.3:
            config["dtype"] = "float64"
        if random.random() < 0.2:
            config["use_bias"] = False
        return config, extents

    def test_nothing_outside_x_is_multiplied(self):
        """Infinite weights of taps that fall outside the input make no NaN."""
        config = dict(BASE, filter_shape=[5, 5], output_size=16)
        kernel = np.ones((5, 5, 3, 16), np.float32)
        kernel[0, 0] = np.inf  # reaches nothing of the output's first pixel
        x, bias = np.zeros((1, 1, 1, 3), np.float32), np.zeros(16, np.float32)
        self.write_layer(config, kernel, bias)
        x.tofile(self.folder / "x.raw")
        self.compile_layer("--weights", "w.npz", "--input-shape", "1,1,1,3")
        self.build("out/sse41", config, x, (1, 2, 2, 16), True, [])
        self.check("./main")
        np.testing.assert_array_equal(np.fromfile(self.folder / "y.raw", np.float32), 0)


class Abi(CompilerTest):
    def test_symbols(self):
        """The library defines the functions of its header, and needs nothing."""
        self.write_layer(BASE)
        self.compile_layer(targets=["sse41", "avx512"])
        for target in ("sse41", "avx512"):
            text = self.check("nm", "-g", f"out/{target}/lib/libdecoder.a").stdout
            names = {(kind, name) for kind, name in re.findall(r"([A-Za-z]) (\w+)$", text, re.M)}
            self.assertEqual(names, {("T", "decoder_run"), ("T", "decoder_pack")})

    def test_constant_weights_are_read_only(self):
        kernel = np.ones((3, 3, 3, 4), np.float32)
        self.write_layer(BASE, kernel, np.ones(4, np.float32))
        self.compile_layer("--weights", "w.npz")
        text = self.check("objdump", "-h", "out/sse41/lib/libdecoder.a").stdout
        sizes = {name: int(size, 16)
                 for name, size in re.findall(r"^ *\d+ (\.\S+) +([0-9a-f]+)", text, re.M)}
        self.assertGreaterEqual(sum(n for name, n in sizes.items() if name.startswith(".rodata")),
                                kernel.nbytes)
        self.assertEqual(sum(n for name, n in sizes.items() if name.startswith(".bss")), 0)

    def test_bad_extents(self):
        self.write_layer(dict(BASE, padding=[[3, 3], [0, 0]]))
        self.compile_layer()
        x = np.zeros((1, 1, 1, 3), np.float32)
        x.tofile(self.folder / "x.raw")
        np.zeros(108, np.float32).tofile(self.folder / "kernel.raw")
        np.zeros(4, np.float32).tofile(self.folder / "bias.raw")
        config = dict(BASE)
        for extents, status in (((1, 0, 5), 1), ((-1, 5, 5), 1), ((1, 1, 5), 1),
                                ((1, 70000, 70000), 2), ((2147483647,) * 3, 2)):
            with self.subTest(extents=extents):
                self.build("out/sse41", config, x, (1, 1, 1, 4), False, extents)
                result = run("./main", cwd=self.folder)
                self.assertEqual(result.returncode, status, result)
                self.assertIn("decoder_run: ", result.stderr)

    def test_same_inputs_give_the_same_bytes(self):
        self.write_layer(BASE, np.ones((3, 3, 3, 4), np.float32), np.ones(4, np.float32))
        packages = []
        for _ in range(2):
            self.compile_layer("--weights", "w.npz")
            packages.append({path.relative_to(self.folder): path.read_bytes()
                             for path in (self.folder / "out").rglob("*") if path.is_file()})
            shutil.rmtree(self.folder / "out")
        self.assertEqual(packages[0], packages[1])

    def test_cxx(self):
        self.write_layer(dict(BASE, padding="valid"))
        self.compile_layer("--input-shape", "1,?,2,3")
        (self.folder / "main.cpp").write_text(r"""
#include <cstdio>
#include "decoder.hpp"
int main() {
  const std::vector<float> kernel(3 * 3 * 3 * 4, 1), bias(4, 1), x(2 * 3, 1);
  std::vector<float> y(3 * DECODER_OUTPUT_WIDTH * 4);
  const decoder::Layer layer(kernel.data(), bias.data());
  layer(x.data(), 1, y.data());
  try {
    layer(x.data(), 0, y.data());
  } catch (const std::invalid_argument& error) {
    std::printf("%g %g %s", y.front(), y[4 * 2], error.what());
  }
}
""")
        self.check(CXX, "-std=c++17", *FLAGS, "main.cpp", "-Iout/sse41/include",
                   "-Lout/sse41/lib", "-ldecoder", "-o", "main")
        self.assertTrue(self.check("./main").stdout.startswith("4 7 decoder_run: an extent"))

    def test_emit(self):
        self.write_layer(BASE)
        self.compile_layer("--emit", "stmt,asm", "--emit", "llvm,html")
        self.assertEqual({path.name for path in (self.folder / "out/sse41/emit").iterdir()},
                         {"decoder.stmt", "decoder.s", "decoder.ll", "decoder.html"})

    def test_tile(self):
        self.write_layer(BASE)
        self.compile_layer("--tile", "6x2")
        manifest = json.loads((self.folder / "out/sse41/share/decoder.json").read_text())
        self.assertEqual(manifest["parts"][0]["vectors"], 2)
        self.assertEqual(manifest["parts"][0]["pixels"], [6, 3, 2, 1])
        self.assertEqual(manifest["command"][0], "upconvc")


class Packages(CompilerTest):
    def test_find_package_and_pkg_config(self):
        self.write_layer(BASE)
        self.compile_layer(output="the output")
        prefix = self.folder / "the output" / "sse41"
        (self.folder / "main.c").write_text(
            "#include <decoder.h>\n"
            "int main(void) { return decoder_run(0, 0, 0, 1, 1, 0, 0) == DECODER_BAD_EXTENT ? 0 : 1; }\n")
        (self.folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.28)\nproject(consumer LANGUAGES C)\n"
            "find_package(decoder REQUIRED)\nadd_executable(main main.c)\n"
            "target_link_libraries(main PRIVATE decoder::decoder)\n")
        self.check(CMAKE, "-S", ".", "-B", "the build", f"-DCMAKE_PREFIX_PATH={prefix}",
                   f"-DCMAKE_C_COMPILER={CC}")
        self.check(CMAKE, "--build", "the build")
        self.check("the build/main")
        if shutil.which("pkg-config"):
            flags = self.check("sh", "-c", "pkg-config --cflags --libs decoder", env={
                "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"}).stdout.strip()
            self.check("sh", "-c", f"{CC} main.c {flags} -o again && ./again")


class Mistakes(CompilerTest):
    def assert_refused(self, status, *words, arguments):
        before = sorted(path.name for path in self.folder.iterdir())
        result = run(UPCONVC, *arguments, cwd=self.folder)
        self.assertEqual(result.returncode, status, result)
        self.assertTrue(result.stderr.startswith("upconvc: error: "), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), before)

    def arguments(self, config="layer.json", target="sse41", name="decoder", output="out", *more):
        return [config, "--target", target, "--name", name, "-o", output, *more]

    def test_mistakes(self):
        self.write_layer(BASE, np.ones((3, 3, 3, 5), np.float32), np.ones(4, np.float32))
        refused, arguments = self.assert_refused, self.arguments
        refused(2, "--target", "avx9", "sse41", "avx512", "neon", arguments=arguments(target="avx9"))
        refused(2, "avx512 comes with avx2",
                arguments=arguments(target="x86-64-linux-sse41-avx-fma-avx512"))
        refused(2, "GPUs", arguments=arguments(target="x86-64-linux-sse41-cuda"))
        refused(2, "vector_bits", arguments=arguments(target="arm-64-linux-sve2"))
        refused(2, "--name", "2nd", arguments=arguments(name="2nd"))
        refused(2, "--input-shape", "1,16,?,3",
                arguments=[*arguments(), "--input-shape", "1,0,2,3"])
        refused(2, "--input-shape", arguments=[*arguments(), "--input-shape", "1,2,3"])
        refused(2, "--input-shape", arguments=[*arguments(), "--input-shape", "1,2,2,4"])
        refused(2, "--tile", "12x2", arguments=[*arguments(), "--tile", "12by2"])
        refused(2, "--emit", "stmt, asm", arguments=[*arguments(), "--emit", "elf"])
        refused(2, "w.npz", "[3, 3, 3, 5]", arguments=[*arguments(), "--weights", "w.npz"])
        refused(1, "absent.json", arguments=arguments("absent.json"))
        (self.folder / "bad.json").write_text('{"input_size": 3, "strides": 0}')
        refused(2, "bad.json", "output_size is missing", arguments=arguments("bad.json"))
        (self.folder / "file").write_text("")
        refused(1, "file", "cannot be written", arguments=arguments(output="file"))


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit("usage: compiler_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]")
    UPCONVC, UPCONV = map(os.path.abspath, sys.argv[1:3])
    CC, CXX, CMAKE = sys.argv[3:6]
    del sys.argv[1:6]
    unittest.main()
