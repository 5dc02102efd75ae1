"""What upconvc makes for other processors: run where there is an emulator, else inspected.

    python3 tests/compiler/targets_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import json
import shutil
import struct
import unittest

import numpy as np

from support import (BASE, FLAGS, SEED, CompilerTest, Tools, main, need, reference,
                     run, runnable_isas)

# Runs NAME_pack and NAME_run of a WebAssembly module on arrays that stand in files.
NODE_PROGRAM = r"""
const fs = require("fs");
const compiled = new WebAssembly.Module(fs.readFileSync("decoder.wasm"));
if (WebAssembly.Module.imports(compiled).length > 0) throw new Error("it imports something");
const decoder = new WebAssembly.Instance(compiled).exports;
const [packedBytes, yBytes, scratchBytes, ...extents] = process.argv.slice(2).map(Number);
let top = decoder.__heap_base.value;
function allocate(bytes) {
  const at = (top + 15) & ~15;
  top = at + bytes;
  const missing = top - decoder.memory.buffer.byteLength;
  if (missing > 0) decoder.memory.grow(Math.ceil(missing / 65536));
  return at;
}
function load(path) {
  const bytes = fs.readFileSync(path), at = allocate(bytes.length);
  new Uint8Array(decoder.memory.buffer).set(bytes, at);
  return at;
}
const kernel = load("kernel.raw"), bias = load("bias.raw"), x = load("x.raw");
const packed = allocate(packedBytes), y = allocate(yBytes), scratch = allocate(scratchBytes);
decoder.decoder_pack(kernel, bias, packed);
const status = decoder.decoder_run(packed, x, ...extents, y, scratch);
fs.writeFileSync("y.raw", new Uint8Array(decoder.memory.buffer, y, yBytes));
process.exit(status);
"""


class Run(CompilerTest):
    def check_cases(self, target, isa, compiler, runner, cases):
        for case in range(cases):
            random = np.random.default_rng([SEED, 7, case])
            config, extents = self.random_layer(random)
            constant, fixed = bool(case & 1), bool(case & 2)
            with self.subTest(case=case, target=target, constant=constant, fixed=fixed,
                              config=config, extents=extents):
                self.check_case(random, config, extents, target, constant, fixed, isa, compiler,
                                runner)

    def check_few_channels(self, target, isa, compiler, runner):
        """Layers of few channels with vectors along the positions, or the inputs: where taps do not
        overlap, a sum has one order."""
        once = {"filter_shape": [1, 2], "strides": [1, 2], "output_size": 1, "arithmetic": "fast"}
        layers = [
            ("narrow", dict(BASE, filter_shape=[9, 9], output_size=1, input_size=20,
                            padding=[[4, 4], [4, 4]], output_padding=[1, 1]), (1, 13, 21, 20)),
            ("narrow", dict(BASE, filter_shape=[4, 4], input_size=9, activation="tanh"),
             (2, 5, 33, 9)),
            ("narrow", dict(BASE, rank=1, filter_shape=[5], strides=[3], dilations=[2],
                            dtype="float64"), (1, 70, 3)),
            ("scatter", dict(BASE, input_size=9, **once), (2, 3, 23, 9)),
            ("scatter", dict(BASE, input_size=16, activation="relu", **once), (1, 1, 2, 16)),
        ]
        for case, (strategy, config, shape) in enumerate(layers):
            with self.subTest(case=case, target=target, config=config, shape=shape):
                self.check_shape(np.random.default_rng([SEED, 17, case]), config, shape, target,
                                 bool(case & 1), None, isa, compiler, runner,
                                 ["--strategy", strategy])

    def test_aarch64(self):
        """Bit by bit as AVX2, which also has a fused multiply-add."""
        need("aarch64-linux-gnu-gcc", "qemu-aarch64-static")
        tools = ["aarch64-linux-gnu-gcc", "-static"], ["qemu-aarch64-static"]
        self.check_cases("neon", "avx2", *tools, 6)
        self.check_few_channels("neon", "avx2", *tools)

    def test_sve2(self):
        """The same with scalable vectors, on a processor whose vectors have 128 bits."""
        need("aarch64-linux-gnu-gcc", "qemu-aarch64-static")
        self.check_cases("sve2", "avx2", ["aarch64-linux-gnu-gcc", "-static"],
                         ["qemu-aarch64-static", "-cpu", "max,sve-max-vq=1"], 6)

    def test_arm_32(self):
        """Without fused multiply-adds, as SSE4.1."""
        need("arm-linux-gnueabihf-gcc", "qemu-arm-static")
        tools = ["arm-linux-gnueabihf-gcc", "-static"], ["qemu-arm-static"]
        self.check_cases("armv7", "sse41", *tools, 4)
        self.check_few_channels("armv7", "sse41", *tools)

    def test_avx2_on_a_processor_without_avx512(self):
        need("qemu-x86_64-static")
        self.check_cases("avx2", "avx2", None, ["qemu-x86_64-static", "-cpu", "Haswell"], 2)

    def test_webassembly(self):
        """Without fused multiply-adds, as SSE4.1."""
        need("node", "wasm-ld")
        (self.folder / "run.js").write_text(NODE_PROGRAM)
        for case in range(5):
            random = np.random.default_rng([SEED, 8, case])
            config, extents = self.random_layer(random)
            options = []
            if case == 3:
                config, extents = dict(BASE, filter_shape=[5, 5], output_size=2), (6, 19)
                options = ["--strategy", "narrow", "--input-shape", "2,6,19,3"]
            elif case == 4:  # few products of an input
                config, extents = dict(BASE, filter_shape=[1, 2], strides=[1, 2], output_size=1,
                                       input_size=7, arithmetic="fast"), (3, 9)
                options = ["--strategy", "scatter", "--input-shape", "2,3,9,7"]
            config.pop("use_bias", None)
            dtype = np.dtype(config.get("dtype", "float32"))
            x = random.standard_normal((2, *extents, config["input_size"])).astype(dtype)
            kernel = random.standard_normal((*config["filter_shape"], config["input_size"],
                                             config["output_size"])).astype(dtype)
            bias = random.standard_normal(config["output_size"]).astype(dtype)
            with self.subTest(case=case, config=config, extents=extents):
                self.write_layer(config, kernel, bias)
                for name, array in (("x", x), ("kernel", kernel), ("bias", bias)):
                    array.tofile(self.folder / f"{name}.raw")
                self.compile_layer(*options, targets=["wasm"])
                manifest = json.loads((self.folder / "out/wasm/share/decoder.json").read_text())
                self.check("wasm-ld", "--no-entry", "--export=decoder_run",
                           "--export=decoder_pack", "--export=__heap_base",
                           "out/wasm/lib/libdecoder.a", "-o", "decoder.wasm")
                want = reference.conv_transpose(config, x, kernel, bias)
                self.check("node", "run.js", manifest["packed_bytes"], want.size * x.itemsize,
                           manifest["scratch_bytes"], *([] if options else x.shape[:-1]))
                y = np.fromfile(self.folder / "y.raw", dtype).reshape(want.shape)
                self.assert_same_as_library(config, x, kernel, bias, y, "sse41")


def member(archive):
    """The first object in an archive, without the names that macOS puts into its data."""
    data = archive.read_bytes()
    assert data.startswith(b"!<arch>\n"), archive
    at = 8
    while at < len(data):
        name, size = data[at:at + 16].decode().strip(), int(data[at + 48:at + 58])
        body = data[at + 60:at + 60 + size]
        if name.startswith("#1/"):
            skip = int(name[3:])
            name, body = body[:skip].rstrip(b"\0").decode(), body[skip:]
        if not name.startswith(("/", "__.SYMDEF")):
            return body
        at += 60 + size + size % 2
    raise AssertionError(f"{archive} has no object")


class Chosen(CompilerTest):
    """One library for several instruction sets, which chooses when it runs."""

    ALL = ["sse41", "avx2", "avx512"]
    #: Processors of QEMU 7.2: what they have, of what it can emulate (no AVX-512).
    PROCESSORS = {"Haswell": "avx2", "Nehalem": "sse41", "kvm64": None}

    def random_case(self, case, constant):
        random = np.random.default_rng([SEED, 10, case])
        config, extents = self.random_layer(random)
        config.pop("dtype", None)
        x = random.standard_normal((2, *extents, config["input_size"])).astype("f4")
        kernel = random.standard_normal((*config["filter_shape"], config["input_size"],
                                         config["output_size"])).astype("f4")
        bias = None
        if config.get("use_bias", True):
            bias = random.standard_normal(config["output_size"]).astype("f4")
            bias.tofile(self.folder / "bias.raw")
        self.write_layer(config, kernel, bias)
        x.tofile(self.folder / "x.raw")
        kernel.tofile(self.folder / "kernel.raw")
        self.compile_layer(*(["--weights", "w.npz"] if constant else []),
                           targets=["+".join(self.ALL)])
        y_shape = reference.conv_transpose(config, x, kernel, bias).shape
        self.build("out/sse41+avx2+avx512", config, x, y_shape, constant, x.shape[:-1])
        return config, x, kernel, bias, y_shape

    def check_y(self, case, isa):
        config, x, kernel, bias, y_shape = case
        y = np.fromfile(self.folder / "y.raw", "f4").reshape(y_shape)
        self.assert_same_as_library(config, x, kernel, bias, y, isa)
        (self.folder / "y.raw").unlink()

    def test_values(self):
        """On this machine the best that it has; under QEMU the best that the processor has."""
        best = [isa for isa in self.ALL if isa in runnable_isas()][-1]
        for number in range(4):
            constant = bool(number & 1)
            case = self.random_case(number, constant)
            with self.subTest(case=number, config=case[0]):
                self.check("./main")
                self.check_y(case, best)
                if shutil.which("qemu-x86_64-static") is None:
                    continue
                for processor, isa in self.PROCESSORS.items():
                    command = ["qemu-x86_64-static", "-cpu", processor, "./main"]
                    if isa is not None:
                        self.check(*command)
                        self.check_y(case, isa)
                    elif constant:  # else packing fails first
                        result = run(*command, cwd=self.folder)
                        self.assertEqual(result.returncode, 3, result)
                        self.assertIn("decoder_run: the processor has none of the instruction sets "
                                      "sse41+avx2+avx512", result.stderr)
                        self.assertFalse((self.folder / "y.raw").exists())

    def test_symbols(self):
        """What the header declares and nothing else; two such libraries fit in one program."""
        self.write_layer(BASE)
        self.compile_layer(targets=["sse41+avx512"])
        self.compile_layer(targets=["avx2+avx512"], name="a_decoder_with_a_longer_name",
                           output="other")
        text = self.check("nm", "-g", "out/sse41+avx512/lib/libdecoder.a").stdout
        defined = {line.split()[-1] for line in text.splitlines() if " T " in line}
        needed = {line.split()[-1] for line in text.splitlines() if line.lstrip().startswith("U ")}
        self.assertEqual(defined, {f"decoder_{word}" for word in (
            "run", "pack", "isa", "sse41_run", "sse41_pack", "avx512_run", "avx512_pack")})
        self.assertLessEqual(needed, defined)
        (self.folder / "main.c").write_text(r"""
