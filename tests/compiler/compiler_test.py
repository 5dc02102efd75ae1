"""upconvc as a user runs it: what it writes compiles, links, runs and gives the library's values.

    python3 tests/compiler/compiler_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]

Random layers, with constant weights and without, with extents that are constants and arguments,
on every instruction set of this machine; bit by bit against `upconv apply`, and against the
definition.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import numpy as np

from support import (BASE, FLAGS, SEED, CompilerTest, Tools, main, reference, run,
                     runnable_isas)

CASES = 14
ROOT = pathlib.Path(__file__).resolve().parents[2]


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

    def test_extent_of_x_is_not_asked_for(self):
        """One image of the first layer of HiFi-GAN: Halide computes what it takes to be required of
        x, which no one checks, and which overflows."""
        config = {"rank": 1, "filter_shape": [16], "strides": [8], "padding": [[4, 4]],
                  "input_size": 512, "output_size": 64, "name": "layer"}
        self.check_case(np.random.default_rng([SEED, 2]), config, (64,), runnable_isas()[0], False,
                        True)
        self.assertEqual(self.manifest(runnable_isas()[0])["images"], 1)

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


class Models(CompilerTest):
    def test_list_of_layers(self):
        """Each with functions of its own; extents go from one to the next."""
        second = dict(BASE, input_size=4, output_size=2, name="second")
        (self.folder / "model.json").write_text(json.dumps({"layers": [BASE, second]}))
        random = np.random.default_rng(SEED)
        shapes = [[4], [3, 3, 3, 4], [2], [3, 3, 4, 2]]
        np.savez(self.folder / "w.npz", *[random.standard_normal(s).astype("f4") for s in shapes])
        self.check(Tools.upconvc, "model.json", "--weights", "w.npz", "--input-shape", "2,5,?,3",
                   "--target", "sse41", "--name", "net", "-o", "out")
        (self.folder / "main.c").write_text(r"""