#include "decoder.h"
#include "a_decoder_with_a_longer_name.h"
int main(void) {
  return decoder_isa() != a_decoder_with_a_longer_name_isa() ||
         decoder_run(0, 0, 0, 1, 1, 0, 0) != DECODER_BAD_EXTENT ||
         decoder_sse41_run(0, 0, 0, 1, 1, 0, 0) != DECODER_BAD_EXTENT;
}
""")
        self.check(Tools.cc, *FLAGS, "main.c", "-Iout/sse41+avx512/include",
                   "-Iother/avx2+avx512/include", "out/sse41+avx512/lib/libdecoder.a",
                   "other/avx2+avx512/lib/liba_decoder_with_a_longer_name.a", "-o", "main",
                   "-nodefaultlibs", "-lc")
        self.check("./main")
        manifest = json.loads(
            (self.folder / "out/sse41+avx512/share/decoder.json").read_text())
        self.assertEqual([v["target"] for v in manifest["variants"]], ["sse41", "avx512"])


class Library(CompilerTest):
    """The library's own choice, on processors that lack instruction sets that it has."""

    def test_chooses_what_the_processor_has(self):
        need("qemu-x86_64-static")
        self.write_case(np.random.default_rng(SEED), BASE, (1, 5, 4, 3))
        np.save(self.folder / "x.npy", np.fromfile(self.folder / "x.raw", "f4").reshape(1, 5, 4, 3))
        apply = ["apply", "--config", "layer.json", "--weights", "w.npz", "--input", "x.npy",
                 "--output"]
        for processor, isa in Chosen.PROCESSORS.items():
            with self.subTest(processor=processor):
                emulated = ["qemu-x86_64-static", "-cpu", processor, Tools.upconv]
                if isa is None:
                    result = run(*emulated, *apply, "y.npy", cwd=self.folder)
                    self.assertNotEqual(result.returncode, 0)
                    self.assertIn("runs none of the built instruction sets", result.stderr)
                    continue
                rows = json.loads(self.check(*emulated, "kernels", "--json").stdout)
                runnable = {row["isa"] for row in rows if row["runnable"]}
                self.assertEqual(runnable, {"avx2": {"sse41", "avx2"}, "sse41": {"sse41"}}[isa])
                self.check(*emulated, *apply, "y.npy")
                if isa in runnable_isas():
                    self.check(Tools.upconv, *apply, "want.npy", "--isa", isa)
                    np.testing.assert_array_equal(np.load(self.folder / "y.npy"),
                                                  np.load(self.folder / "want.npy"))


class Inspected(CompilerTest):
    """Objects of systems that cannot run here: their format and processor, from the header."""

    def object_for(self, target):
        self.write_layer(BASE)
        self.compile_layer(targets=[target])
        return member(self.folder / "out" / target / "lib" / "libdecoder.a")

    def assert_elf(self, target, bits, machine):
        data = self.object_for(target)
        self.assertEqual(data[:4], b"\x7fELF")
        self.assertEqual(data[4], {32: 1, 64: 2}[bits])
        self.assertEqual(struct.unpack_from("<H", data, 18)[0], machine)

    def assert_mach_o(self, target, cpu):
        magic, kind = struct.unpack_from("<II", self.object_for(target))
        self.assertEqual((magic, kind), (0xFEEDFACF, cpu))

    def test_formats(self):
        aarch64, arm, riscv = 183, 40, 243
        self.assert_elf("android", 64, aarch64)
        self.assert_elf("armv7", 32, arm)
        self.assert_elf("riscv", 64, riscv)
        arm64 = 0x0100000C
        self.assert_mach_o("ios", arm64)
        self.assert_mach_o("macos", arm64)


if __name__ == "__main__":
    main()