#include <stdio.h>
#include "net_0.h"
#include "net_1.h"
int main(void) {
  static float x[2 * 5 * 6 * 3], y[2 * 10 * 12 * 4], z[2 * 20 * 24 * 2];
  static int32_t scratch[(NET_0_SCRATCH_BYTES + NET_1_SCRATCH_BYTES) / 4];
  FILE *in = fopen("x.raw", "rb"), *out = fopen("z.raw", "wb");
  if (fread(x, sizeof(x), 1, in) != 1 || NET_1_HEIGHT != 10) return 70;
  if (net_0_run(x, 6, y, scratch) != 0 || net_1_run(y, 12, z, scratch) != 0) return 71;
  return fwrite(z, sizeof(z), 1, out) == 1 && fclose(out) == 0 ? 0 : 72;
}
""")
        self.check(Tools.cc, "-std=c11", *FLAGS, "main.c", "-Iout/sse41/include",
                   "-Lout/sse41/lib", "-lnet_0", "-lnet_1", "-o", "main")
        x = random.standard_normal((2, 5, 6, 3)).astype("f4")
        x.tofile(self.folder / "x.raw")
        np.save(self.folder / "x.npy", x)
        self.check("./main")
        (self.folder / "direct.json").write_text(json.dumps(
            {"layers": [dict(layer, arithmetic="direct") for layer in (BASE, second)]}))
        self.check(Tools.upconv, "apply", "--config", "direct.json", "--weights", "w.npz",
                   "--input", "x.npy", "--output", "z.npy", "--isa", "sse41")
        np.testing.assert_array_equal(np.fromfile(self.folder / "z.raw", "f4").reshape(2, 20, 24, 2),
                                      np.load(self.folder / "z.npy"))

    def test_onnx(self):
        """A model written by hand: a ConvTranspose with W and B, then a LeakyRelu."""
        def field(number, kind, value):
            return varint(number << 3 | kind) + value

        def varint(value):
            head = bytes()
            while value > 127:
                head, value = head + bytes([value & 127 | 128]), value >> 7
            return head + bytes([value])

        def message(number, *parts):
            body = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
            return field(number, 2, varint(len(body)) + body)

        def tensor(name, array):
            dims = b"".join(field(1, 0, varint(n)) for n in array.shape)
            return message(5, dims, field(2, 0, varint(1)), message(8, name),
                           message(9, array.tobytes()))

        def integers(name, *values):
            return message(5, message(1, name), *[field(8, 0, varint(n)) for n in values],
                           field(20, 0, varint(7)))

        random = np.random.default_rng(SEED)
        kernel = random.standard_normal((3, 4, 4, 4)).astype("f4")  # [in, out, h, w]
        bias = random.standard_normal(4).astype("f4")
        (self.folder / "model.onnx").write_bytes(field(1, 0, varint(8)) + message(
            7,
            message(1, message(1, "x"), message(1, "w"), message(1, "b"), message(2, "y"),
                    message(4, "ConvTranspose"), integers("strides", 2, 2),
                    integers("pads", 1, 1, 1, 1)),
            message(1, message(1, "y"), message(2, "z"), message(4, "LeakyRelu")),
            tensor("w", kernel), tensor("b", bias), message(12, message(1, "z"))))
        x = random.standard_normal((1, 4, 5, 3)).astype("f4")
        x.tofile(self.folder / "x.raw")
        self.check(Tools.upconvc, "model.onnx", "--target", "sse41", "--name", "decoder", "-o",
                   "out", "--input-shape", "1,4,5,3")
        config = dict(BASE, filter_shape=[4, 4], padding=[[1, 1], [1, 1]],
                      activation={"name": "leaky_relu", "alpha": 0.01})
        ours = np.ascontiguousarray(np.moveaxis(kernel, (0, 1), (2, 3)))
        self.write_layer(config, ours, bias)
        self.build("out/sse41", config, x, (1, 8, 10, 4), True, [])
        self.check("./main")
        y = np.fromfile(self.folder / "y.raw", "f4").reshape(1, 8, 10, 4)
        self.assert_same_as_library(config, x, ours, bias, y, "sse41")

    def test_onnx_that_pytorch_exported(self):
        golden = pathlib.Path(reference.__file__).resolve().parent
        for name in ("2d", "1d"):
            with self.subTest(model=name), np.load(golden / "torch_export.npz") as arrays:
                x, want = arrays[f"x_{name}"], arrays[f"y_{name}"]
                x.tofile(self.folder / "x.raw")
                self.check(Tools.upconvc, golden / f"torch_export_{name}.onnx", "--target", "sse41",
                           "--name", "decoder", "-o", "out", "--input-shape",
                           ",".join(map(str, x.shape)))
                config = {"filter_shape": [1], "input_size": 1, "output_size": 1}  # all is constant
                self.build("out/sse41", config, x, want.shape, True, [])
                self.check("./main")
                y = np.fromfile(self.folder / "y.raw", "f4").reshape(want.shape)
                np.testing.assert_array_equal(y, want)


class Packages(CompilerTest):
    def test_find_package_and_pkg_config(self):
        self.write_layer(BASE)
        self.compile_layer(output="the output")
        prefix = self.folder / "the output" / "sse41"
        (self.folder / "main.c").write_text(
            "#include <decoder.h>\n"
            "int main(void) {\n"
            "  return decoder_run(0, 0, 0, 1, 1, 0, 0) == DECODER_BAD_EXTENT ? 0 : 1;\n}\n")
        (self.folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.28)\nproject(consumer LANGUAGES C)\n"
            "find_package(decoder REQUIRED)\nadd_executable(main main.c)\n"
            "target_link_libraries(main PRIVATE decoder::decoder)\n")
        self.check(Tools.cmake, "-S", ".", "-B", "the build", f"-DCMAKE_PREFIX_PATH={prefix}",
                   f"-DCMAKE_C_COMPILER={Tools.cc}")
        self.check(Tools.cmake, "--build", "the build")
        self.check("the build/main")
        if shutil.which("pkg-config"):
            flags = self.check("sh", "-c", "pkg-config --cflags --libs decoder", env={
                "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"}).stdout.strip()
            self.check("sh", "-c", f"{Tools.cc} main.c {flags} -o again && ./again")


class Mistakes(CompilerTest):
    def assert_refused(self, status, *words, arguments):
        before = sorted(path.name for path in self.folder.iterdir())
        result = run(Tools.upconvc, *arguments, cwd=self.folder)
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
        refused(2, "--target", "avx9", "sse41", "avx512", "neon",
                arguments=arguments(target="avx9"))
        refused(2, "avx512 comes with avx2",
                arguments=arguments(target="x86-64-linux-sse41-avx-fma-avx512"))
        for together in ("avx2+sse41", "sse41+sse41", "sse41+neon", "sse41+", "+"):
            refused(2, "in that order", arguments=arguments(target=together))
        refused(2, "GPUs", arguments=arguments(target="x86-64-linux-sse41-cuda"))
        refused(2, "vector_bits_128", arguments=arguments(target="arm-64-linux-sve2"))
        refused(2, "wrong code for longer vectors",
                arguments=arguments(target="arm-64-linux-sve2-vector_bits_256"))
        refused(2, "vector_bits", arguments=arguments(target="riscv-64-linux-rvv"))
        refused(2, "--name", "2nd", arguments=arguments(name="2nd"))
        refused(2, "--input-shape", "1,16,?,3",
                arguments=[*arguments(), "--input-shape", "1,0,2,3"])
        for shape in ("1,2,3", "1,0?,2,3", "1,x?,2,3", "1,2??,2,3", "1,2,2,3?"):
            refused(2, "--input-shape", "64?", arguments=[*arguments(), "--input-shape", shape])
        refused(2, "--input-shape", arguments=[*arguments(), "--input-shape", "1,2,2,4"])
        refused(2, "--tile", "12x2", arguments=[*arguments(), "--tile", "12by2"])
        refused(2, "--strategy", "wide, combined, narrow, scatter or winograd", arguments=[*arguments(), "--strategy", "deep"])
        refused(2, "strides divide filters", arguments=[*arguments(), "--strategy", "combined"])
        refused(2, "--emit", "stmt, asm", arguments=[*arguments(), "--emit", "elf"])
        refused(2, "w.npz", "[3, 3, 3, 5]", arguments=[*arguments(), "--weights", "w.npz"])
        refused(1, "absent.json", arguments=arguments("absent.json"))
        (self.folder / "bad.json").write_text('{"input_size": 3, "strides": 0}')
        refused(2, "bad.json", "output_size is missing", arguments=arguments("bad.json"))
        (self.folder / "gpu.json").write_text(json.dumps(dict(BASE, device="gpu")))
        refused(2, 'device is "gpu"', "no code for GPUs", arguments=arguments("gpu.json"))
        lengths = dict(BASE, output_lengths=[9, 9])
        (self.folder / "lengths.json").write_text(json.dumps(lengths))
        refused(2, "output_lengths", "--input-shape", arguments=arguments("lengths.json"))
        (self.folder / "bad.onnx").write_text("no model")
        refused(1, "bad.onnx", "ONNX", arguments=arguments("bad.onnx"))
        (self.folder / "file").write_text("")
        refused(1, "file", "cannot be written", arguments=arguments(output="file"))


class Interrupted(CompilerTest):
    """A run that ends early leaves what was there before, and nothing else."""

    def start(self):
        """A run that has begun to compile, for many targets, over an older result."""
        self.write_layer(BASE)
        self.compile_layer()
        self.before = self.files()
        targets = ["sse41", "avx2", "avx512", "neon", "armv7", "riscv"]
        process = subprocess.Popen(
            [Tools.upconvc, "layer.json", "--name", "decoder", "-o", "out",
             *[part for target in targets for part in ("--target", target)]],
            cwd=self.folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        end = time.monotonic() + 60
        while not list(self.folder.glob("out/.upconvc-*/*/lib")):
            self.assertIsNone(process.poll(), "it ended before it was interrupted")
            self.assertLess(time.monotonic(), end)
            time.sleep(0.001)
        return process

    def files(self):
        return {path.relative_to(self.folder): path.read_bytes() if path.is_file() else None
                for path in self.folder.rglob("*")}

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                process = self.start()
                process.send_signal(number)
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, -number)
                self.assertEqual(self.files(), self.before)

    def test_compilation_that_is_killed(self):
        process = self.start()
        child = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(child), signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn("upconvc: error: the compilation was ended by a signal", errors)
        self.assertEqual(self.files(), self.before)


if __name__ == "__main__":
    main()
